//! `milena perf transactions`.

use std::time::{Duration, Instant};

use milena::{Record, TransactionalProducer};

use super::payload::Payloads;
use super::progress::Progress;
use super::report::{Latencies, Measurement, Report};
use super::{Load, cut_off};
use crate::connect::Connect;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::topics::require;

/// Records between two looks at the clock.
const LOOK_EVERY: u64 = 64;

/// What to send, and how long each transaction is.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    load: Load,
    /// Commit after so many milliseconds.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    transaction_ms: u64,
    /// Commit after so many records, whatever the time.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    per_transaction: Option<u64>,
    /// The transactional id; one of its own if unset.
    #[arg(long)]
    transactional_id: Option<String>,
}

pub(crate) async fn run(
    connect: &Connect,
    args: &Args,
    interrupt: &Interrupt,
) -> Result<Report, Failure> {
    let load = &args.load;
    let properties = load.properties();
    let properties: Vec<_> = properties
        .iter()
        .map(|(key, value)| (*key, &**value))
        .collect();
    let own = || format!("milena-perf-{:08x}", fastrand::u32(..));
    let id = args.transactional_id.clone().unwrap_or_else(own);
    let config = connect.transactional_producer(&id, &properties)?.build()?;
    require(connect, &load.topic).await?;
    let mut producer = TransactionalProducer::start(config).await?;
    let mut payloads = Payloads::new(load.value_bytes());

    let mut ignored = Latencies::of("transaction");
    send(
        &mut producer,
        args,
        load.warm_up(),
        &mut payloads,
        &mut ignored,
        interrupt,
    )
    .await?;
    let mut latencies = Latencies::of("commit");
    let measurement = Measurement::start();
    let transactions = send(
        &mut producer,
        args,
        load.records,
        &mut payloads,
        &mut latencies,
        interrupt,
    )
    .await?;
    let amount = measurement.finish(load.records, load.bytes());

    producer.close(Duration::from_secs(30)).await?;
    let report = Report::new("transactions", &load.topic, amount, &latencies);
    Ok(report.with_transactions(transactions))
}

/// Sends so many records in committed transactions and gives the number of those.
async fn send(
    producer: &mut TransactionalProducer,
    args: &Args,
    records: u64,
    payloads: &mut Payloads,
    latencies: &mut Latencies,
    interrupt: &Interrupt,
) -> Result<u64, Failure> {
    let mut progress = Progress::of("transactions", records);
    let length = Duration::from_millis(args.transaction_ms);
    let mut left = records;
    let mut transactions = 0;
    while left > 0 {
        if interrupt.is_raised() {
            return Err(cut_off(interrupt));
        }
        let transaction = producer.begin().await?;
        let begun = Instant::now();
        let mut sent = 0;
        while sent < args.per_transaction.unwrap_or(u64::MAX).min(left) {
            // A failed record spoils the commit, so the deliveries need not be looked at.
            let _delivery = transaction
                .send(Record::to(&args.load.topic).value(payloads.next()))
                .await?;
            sent += 1;
            let timed = args.per_transaction.is_none() && sent % LOOK_EVERY == 0;
            if timed && begun.elapsed() >= length {
                break;
            }
        }
        let ending = Instant::now();
        transaction.commit().await?;
        latencies.record(ending.elapsed());
        progress.advance(sent);
        left -= sent;
        transactions += 1;
    }
    Ok(transactions)
}
