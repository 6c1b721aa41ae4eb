//! Lists the data files beside the crate, so that a new one is embedded without a Rust line.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const FOLDERS: [&str; 5] = ["coupa", "unified", "report", "reports", "pages"];
const EXTENSIONS: [&str; 4] = ["toml", "json", "sql", "csv"];

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo names the crate"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names the output folder"));
    let mut files = Vec::new();
    for folder in FOLDERS {
        // A folder that does not exist yet is watched too, so that its first file is seen.
        println!("cargo:rerun-if-changed={folder}");
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();

    let mut list = String::from("pub(crate) const EMBEDDED: &[(&str, &str)] = &[\n");
    for file in &files {
        let name = file.strip_prefix(&root).expect("found below the root");
        let name = name
            .iter()
            .map(|part| part.to_str().expect("names are UTF-8"))
            .collect::<Vec<_>>()
            .join("/");
        let path = file.to_str().expect("names are UTF-8");
        writeln!(list, "    ({name:?}, include_str!({path:?})),").expect("a string grows");
    }
    list.push_str("];\n");
    fs::write(out.join("embedded.rs"), list)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|word| word.to_str());
        if path.is_dir() {
            collect(&path, files)?;
        } else if extension.is_some_and(|word| EXTENSIONS.contains(&word)) {
            files.push(path);
        }
    }
    Ok(())
}
