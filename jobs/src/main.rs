//! The command `spendlake`: the only place that asks the clock, the environment and the terminal.

mod cli;
mod commands;
mod config;
mod log;
mod output;
mod progress;
mod rows;

use std::process::ExitCode;

use chrono::Utc;
use clap::Parser;
use tikv_jemallocator::Jemalloc;

use crate::cli::Cli;
use crate::commands::World;
use crate::output::{Exit, Failure};

/// Gives memory back within a fraction of a second (`.cargo/config.toml`); measured in ARCHITECTURE.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Planning a query recurses by its depth; the usual 2 MiB are not enough without optimisation.
const STACK_BYTES: usize = 16 * 1024 * 1024;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log::to_stderr();
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("no other provider is installed before");
    // A thread of our own, since the stack of the first one cannot be chosen.
    let ended = std::thread::Builder::new()
        .name("spendlake".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || block_on(cli))
        .map(std::thread::JoinHandle::join);
    let exit = match ended {
        Ok(Ok(exit)) => exit,
        // The panic's own message is on stderr already.
        Ok(Err(_)) => output::print_failures(&[Failure {
            message: "spendlake has a bug".to_owned(),
            causes: Vec::new(),
            hint: Some(
                "report the lines above; what is committed stays, running again is safe".to_owned(),
            ),
            exit: Exit::Bug,
        }]),
        Err(error) => output::print_failures(&[Failure::of_io("no thread can be started", &error)]),
    };
    ExitCode::from(exit as u8)
}

fn block_on(cli: Cli) -> Exit {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure = Failure::of_io("the runtime cannot be started", &error);
            return output::print_failures(&[failure]);
        }
    };
    let world = World {
        clock: Utc::now,
        environment: |name| std::env::var(name).ok(),
    };
    let exit = runtime.block_on(commands::execute(cli, world));
    // Whatever still runs (a simulator, a signal's listener) has no say in the result.
    runtime.shutdown_background();
    exit
}
