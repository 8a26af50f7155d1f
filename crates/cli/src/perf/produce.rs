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
/// Records between two looks at Ctrl-C, and two steps of the progress bar.
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
    let mut payloads = Payloads::new(load.value_bytes());
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
    let amount = measurement.finish(load.records, load.bytes());

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
        let mut open = OpenDeliveries::default();
        for number in 0..records {
            if number % LOOK_EVERY == 0 {
                if self.interrupt.is_raised() {
                    return Err(cut_off(self.interrupt));
                }
                progress.advance(number.min(LOOK_EVERY));
            }
            let record = Record::to(&self.load.topic).value(payloads.next());
            let sent = (number % TIMED_EVERY == 0).then(Instant::now);
            open.push(self.producer.send(record).await?, sent);
            open.settle_known(latencies)?;
            if open.deliveries.len() > DELIVERIES_MAX {
                open.settle_oldest(latencies).await?;
            }
        }
        let flushed = self.producer.flush();
        tokio::select! {
            () = flushed => {}
            () = self.interrupt.raised() => return Err(cut_off(self.interrupt)),
        }
        while !open.deliveries.is_empty() {
            open.settle_oldest(latencies).await?;
        }
        Ok(())
    }
}

/// The deliveries that are waited for, oldest first. What is timed is kept apart: it is one in many.
#[derive(Default)]
struct OpenDeliveries {
    deliveries: VecDeque<Delivery>,
    /// Which of them, counted from the first of all, was sent when.
    timed: VecDeque<(u64, Instant)>,
    settled: u64,
}

impl OpenDeliveries {
    fn push(&mut self, delivery: Delivery, sent: Option<Instant>) {
        if let Some(sent) = sent {
            let number = self.settled + self.deliveries.len() as u64;
            self.timed.push_back((number, sent));
        }
        self.deliveries.push_back(delivery);
    }

    /// Without waiting, so that a timed record is looked at soon after it arrived.
    fn settle_known(&mut self, latencies: &mut Latencies) -> Result<(), Failure> {
        while let Some(result) = self.deliveries.front().and_then(Delivery::try_result) {
            result?;
            self.deliveries.pop_front();
            self.settled(latencies);
        }
        Ok(())
    }

    async fn settle_oldest(&mut self, latencies: &mut Latencies) -> Result<(), Failure> {
        if let Some(delivery) = self.deliveries.pop_front() {
            delivery.await?;
            self.settled(latencies);
        }
        Ok(())
    }

    fn settled(&mut self, latencies: &mut Latencies) {
        if let Some((number, sent)) = self.timed.front()
            && *number == self.settled
        {
            latencies.record(sent.elapsed());
            self.timed.pop_front();
        }
        self.settled += 1;
    }
}
