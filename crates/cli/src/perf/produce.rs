//! `milena perf produce`.

use std::collections::VecDeque;
use std::time::Instant;

use milena::{Delivery, Producer, Record};

use super::payload::Payloads;
use super::progress::Progress;
use super::report::{Latencies, Measurement, Report};
use super::{Load, cut_off};
use crate::connect::Connect;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::topics::require;

/// Deliveries that may be open before the oldest is waited for.
const DELIVERIES_MAX: usize = 200_000;
/// One record in so many is timed: reading the clock twice for each would be measured too.
const TIMED_EVERY: u64 = 64;
/// Records between two looks at Ctrl-C.
const LOOK_EVERY: u64 = 4_096;

/// What to send, how often, how.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    load: Load,
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
    let config = connect.producer(&properties)?.build()?;
    require(connect, &load.topic).await?;
    let producer = Producer::new(config)?;
    let mut payloads = Payloads::new(load.record_bytes);
    let mut run = Run {
        producer: &producer,
        load,
        interrupt,
    };

    let mut ignored = Latencies::of("acknowledgement");
    run.send(load.warm_up(), &mut payloads, "warm-up", &mut ignored)
        .await?;
    let mut latencies = Latencies::of("acknowledgement");
    let measurement = Measurement::start();
    run.send(load.records, &mut payloads, "produce", &mut latencies)
        .await?;
    let amount = measurement.finish(load.records, load.records * load.record_bytes as u64);

    producer.close(std::time::Duration::from_secs(30)).await?;
    Ok(Report::new("produce", &load.topic, amount, &latencies))
}

struct Run<'a> {
    producer: &'a Producer,
    load: &'a Load,
    interrupt: &'a Interrupt,
}

impl Run<'_> {
    /// Sends so many records and waits until every one of them is acknowledged.
    async fn send(
        &mut self,
        records: u64,
        payloads: &mut Payloads,
        what: &'static str,
        latencies: &mut Latencies,
    ) -> Result<(), Failure> {
        let mut progress = Progress::of(what, records);
        let mut open: VecDeque<(Delivery, Option<Instant>)> = VecDeque::new();
        for number in 0..records {
            if number % LOOK_EVERY == 0 && self.interrupt.is_raised() {
                return Err(cut_off());
            }
            let record = Record::to(&self.load.topic).value(payloads.next());
            let sent = (number % TIMED_EVERY == 0).then(Instant::now);
            open.push_back((self.producer.send(record).await?, sent));
            progress.advance(1);
            // Without waiting, so that a timed record is looked at soon after it arrived.
            while let Some((delivery, _)) = open.front()
                && let Some(result) = delivery.try_result()
            {
                result?;
                if let Some((_, Some(sent))) = open.pop_front() {
                    latencies.record(sent.elapsed());
                }
            }
            if open.len() > DELIVERIES_MAX {
                settle_oldest(&mut open, latencies).await?;
            }
        }
        let flushed = self.producer.flush();
        tokio::select! {
            () = flushed => {}
            () = self.interrupt.raised() => return Err(cut_off()),
        }
        while !open.is_empty() {
            settle_oldest(&mut open, latencies).await?;
        }
        Ok(())
    }
}

async fn settle_oldest(
    open: &mut VecDeque<(Delivery, Option<Instant>)>,
    latencies: &mut Latencies,
) -> Result<(), Failure> {
    if let Some((delivery, sent)) = open.pop_front() {
        delivery.await?;
        if let Some(sent) = sent {
            latencies.record(sent.elapsed());
        }
    }
    Ok(())
}
