//! Looks for planted texts in bytes of any kind, in every form in which they may have been written.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use arrow::array::{Array, ArrayData};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use memchr::memmem::Finder;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// The texts to look for, each in all its forms.
pub struct Search {
    needles: Vec<(String, Finder<'static>)>,
}

/// What a search has looked at.
#[derive(Debug, Default)]
pub struct Looked {
    pub files: usize,
    pub parquet_files: usize,
    pub raw_bytes: u64,
    pub unpacked_bytes: u64,
}

impl Search {
    pub fn of(texts: &[String]) -> Search {
        let mut needles = Vec::new();
        for text in texts {
            for form in forms(text) {
                needles.push((text.clone(), Finder::new(&form).into_owned()));
            }
        }
        Search { needles }
    }

    /// Which of the texts stand in `bytes`.
    pub fn in_bytes(&self, bytes: &[u8]) -> BTreeSet<&str> {
        let there = self
            .needles
            .iter()
            .filter(|(_, needle)| needle.find(bytes).is_some());
        there.map(|(text, _)| text.as_str()).collect()
    }

    /// Which of the texts stand in the files below `folder` or in their names: in the bytes as they are, and in
    /// every buffer of every column of the Parquet files.
    pub fn in_files(&self, folder: &Path, looked: &mut Looked) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for entry in std::fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("an entry is readable").path();
            found.extend(self.in_bytes(path.as_os_str().as_encoded_bytes()));
            if path.is_dir() {
                found.append(&mut self.in_files(&path, looked));
                continue;
            }
            let bytes = std::fs::read(&path).expect("the file is readable");
            found.extend(self.in_bytes(&bytes));
            looked.files += 1;
            looked.raw_bytes += bytes.len() as u64;
            if path.extension().is_some_and(|end| end == "parquet") {
                looked.parquet_files += 1;
                found.append(&mut self.in_parquet(&path, looked));
            }
        }
        found
    }

    fn in_parquet(&self, path: &Path, looked: &mut Looked) -> BTreeSet<&str> {
        let file = File::open(path).expect("the file is there");
        let batches = ParquetRecordBatchReaderBuilder::try_new(file)
            .and_then(|builder| builder.build())
            .expect("the file is Parquet");
        let mut found = BTreeSet::new();
        for batch in batches {
            for column in batch.expect("the file is whole").columns() {
                every_buffer(&column.to_data(), &mut |bytes| {
                    looked.unpacked_bytes += bytes.len() as u64;
                    found.extend(self.in_bytes(bytes));
                });
            }
        }
        found
    }

    /// Which of the texts stand in the arguments of any process that can be seen.
    #[cfg(target_os = "linux")]
    pub fn in_arguments(&self) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for entry in std::fs::read_dir("/proc")
            .expect("there is /proc")
            .flatten()
        {
            // Processes end while we look.
            if let Ok(arguments) = std::fs::read(entry.path().join("cmdline")) {
                found.extend(self.in_bytes(&arguments));
            }
        }
        found
    }
}

fn every_buffer(array: &ArrayData, see: &mut impl FnMut(&[u8])) {
    for buffer in array.buffers() {
        see(buffer.as_slice());
    }
    for child in array.child_data() {
        every_buffer(child, see);
    }
}

/// A text as it is, as JSON and as Rust print it, percent-encoded, in hexadecimal digits, and in base64, alone
/// and inside a longer text.
fn forms(text: &str) -> BTreeSet<String> {
    let json = serde_json::Value::from(text).to_string();
    let debug = format!("{text:?}");
    let percent: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = BTreeSet::from([
        text.to_owned(),
        json[1..json.len() - 1].to_owned(),
        json[1..json.len() - 1].replace('/', "\\/"),
        debug[1..debug.len() - 1].to_owned(),
        percent.replace('+', "%20"),
        percent.to_lowercase(),
        percent,
        hex.to_uppercase(),
        hex,
    ]);
    for before in 0..3_usize {
        let longer = [&vec![0; before], text.as_bytes()].concat();
        // Only the letters that depend on nothing but the text.
        let letters = (before * 8).div_ceil(6)..longer.len() * 8 / 6;
        for engine in [BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD] {
            forms.insert(engine.encode(&longer)[letters.clone()].to_owned());
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, ListBuilder, RecordBatch, StringBuilder};
    use parquet::arrow::ArrowWriter;
    use parquet::basic::{Compression, ZstdLevel};
    use parquet::file::properties::WriterProperties;

    use super::*;

    const CANARY: &str = "c4nary/of\"the + search";

    /// The control: what is planted is found wherever it may hide, and nothing else is.
    #[test]
    fn what_is_planted_is_found() {
        let search = Search::of(&[CANARY.to_owned(), "not-there-at-all".to_owned()]);
        let only = BTreeSet::from([CANARY]);
        let mut texts: Vec<String> = forms(CANARY).into_iter().collect();
        for before in ["", "i", "id", "id:"] {
            texts.push(BASE64_STANDARD_NO_PAD.encode(format!("{before}{CANARY} and more")));
            texts.push(format!("{before}{CANARY}"));
        }
        for text in texts {
            let inside = format!("before {text} behind");
            assert_eq!(search.in_bytes(inside.as_bytes()), only, "{text}");
        }
        assert!(search.in_bytes(b"c4nary/of the search").is_empty());

        // Deep in a column that is packed, where no look at the bytes of the file could see it.
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("deep").join("file.parquet");
        std::fs::create_dir(path.parent().expect("a folder")).expect("a folder");
        let mut lists = ListBuilder::new(StringBuilder::new());
        for number in 0..500 {
            lists.values().append_value(format!("value {number}"));
            lists.values().append_value(format!("a {CANARY}."));
            lists.append(true);
        }
        let column: ArrayRef = Arc::new(lists.finish());
        let batch = RecordBatch::try_from_iter([("texts", column)]).expect("one column");
        let packed = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_statistics_enabled(parquet::file::properties::EnabledStatistics::None)
            .build();
        let file = File::create(&path).expect("the folder is writable");
        let mut writer =
            ArrowWriter::try_new(file, batch.schema(), Some(packed)).expect("it writes");
        writer.write(&batch).expect("it writes");
        writer.close().expect("it closes");
        let raw = std::fs::read(&path).expect("the file is there");
        assert!(search.in_bytes(&raw).is_empty(), "it is packed");
        let mut looked = Looked::default();
        assert_eq!(search.in_files(folder.path(), &mut looked), only);
        assert_eq!((looked.files, looked.parquet_files), (1, 1));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_stands_in_an_argument_is_found() {
        use std::os::unix::process::CommandExt;
        let canary = format!("canary-of-an-argument-{}", std::process::id());
        let search = Search::of(std::slice::from_ref(&canary));
        assert!(search.in_arguments().is_empty());
        let mut sleeper = std::process::Command::new("sleep");
        let mut sleeper = sleeper
            .arg0(&canary)
            .arg("60")
            .spawn()
            .expect("sleep exists");
        // Until the new process has its own arguments.
        let found = (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            !search.in_arguments().is_empty()
        });
        sleeper.kill().expect("it can be ended");
        sleeper.wait().expect("it is ours");
        assert!(found);
    }
}
