//! What is logged, to stderr: warnings, or what `SPENDLAKE_LOG` asks for.

use std::io::{self, IsTerminal, Write};

use extract::hidden;
use tracing_subscriber::EnvFilter;

/// Logs from now on. What others' code tells passes by too, so it is cleaned of secrets.
pub fn to_stderr() {
    let filter =
        EnvFilter::try_from_env("SPENDLAKE_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Cleaned(io::stderr()))
        .with_ansi(io::stderr().is_terminal())
        .init();
}

/// Each event comes in one piece.
struct Cleaned<W>(W);

impl<W: Write> Write for Cleaned<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        self.0.write_all(hidden::clean(&text).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_secret_is_not_logged() {
        hidden::hide(&"l0gged-secret".to_owned().into());
        let mut log = Cleaned(Vec::new());
        log.write_all(b"token=l0gged-secret of\xff\n")
            .expect("it writes");
        assert_eq!(log.0, "token=*** of\u{fffd}\n".as_bytes());
    }
}
