//! The prompt: statements as they are typed, with history and completion.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use pipeline::LakeSettings;
use pipeline::query::list_tables;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use super::super::{Ended, World};
use super::complete::Assistant;
use super::listing::{self, HELP, Meta};
use crate::cli::Query;
use crate::output::{Exit, Failure, print_failures, say};

const PROMPT: &str = "spendlake> ";
const HISTORY_ENTRIES: usize = 2_000;

/// Reads and answers statements until `\q` or the end of input.
pub async fn run(lake: &LakeSettings, args: &Query, world: &World) -> Ended {
    let tables = Arc::new(OnceLock::new());
    // Listing a lake far away takes a while, and the prompt need not wait for it.
    let listed = {
        let (lake, tables) = (lake.clone(), tables.clone());
        tokio::spawn(async move {
            if let Ok(found) = list_tables(&lake).await {
                // Nobody else sets it.
                let _ = tables.set(found);
            }
        })
    };
    let history = history_file(world);
    let mut editor = editor(tables).map_err(|error| vec![no_terminal(&error)])?;
    if let Some(file) = &history {
        // A first session has no history yet.
        let _ = editor.load_history(file);
    }
    say("\\d lists tables, \\d TABLE its columns, \\? helps, \\q leaves; a statement ends with ;");
    loop {
        match editor.readline(PROMPT) {
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => {
                // A line that cannot be remembered is no reason not to answer it.
                let _ = editor.add_history_entry(text.trim());
                if let Some(file) = &history {
                    let _ = editor.append_history(file);
                }
                if !respond(lake, &text, args).await {
                    break;
                }
            }
            // Ctrl-C drops what was typed.
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(vec![no_terminal(&error)]),
        }
    }
    // Cut off in the middle, the reader of logs would complain on the terminal.
    let _ = listed.await;
    Ok(Exit::Done)
}

/// Answers one entry; `false` to leave.
async fn respond(lake: &LakeSettings, text: &str, args: &Query) -> bool {
    let target = super::target(args);
    let answered = async {
        match Meta::read(text) {
            Some(Ok(Meta::Help)) => {
                say(HELP);
                Ok(0)
            }
            Some(Ok(meta)) => listing::answer(lake, &meta, args, target).await,
            Some(Err(failure)) => Err(failure),
            None => {
                let question = super::question(text.to_owned(), args);
                super::answer(lake, question, args.format, target).await
            }
        }
    };
    if let Some(Ok(Meta::Quit)) = Meta::read(text) {
        return false;
    }
    tokio::select! {
        ended = answered => {
            if let Err(failure) = ended {
                print_failures(&[failure]);
            }
        }
        _ = tokio::signal::ctrl_c() => say("stopped"),
    }
    true
}

fn editor(
    tables: Arc<OnceLock<Vec<pipeline::query::TableListing>>>,
) -> rustyline::Result<Editor<Assistant, FileHistory>> {
    let config = Config::builder()
        .max_history_size(HISTORY_ENTRIES)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Assistant { tables }));
    Ok(editor)
}

/// Where what was asked is kept: the user's folder for state, made if it is not there.
fn history_file(world: &World) -> Option<PathBuf> {
    let set = |name: &str| {
        let value = (world.environment)(name).filter(|value| !value.is_empty())?;
        Some(PathBuf::from(value))
    };
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")))?;
    let folder = state.join("spendlake");
    fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}

fn no_terminal(error: &ReadlineError) -> Failure {
    Failure::change(
        format!("the terminal cannot be read: {error}"),
        "give the query as an argument, with -f, or on stdin",
    )
}
