//! Real servers on loopback, started by `tests/services` where the caller has not started them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The uri of a PostgreSQL server. A test that can not have one fails: none is skipped.
pub fn postgres() -> &'static str {
    static URI: OnceLock<String> = OnceLock::new();
    URI.get_or_init(|| had("start-postgres.sh", "SPENDLAKE_TEST_POSTGRES"))
}

/// The endpoint of an S3 server, which has the bucket `spendlake` for [`S3_KEY`] and [`S3_SECRET`]. A test that can
/// not have one fails: none is skipped.
pub fn s3() -> &'static str {
    static ENDPOINT: OnceLock<String> = OnceLock::new();
    ENDPOINT.get_or_init(|| had("start-s3.sh", "SPENDLAKE_TEST_S3"))
}

/// The endpoint of an S3 server that ignores conditions on writes.
pub fn overwriting_s3() -> &'static str {
    static ENDPOINT: OnceLock<String> = OnceLock::new();
    ENDPOINT.get_or_init(|| had("start-overwriting-s3.sh", "SPENDLAKE_TEST_OVERWRITING_S3"))
}

pub const S3_KEY: &str = "spendlake";
pub const S3_SECRET: &str = "spendlake-test-secret";

fn had(script: &str, variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| started(script, variable))
}

/// Runs a start script, and reads the variable that it sets.
fn started(script: &str, variable: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/services");
    let output = Command::new(path.join(script))
        .output()
        .unwrap_or_else(|error| panic!("{script} can not be run: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} failed:\n{told}");
    let text = String::from_utf8_lossy(&output.stdout);
    let prefix = format!("export {variable}=");
    let found = text.lines().find_map(|line| line.strip_prefix(&prefix));
    found
        .unwrap_or_else(|| panic!("{script} sets no {variable}:\n{text}"))
        .to_owned()
}
