//! `milena perf consume`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use milena::Consumer;
use milena::consumer::{Position, TopicPartition};

use super::progress::Progress;
use super::report::{Latencies, Measurement, Report};
use super::{RECORDS_MAX, cut_off};
use crate::connect::Connect;
use crate::consume::{Isolation, are_passed};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::topics::require;

/// How long no record may come although some are due.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What to read.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The topic; it is read from its beginning.
    #[arg(long, short)]
    topic: String,
    /// Records to measure; to the end of the topic if unset.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=RECORDS_MAX))]
    records: Option<u64>,
    /// Records before those, not measured.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(..=RECORDS_MAX))]
    warm_up: u64,
    /// Which records of transactions to read: read_committed if unset.
    #[arg(long, value_enum)]
    isolation: Option<Isolation>,
}

/// What has been read since the last look.
#[derive(Clone, Copy, Default)]
struct Sum {
    records: u64,
    bytes: u64,
}

pub(crate) async fn run(
    connect: &Connect,
    args: &Args,
    interrupt: &Interrupt,
) -> Result<Report, Failure> {
    let config = connect
        .consumer(&Isolation::setting(args.isolation))?
        .build()?;
    let count = require(connect, &args.topic).await?;
    let mut consumer = Consumer::new(config)?;
    let partitions: Vec<_> = (0..count)
        .map(|number| TopicPartition::new(&*args.topic, number))
        .collect();
    consumer.assign(&partitions)?;
    for partition in &partitions {
        consumer.seek(partition, Position::Earliest)?;
    }

    let ends = consumer.end_offsets(&partitions).await.all()?;
    let mut run = Run {
        consumer,
        ends,
        interrupt,
    };
    let mut ignored = Latencies::of("poll");
    run.read(args.warm_up, "warm-up", &mut ignored).await?;
    let mut latencies = Latencies::of("poll");
    let measurement = Measurement::start();
    let read = run
        .read(args.records.unwrap_or(u64::MAX), "consume", &mut latencies)
        .await?;
    let amount = measurement.finish(read.records, read.bytes);
    run.consumer.close().await;
    if read.records == 0 {
        let line = format!(
            "{} has no records after the warm-up of {}",
            args.topic, args.warm_up
        );
        return Err(Failure::Said(line));
    }
    Ok(Report::new("consume", &args.topic, amount, &latencies))
}

struct Run<'a> {
    consumer: Consumer,
    ends: BTreeMap<TopicPartition, i64>,
    interrupt: &'a Interrupt,
}

impl Run<'_> {
    /// Reads so many records, or to the end.
    async fn read(
        &mut self,
        records: u64,
        what: &'static str,
        latencies: &mut Latencies,
    ) -> Result<Sum, Failure> {
        let mut progress = Progress::of(what, records);
        let mut sum = Sum::default();
        let mut last = Instant::now();
        while sum.records < records {
            let polled = Instant::now();
            let batch = tokio::select! {
                batch = self.consumer.poll(Duration::from_millis(100)) => batch?,
                () = self.interrupt.raised() => return Err(cut_off(self.interrupt)),
            };
            if batch.is_empty() {
                if are_passed(&self.consumer, &self.ends)? {
                    break;
                }
                if last.elapsed() > TIMEOUT {
                    let line = format!("no records for {TIMEOUT:?} although some are due");
                    return Err(Failure::Said(line));
                }
                continue;
            }
            last = Instant::now();
            latencies.record(last - polled);
            for record in &batch {
                sum.records += 1;
                sum.bytes += (record.key.map_or(0, <[u8]>::len)
                    + record.value.map_or(0, <[u8]>::len)) as u64;
            }
            progress.advance(batch.len() as u64);
        }
        Ok(sum)
    }
}
