//! `milena consume`: records to standard output.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use clap::ValueEnum;
use milena::Consumer;
use milena::consumer::{ConsumedRecord, Position, TopicPartition};

use crate::connect::Connect;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::offset::Start;
use crate::output::{Format, Output, Shown, reader_gone};
use crate::topics::require;

const POLL: Duration = Duration::from_millis(100);

/// Which records of transactions to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Isolation {
    /// Those of committed transactions and those outside transactions.
    #[value(name = "read_committed", alias = "committed", alias = "read-committed")]
    Committed,
    /// All, those of open and aborted transactions too.
    #[value(
        name = "read_uncommitted",
        alias = "uncommitted",
        alias = "read-uncommitted"
    )]
    Uncommitted,
}

impl Isolation {
    /// Its name as a property.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Committed => "read_committed",
            Self::Uncommitted => "read_uncommitted",
        }
    }
}

/// What to read, from where, and how to print it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The topic.
    #[arg(long, short)]
    topic: String,
    /// A partition, from 0; all if unset. Repeatable.
    #[arg(long = "partition", short)]
    partitions: Vec<i32>,
    /// Where to start: earliest, latest, an offset, @ and milliseconds since 1970, or a time such
    /// as 2026-11-21T09:30:00Z.
    #[arg(long, short, default_value = "latest")]
    offset: Start,
    /// Which records of transactions to read.
    #[arg(long, value_enum, default_value_t = Isolation::Committed)]
    isolation: Isolation,
    /// How to print a record.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Print the key before the value, and this between them. Text only.
    #[arg(long, value_name = "TEXT")]
    key_separator: Option<String>,
    /// Stop after so many records.
    #[arg(long, value_name = "RECORDS")]
    max: Option<u64>,
    /// Stop at what is the end of the topic when reading begins.
    #[arg(long)]
    exit_at_end: bool,
}

pub(crate) async fn run(
    connect: &Connect,
    args: Args,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let isolation = [("isolation.level", args.isolation.name())];
    let config = connect.consumer(&isolation)?.build()?;
    let count = require(connect, &args.topic).await?;
    let mut consumer = Consumer::new(config)?;
    let partitions = partitions(&args, count)?;
    consumer.assign(&partitions)?;
    for partition in &partitions {
        consumer.seek(partition, position(args.offset))?;
    }
    let mut printer = Printer {
        output: Output::stdout(),
        args: &args,
        left: args.max,
    };
    let outcome = read(&mut consumer, &partitions, &mut printer, interrupt).await;
    consumer.close().await;
    outcome
}

fn partitions(args: &Args, count: i32) -> Result<Vec<TopicPartition>, Failure> {
    let all = (0..count).collect();
    let numbers = if args.partitions.is_empty() {
        all
    } else {
        args.partitions.clone()
    };
    if let Some(missing) = numbers.iter().find(|number| !(0..count).contains(*number)) {
        let line = format!(
            "{} has no partition {missing}, but 0 to {}",
            args.topic,
            count - 1
        );
        return Err(Failure::Said(line));
    }
    Ok(numbers
        .into_iter()
        .map(|number| TopicPartition::new(&*args.topic, number))
        .collect())
}

fn position(start: Start) -> Position {
    match start {
        Start::Earliest => Position::Earliest,
        Start::Latest => Position::Latest,
        Start::Offset(offset) => Position::Offset(offset),
        Start::Timestamp(millis) => Position::Timestamp(millis),
    }
}

/// Reads until it is enough, or Ctrl-C, which is how reading usually ends.
async fn read(
    consumer: &mut Consumer,
    partitions: &[TopicPartition],
    printer: &mut Printer<'_>,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let from_offset = matches!(printer.args.offset, Start::Offset(_));
    let ends = match printer.args.exit_at_end {
        true => Some(consumer.end_offsets(partitions).await?),
        false => None,
    };
    let mut reader_gone = pin!(reader_gone());
    while printer.left != Some(0) {
        if let Some(ends) = &ends
            && are_passed(consumer, ends)?
            && (!from_offset || are_answered(consumer, partitions)?)
        {
            return Ok(());
        }
        let records = tokio::select! {
            records = consumer.poll(POLL) => records?,
            () = interrupt.raised() => return Ok(()),
            () = &mut reader_gone => return Err(Failure::BrokenPipe),
        };
        for record in &records {
            if !printer.print(&record)? {
                break;
            }
        }
        printer.output.flush()?;
    }
    Ok(())
}

/// Whether every partition was read to these ends.
pub(crate) fn are_passed(
    consumer: &Consumer,
    ends: &BTreeMap<TopicPartition, i64>,
) -> Result<bool, Failure> {
    for (partition, end) in ends {
        let position = consumer.position(partition)?;
        if position.is_none_or(|next| next.offset < *end) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the log of every partition has been seen: an offset beyond it is an error, not an end.
fn are_answered(consumer: &Consumer, partitions: &[TopicPartition]) -> Result<bool, Failure> {
    for partition in partitions {
        if consumer.high_watermark(partition)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

struct Printer<'a> {
    output: Output,
    args: &'a Args,
    /// How many more records to print.
    left: Option<u64>,
}

impl Printer<'_> {
    /// Prints one record; false if it is enough.
    fn print(&mut self, record: &ConsumedRecord<'_>) -> Result<bool, Failure> {
        if let Some(left) = &mut self.left {
            let Some(fewer) = left.checked_sub(1) else {
                return Ok(false);
            };
            *left = fewer;
        }
        let headers: Vec<_> = record
            .headers()
            .map(|header| (header.key, header.value))
            .collect();
        let shown = Shown {
            topic: record.topic,
            partition: record.partition,
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key,
            value: record.value,
            headers: &headers,
        };
        self.output
            .record(shown, self.args.format, self.args.key_separator.as_deref())?;
        Ok(true)
    }
}
