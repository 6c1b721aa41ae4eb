//! `query` at a terminal: the prompt, completion and history, through a terminal of its own.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::Desk;

/// Longer than a loaded machine takes to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command in a terminal made by `script`, which every Debian and macOS has.
struct Terminal {
    process: Child,
    output: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    fn open(desk: &Desk) -> Terminal {
        let mut process = Command::new("script")
            .args([
                "-qec",
                concat!(env!("CARGO_BIN_EXE_spendlake"), " query job.toml"),
                "/dev/null",
            ])
            .current_dir(desk.folder.path())
            .env("XDG_STATE_HOME", desk.path("state"))
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script is installed");
        let mut stdout = process.stdout.take().expect("piped");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(count @ 1..) = stdout.read(&mut part) {
                if sender.send(part[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal {
            process,
            output,
            seen: String::new(),
        }
    }

    fn type_keys(&mut self, keys: &str) {
        let stdin = self.process.stdin.as_mut().expect("piped");
        stdin.write_all(keys.as_bytes()).expect("it listens");
        stdin.flush().expect("it listens");
    }

    /// Waits until `text` has been printed after what was waited for last.
    fn wait_for(&mut self, text: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            match self
                .output
                .recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                Ok(part) => self.seen.push_str(&String::from_utf8_lossy(&part)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no {text:?} in {:?}", self.seen)
                }
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_prompt_answers_completes_and_remembers() {
    let desk = Desk::new();
    let mut terminal = Terminal::open(&desk);
    terminal.wait_for("spendlake> ");
    // A statement of two lines ends at its semicolon.
    terminal.type_keys("SELECT 40 +\r");
    terminal.type_keys("2 AS answer;\r");
    terminal.wait_for("42");
    terminal.wait_for("spendlake> ");
    terminal.type_keys("\\d report.invoice_match\r");
    terminal.wait_for("worst_status");
    terminal.wait_for("spendlake> ");
    terminal.type_keys("SELEC 1;\r");
    terminal.wait_for("error: ");
    terminal.wait_for("spendlake> ");
    // The tables are known by now: the word is completed to the one that begins so.
    terminal.type_keys("SELECT COUNT(*) AS n FROM report.po_line\t;\r");
    terminal.wait_for("report.po_line_position");
    terminal.wait_for(" 6");
    terminal.wait_for("spendlake> ");
    terminal.type_keys("\\q\r");
    let ended = terminal.process.wait().expect("it ends");
    assert!(ended.success());
    let history = std::fs::read_to_string(desk.path("state/spendlake/history"));
    let history = history.expect("what was asked is remembered");
    for asked in ["2 AS answer;", "FROM report.po_line_position;"] {
        assert!(history.contains(asked), "{history}");
    }
}
