//! `spendlake init`: a job file that explains itself.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use schemas::Schemas;

use super::Ended;
use crate::cli::Init;
use crate::output::{Exit, Failure, say};

/// The starter job file; a test reads it as a job.
pub const STARTER: &str = include_str!("starter.toml");

pub fn init(args: &Init, overlay: Option<&Path>) -> Ended {
    let scopes = scopes(&super::definitions(overlay)?);
    let path = args.dir.join("spendlake.toml");
    let doing = format!("{} cannot be written", path.display());
    fs::create_dir_all(&args.dir).map_err(|error| vec![Failure::of_io(&doing, &error)])?;
    // `create_new` makes looking and creating one step.
    let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(vec![Failure::change(
                format!("{} exists already and was left alone", path.display()),
                "name another folder, or move the file away first",
            )]);
        }
        Err(error) => return Err(vec![Failure::of_io(&doing, &error)]),
    };
    file.write_all(STARTER.as_bytes())
        .map_err(|error| vec![Failure::of_io(&doing, &error)])?;
    let path = path.display();
    say(format!(
        "wrote {path}\n\n\
         Fill in\n\
         \x20 connection   a short name for this Coupa instance\n\
         \x20 coupa.url    the address you sign in at, https://….coupahost.com\n\
         \x20 lake.url     a folder, or s3://bucket/prefix\n\n\
         In Coupa (Setup > OAuth2/OpenID Connect Clients) create a client of grant type\n\
         \"Client credentials\", and give it the scopes\n\n{scopes}\n\n\
         (or those of the resources you want: `check` names what is missing). Then\n\n\
         \x20 export COUPA_CLIENT_ID=… COUPA_CLIENT_SECRET=…\n\
         \x20 spendlake check {path}\n\
         \x20 spendlake run {path}"
    ));
    Ok(Exit::Done)
}

/// Every scope that a resource asks for, a line each.
fn scopes(schemas: &Schemas) -> String {
    let scopes: BTreeSet<&str> = schemas
        .resources
        .values()
        .map(|resource| resource.scope.as_str())
        .collect();
    let lines: Vec<String> = scopes.iter().map(|scope| format!("  {scope}")).collect();
    lines.join("\n")
}
