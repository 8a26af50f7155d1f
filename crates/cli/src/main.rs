//! The `milena` command: topics, produce, consume, transactions, perf, demo, broker, dissect, trace.
//!
//! Results go to stdout, everything else to stderr. What fails ends in one line on stderr and an
//! exit code: 1 for a failure, 2 for a wrong command line or setting, 130 after Ctrl-C and 143 after
//! SIGTERM cut something off.

mod broker;
mod connect;
mod consume;
mod demo;
mod dissect;
mod failure;
mod format;
mod interrupt;
mod manual;
mod offset;
mod output;
mod pending;
mod perf;
mod produce;
mod topics;
mod trace;
mod transactions;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::connect::Connect;
use crate::failure::Failure;
use crate::interrupt::Interrupt;

/// Exactly-once Kafka from the command line.
#[derive(Debug, Parser)]
#[command(name = "milena", version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    connect: Connect,
    /// Log to stderr: -v what happens, -vv in detail. `RUST_LOG` overrides it.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Print results and errors only: no summaries, notes, warnings and progress.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List, create, describe, change and delete topics.
    Topics(topics::Args),
    /// Write lines from standard input or a file as records.
    Produce(produce::Args),
    /// Print the records of a topic.
    Consume(consume::Args),
    /// List and describe transactions.
    Transactions(transactions::Args),
    /// Measure producing, consuming and transactions; one JSON line each.
    #[command(subcommand)]
    Perf(perf::Command),
    /// Run a bank on transactions and audit it while it runs.
    Demo(demo::Args),
    /// Serve an embedded broker: no Java, nothing on disk.
    Broker(broker::Args),
    /// Print requests and answers from hexadecimal digits, a file or a capture.
    Dissect(dissect::Args),
    /// Stand between clients and brokers and print what passes.
    Trace(trace::Args),
    /// Print a completion script for a shell.
    Completions(manual::Completions),
    /// Print the manual page, or write those of all commands into a folder.
    Man(manual::Man),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    output::set_quiet(cli.quiet);
    log_to_stderr(cli.verbose, cli.quiet);
    let outcome = runtime().and_then(|runtime| {
        let outcome = runtime.block_on(run(cli));
        // A thread may still wait for standard input; nothing waits for it.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(line) = failure.line() {
                eprintln!("milena: {line}");
            }
            failure.exit_code()
        }
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let Cli {
        mut connect,
        command,
        ..
    } = cli;
    connect.resolve()?;
    let interrupt = Interrupt::listen();
    let outcome = async {
        match command {
            Command::Topics(args) => topics::run(&connect, args).await,
            Command::Produce(args) => produce::run(&connect, args, &interrupt).await,
            Command::Consume(args) => consume::run(&connect, args, &interrupt).await,
            Command::Transactions(args) => transactions::run(&connect, args).await,
            Command::Perf(command) => perf::run(&connect, command, &interrupt).await,
            Command::Demo(args) => demo::run(&connect, args, &interrupt).await,
            Command::Broker(args) => broker::run(&connect, args, &interrupt).await,
            Command::Trace(args) => trace::run(&connect, args, &interrupt).await,
            Command::Completions(args) => manual::completions(&args),
            Command::Man(args) => manual::man(&args),
            Command::Dissect(args) => tokio::task::block_in_place(|| dissect::run(&connect, &args)),
        }
    };
    Box::pin(outcome).await
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}

fn log_to_stderr(verbose: u8, quiet: bool) {
    let level = match verbose {
        0 if quiet => "error",
        0 => "warn",
        1 => "milena=info,milena_connection=info,warn",
        2 => "milena=debug,milena_connection=debug,info",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_broker_may_be_named_before_and_after_the_command() {
        for line in [
            ["milena", "--bootstrap", "one:1", "topics", "list"],
            ["milena", "topics", "list", "--bootstrap", "one:1"],
        ] {
            assert_eq!(
                Cli::try_parse_from(line).unwrap().connect.bootstrap(),
                "one:1"
            );
        }
    }
}
