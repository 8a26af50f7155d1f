//! `milena consume`: records to standard output.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use clap::ValueEnum;
use milena::consumer::{ConsumedRecord, Position, TopicPartition};
use milena::{Consumer, IsolationLevel};

use crate::connect::Connect;
use crate::failure::Failure;
use crate::format::Template;
use crate::interrupt::Interrupt;
use crate::offset::Place;
use crate::output::{Format, Output, Shown, Style, count, note, reader_gone};
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
    /// The setting that it makes.
    pub(crate) fn setting(isolation: Option<Self>) -> Vec<(&'static str, &'static str)> {
        let name = isolation.map(|isolation| ("isolation.level", isolation.name()));
        name.into_iter().collect()
    }

    fn name(self) -> &'static str {
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
    #[arg(long = "partition", short, allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(0..))]
    partitions: Vec<i32>,
    /// Where to start: earliest, latest, an offset, -N for the last N offsets of each partition, -5m (s, m,
    /// h, d) for five minutes ago, @ and milliseconds since 1970, or a time such as 2026-11-21T09:30:00Z.
    #[arg(long, short, default_value = "latest", allow_hyphen_values = true)]
    offset: Place,
    /// Stop before this place, written as --offset is; `end` is the end of each partition when reading
    /// begins. Read committed, the end is the last stable offset.
    #[arg(
        long,
        allow_hyphen_values = true,
        conflicts_with = "exit_at_end",
        value_name = "PLACE"
    )]
    until: Option<Place>,
    /// Which records of transactions to read: read_committed if unset.
    #[arg(long, value_enum)]
    isolation: Option<Isolation>,
    /// How to print a record.
    #[arg(long, value_enum, default_value_t, conflicts_with = "template")]
    format: Format,
    /// A format of your own, with kcat's tokens: %t topic, %p partition, %o offset, %T timestamp, %k key,
    /// %s value, %h headers, %K and %S bytes of key and value; \\n, \\t, \\xHH.
    #[arg(long = "template", short = 'f', value_name = "FORMAT")]
    template: Option<Template>,
    /// What stands for a null key or value. Not with JSON, which has null.
    #[arg(long, value_name = "TEXT", default_value = "")]
    null: String,
    /// Print the key before the value, and this text between them. Text only.
    #[arg(long, value_name = "TEXT")]
    key_separator: Option<String>,
    /// Stop after this many records.
    #[arg(long, value_name = "RECORDS")]
    max: Option<u64>,
    /// Stop at what is the end of the topic when reading begins: `--until end`.
    #[arg(long)]
    exit_at_end: bool,
}

pub(crate) async fn run(
    connect: &Connect,
    args: Args,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let config = connect
        .consumer(&Isolation::setting(args.isolation))?
        .build()?;
    let isolation = config.isolation_level;
    let count = require(connect, &args.topic).await?;
    let mut consumer = Consumer::new(config)?;
    let partitions = partitions(&args, count)?;
    consumer.assign(&partitions)?;
    let now = SystemTime::now();
    let from = args.offset.at(now);
    for (partition, position) in positions(&mut consumer, &partitions, from).await? {
        consumer.seek(&partition, position)?;
    }
    let until = args.until.or(args.exit_at_end.then_some(Place::Latest));
    let ends = match until {
        Some(place) => Some(ends(&mut consumer, &partitions, place.at(now)).await?),
        None => None,
    };
    let mut printer = Printer {
        output: Output::stdout(),
        args: &args,
        left: args.max,
    };
    let outcome = read(
        &mut consumer,
        &partitions,
        ends.as_ref(),
        &mut printer,
        interrupt,
    )
    .await;
    if ends.is_some() && outcome.is_ok() && isolation == IsolationLevel::ReadCommitted {
        report_held_back(&consumer, &partitions)?;
    }
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
            "{} has no partition {missing}; its partitions are 0 to {}",
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

/// Where to start in each partition.
async fn positions(
    consumer: &mut Consumer,
    partitions: &[TopicPartition],
    from: Place,
) -> Result<Vec<(TopicPartition, Position)>, Failure> {
    let same = match from {
        Place::Earliest => Position::Earliest,
        Place::Latest => Position::Latest,
        Place::Offset(offset) => Position::Offset(offset),
        Place::Timestamp(millis) | Place::Ago(millis) => Position::Timestamp(millis),
        Place::Last(_) => {
            let starts = ends(consumer, partitions, from).await?;
            let starts = starts.into_iter();
            return Ok(starts
                .map(|(partition, offset)| (partition, Position::Offset(offset)))
                .collect());
        }
    };
    Ok(partitions
        .iter()
        .map(|partition| (partition.clone(), same))
        .collect())
}

/// The offset of this place in each partition.
async fn ends(
    consumer: &mut Consumer,
    partitions: &[TopicPartition],
    place: Place,
) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
    Ok(match place {
        Place::Earliest => consumer.beginning_offsets(partitions).await.all()?,
        Place::Latest => consumer.end_offsets(partitions).await.all()?,
        Place::Offset(offset) => partitions
            .iter()
            .map(|partition| (partition.clone(), offset))
            .collect(),
        Place::Last(count) => {
            let starts = consumer.beginning_offsets(partitions).await.all()?;
            let mut ends = consumer.end_offsets(partitions).await.all()?;
            for (partition, end) in &mut ends {
                let start = starts.get(partition).copied().unwrap_or(0);
                *end = end.saturating_sub(count).max(start);
            }
            ends
        }
        Place::Timestamp(millis) | Place::Ago(millis) => {
            let times: Vec<_> = partitions
                .iter()
                .map(|partition| (partition.clone(), millis))
                .collect();
            let mut ends = consumer.end_offsets(partitions).await.all()?;
            for (partition, found) in consumer.offsets_for_times(&times).await.all()? {
                // Where no record is as young, the end stays.
                if let (Some(end), Some(found)) = (ends.get_mut(&partition), found) {
                    *end = found.offset;
                }
            }
            ends
        }
    })
}

/// Reports what a committed reader did not see because a transaction is open.
fn report_held_back(consumer: &Consumer, partitions: &[TopicPartition]) -> Result<(), Failure> {
    for partition in partitions {
        let stable = consumer.last_stable_offset(partition)?;
        let high_watermark = consumer.high_watermark(partition)?;
        let (Some(stable), Some(high_watermark)) = (stable, high_watermark) else {
            continue;
        };
        let held_back = high_watermark.saturating_sub(stable);
        if held_back > 0 {
            note(format!(
                "{} of {partition} from {stable} on held back by an open transaction",
                count(held_back, "offset")
            ));
        }
    }
    Ok(())
}

/// Reads until it is enough, or Ctrl-C, which is how reading usually ends.
async fn read(
    consumer: &mut Consumer,
    partitions: &[TopicPartition],
    ends: Option<&BTreeMap<TopicPartition, i64>>,
    printer: &mut Printer<'_>,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let mut reader_gone = pin!(reader_gone());
    while printer.left != Some(0) {
        if let Some(ends) = ends
            && are_passed(consumer, ends)?
            && are_answered(consumer, partitions)?
        {
            return Ok(());
        }
        let records = tokio::select! {
            records = consumer.poll(POLL) => records?,
            () = interrupt.raised() => return Ok(()),
            () = &mut reader_gone => return Err(Failure::BrokenPipe),
        };
        for record in &records {
            if ends.is_some_and(|ends| is_behind(&record, ends)) {
                continue;
            }
            if !printer.print(&record)? {
                break;
            }
        }
        printer.output.flush()?;
    }
    Ok(())
}

/// Whether a record is not before the end of its partition.
fn is_behind(record: &ConsumedRecord<'_>, ends: &BTreeMap<TopicPartition, i64>) -> bool {
    let partition = TopicPartition::new(record.topic, record.partition);
    ends.get(&partition)
        .is_some_and(|end| record.offset >= *end)
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

/// Whether a fetch response has reported the watermarks of every partition: an offset beyond them is an
/// error, not an end, and what an open transaction holds back is known only then.
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
        let style = match (&self.args.template, self.args.format) {
            (Some(template), _) => Style::Template(template),
            (None, Format::Json) => Style::Json,
            (None, Format::Text) => Style::Text {
                key_separator: self.args.key_separator.as_deref(),
            },
        };
        self.output.record(shown, style, &self.args.null)?;
        Ok(true)
    }
}
