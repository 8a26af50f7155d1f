//! `milena produce`: lines to records, at once or in transactions.

mod input;
mod lines;
mod plain;
mod transactions;

use std::path::PathBuf;

use clap::ValueEnum;

use crate::connect::Connect;
use crate::failure::{Failure, at_file};
use crate::interrupt::Interrupt;
use input::Reader;

/// How a line of the input is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputFormat {
    /// The line is the value, or key and value with `--key-separator`.
    #[default]
    Text,
    /// Each line is a JSON object as `consume --format json` prints it.
    Json,
}

/// What to write where.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The topic; it must exist.
    #[arg(long, short)]
    topic: String,
    /// Read from this file instead of standard input.
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// How a line of the input is read. With json, `key`, `value`, `headers`, `partition` and `timestamp`
    /// of the object make the record, so that `consume --format json | produce --format json` copies a
    /// topic record for record.
    #[arg(long, value_enum, default_value_t)]
    format: InputFormat,
    /// With --format json: leave the choice of the partition to the partitioner.
    #[arg(long)]
    ignore_partition: bool,
    /// Make one record of the whole input, line feeds included.
    #[arg(long, conflicts_with_all = ["format", "key_separator", "skip_lines", "per_transaction"])]
    whole: bool,
    /// Split each line at the first occurrence of this text into key and value. A line without it is a
    /// record without a key.
    #[arg(long, value_name = "TEXT")]
    key_separator: Option<String>,
    /// A key or value that is exactly this text is null. Text format only.
    #[arg(long, value_name = "TEXT")]
    null: Option<String>,
    /// A header on every record. Repeatable.
    #[arg(long = "header", short = 'H', value_name = "KEY=VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// The partition, from 0; by key or by load if unset.
    #[arg(long, short, allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// Begin behind this many lines of the input: where an earlier run ended.
    #[arg(long, value_name = "LINES", default_value_t = 0)]
    skip_lines: u64,
    /// Go on after a rejected record, report each, and exit with 1 at the end.
    #[arg(long, conflicts_with = "transactional_id")]
    keep_going: bool,
    /// Write in transactions under this id.
    #[arg(long, value_name = "ID")]
    transactional_id: Option<String>,
    /// Records per transaction; one transaction for all records if unset.
    #[arg(long, value_name = "RECORDS", requires = "transactional_id")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    per_transaction: Option<u64>,
    /// With --per-transaction: commit after this time although there are fewer records, in milliseconds, so
    /// that lines of a quiet pipe become visible and outlive no transaction timeout.
    #[arg(
        long,
        value_name = "MILLISECONDS",
        default_value_t = 1_000,
        requires = "per_transaction"
    )]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=600_000))]
    commit_interval_ms: u64,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(crate) async fn run(
    connect: &Connect,
    args: Args,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let path = args.file.as_deref();
    let lines =
        lines::read(path, args.whole).map_err(|error| at_file("cannot be read", path, error))?;
    let reader = Reader::new(&args, lines, interrupt);
    match &args.transactional_id {
        None => plain::run(connect, &args, reader, interrupt).await,
        Some(id) => transactions::run(connect, &args, id, reader, interrupt).await,
    }
}
