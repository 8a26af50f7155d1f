//! `milena perf`: what producing, consuming and transactions cost, one JSON line each.
//!
//! Payloads are built beforehand and the warm-up is not measured: the figures are about the client.

mod consume;
mod payload;
mod produce;
pub(crate) mod progress;
pub(crate) mod report;
mod transactions;
mod usage;

use crate::connect::Connect;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Measure acknowledged produce throughput.
    Produce(produce::Args),
    /// Measure fetch throughput, from a topic's beginning to its end.
    Consume(consume::Args),
    /// Measure committed transactions, one after another.
    Transactions(transactions::Args),
}

/// What the measured records look like and how they are sent.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Load {
    /// The topic; it must exist. Its partitions are written to in turn, batch by batch.
    #[arg(long, short)]
    topic: String,
    /// Records to measure.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=RECORDS_MAX))]
    records: u64,
    /// Records before those, not measured; a tenth of them, at most 100,000, if unset.
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=RECORDS_MAX))]
    warm_up: Option<u64>,
    /// Bytes of each value.
    #[arg(long, default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(..=RECORD_BYTES_MAX))]
    record_bytes: u32,
    /// 0, 1 or all.
    #[arg(long)]
    acks: Option<String>,
    /// How long a batch waits for more records, in milliseconds.
    #[arg(long)]
    linger_ms: Option<u64>,
    /// Size from which a batch takes no more records.
    #[arg(long)]
    batch_bytes: Option<usize>,
    /// none, gzip, snappy, lz4 or zstd.
    #[arg(long)]
    compression: Option<String>,
}

/// Records of one measurement at most: a month at a million a second.
const RECORDS_MAX: u64 = 2_600_000_000_000;
/// Bytes of a value at most, 100 MiB; brokers take 1 MiB by default.
const RECORD_BYTES_MAX: i64 = 104_857_600;

impl Load {
    /// Bytes of one value.
    fn value_bytes(&self) -> usize {
        usize::try_from(self.record_bytes).unwrap_or(usize::MAX)
    }

    /// Bytes of all measured values.
    fn bytes(&self) -> u64 {
        self.records.saturating_mul(u64::from(self.record_bytes))
    }

    fn warm_up(&self) -> u64 {
        self.warm_up
            .unwrap_or_else(|| (self.records / 10).min(100_000))
    }

    /// The settings asked for, by their names as properties.
    fn properties(&self) -> Vec<(&'static str, String)> {
        let settings = [
            ("acks", self.acks.clone()),
            ("linger.ms", self.linger_ms.map(|millis| millis.to_string())),
            (
                "batch.size",
                self.batch_bytes.map(|bytes| bytes.to_string()),
            ),
            ("compression.type", self.compression.clone()),
        ];
        settings
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect()
    }
}

pub(crate) async fn run(
    connect: &Connect,
    command: Command,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let report = match command {
        Command::Produce(args) => produce::run(connect, &args, interrupt).await?,
        Command::Consume(args) => consume::run(connect, &args, interrupt).await?,
        Command::Transactions(args) => transactions::run(connect, &args, interrupt).await?,
    };
    let mut output = Output::stdout();
    output.json(&report)?;
    Ok(output.flush()?)
}

/// The failure of a measurement that was cut off.
fn cut_off(interrupt: &Interrupt) -> Failure {
    interrupt.cut_off("interrupted; nothing is reported".to_owned())
}
