//! Records outside transactions: each is acknowledged, rejected or of unknown outcome by itself.

use std::collections::VecDeque;
use std::time::Duration;

use milena::{Delivery, Error, Producer, RecordMetadata};

use super::Args;
use super::input::{Parts, Reader};
use crate::connect::Connect;
use crate::failure::{Failure, chain};
use crate::interrupt::Interrupt;
use crate::output::{count, note};
use crate::topics::require;

/// Deliveries that may be open before the oldest is waited for.
const DELIVERIES_MAX: usize = 10_000;
/// Lines whose failure is printed; of more only the number is.
const FAILURES_SHOWN_MAX: usize = 20;
const CLOSE_WITHIN: Duration = Duration::from_secs(30);

pub(super) async fn run(
    connect: &Connect,
    args: &Args,
    mut reader: Reader<'_>,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let config = connect.producer(&[])?.build()?;
    require(connect, &args.topic).await?;
    let producer = Producer::new(config)?;
    let mut tally = Tally::default();
    let read = send_all(&producer, args, &mut reader, &mut tally, interrupt).await;
    let waited_for = tally.open.len();
    if interrupt.is_raised() && waited_for > 0 {
        eprintln!(
            "milena: waiting for {}; interrupt again to give up",
            count(waited_for, "record")
        );
    }
    tokio::select! {
        () = tally.settle_all() => {}
        () = interrupt.repeated() => tally.give_up(),
    }
    let closed = tokio::select! {
        closed = producer.close(CLOSE_WITHIN) => closed,
        () = interrupt.repeated() => Ok(()),
    };
    tally.report(args)?;
    read?;
    if interrupt.is_raised() {
        return Err(interrupt.cut_off(format!("interrupted; {}", tally.line(args))));
    }
    if tally.has_failures() {
        return Err(Failure::Said(tally.line(args)));
    }
    closed?;
    note(tally.line(args));
    Ok(())
}

/// Sends until the input ends, a signal comes, or a record fails and nothing says to keep going.
async fn send_all(
    producer: &Producer,
    args: &Args,
    reader: &mut Reader<'_>,
    tally: &mut Tally,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    while let Some(line) = reader.next().await? {
        let parts = match Parts::of(args, &line.bytes) {
            Ok(parts) => parts,
            Err(reason) => {
                tally.fail(line.number, reason, Fate::Rejected);
                if args.keep_going {
                    continue;
                }
                break;
            }
        };
        let headers = parts.headers();
        let sent = tokio::select! {
            sent = producer.send(parts.record(&args.topic, &headers)) => sent,
            // The record was not handed over: a dropped send leaves nothing behind.
            () = interrupt.raised() => break,
        };
        tally.last_line = line.number;
        match sent {
            Ok(delivery) => tally.open.push_back((line.number, delivery)),
            Err(error) => tally.fail_with(line.number, &error),
        }
        tally.settle_known();
        while tally.open.len() > DELIVERIES_MAX && !interrupt.is_raised() {
            tokio::select! {
                () = tally.settle_oldest() => {}
                () = interrupt.raised() => {}
            }
        }
        if tally.has_failures() && !args.keep_going {
            break;
        }
    }
    Ok(())
}

/// What became of a record that was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is certain that it was not written.
    Rejected,
    /// It may have been written.
    Unknown,
}

/// What became of the lines.
#[derive(Debug, Default)]
struct Tally {
    /// Handed to the producer, oldest first, by the number of the line.
    open: VecDeque<(u64, Delivery)>,
    written: u64,
    rejected: u64,
    unknown: u64,
    /// The first failures, in the order in which they were known.
    failures: Vec<(u64, String)>,
    /// The last line that was handed to the producer or rejected.
    last_line: u64,
}

impl Tally {
    fn has_failures(&self) -> bool {
        self.rejected + self.unknown > 0
    }

    /// Takes what is known already, without waiting.
    fn settle_known(&mut self) {
        while let Some((_, delivery)) = self.open.front() {
            let Some(result) = delivery.try_result() else {
                return;
            };
            if let Some((line, _)) = self.open.pop_front() {
                self.settle(line, result);
            }
        }
    }

    /// Waits for the oldest delivery.
    ///
    /// # Cancel safety
    /// Cancel safe: the delivery stays until its outcome is known.
    async fn settle_oldest(&mut self) {
        let Some((_, delivery)) = self.open.front_mut() else {
            return;
        };
        let result = delivery.await;
        if let Some((line, _)) = self.open.pop_front() {
            self.settle(line, result);
        }
    }

    async fn settle_all(&mut self) {
        while !self.open.is_empty() {
            self.settle_oldest().await;
        }
    }

    /// Nothing is waited for any longer: what is open may have been written.
    fn give_up(&mut self) {
        self.settle_known();
        self.unknown += self.open.len() as u64;
        self.open.clear();
    }

    fn settle(&mut self, line: u64, result: Result<RecordMetadata, Error>) {
        match result {
            Ok(_) => self.written += 1,
            Err(error) => self.fail_with(line, &error),
        }
    }

    fn fail_with(&mut self, line: u64, error: &Error) {
        let fate = match error.is_outcome_unknown() {
            true => Fate::Unknown,
            false => Fate::Rejected,
        };
        self.fail(line, chain(error), fate);
    }

    fn fail(&mut self, line: u64, reason: String, fate: Fate) {
        match fate {
            Fate::Rejected => self.rejected += 1,
            Fate::Unknown => self.unknown += 1,
        }
        self.last_line = self.last_line.max(line);
        if self.failures.len() < FAILURES_SHOWN_MAX {
            self.failures.push((line, reason));
        }
    }

    /// Prints the failed lines, and how to go on.
    fn report(&self, args: &Args) -> Result<(), Failure> {
        for (line, reason) in &self.failures {
            eprintln!("milena: line {line}: {}", reason.replace('\n', " "));
        }
        let hidden = (self.rejected + self.unknown).saturating_sub(self.failures.len() as u64);
        if hidden > 0 && self.failures.len() == FAILURES_SHOWN_MAX {
            eprintln!("milena: and {hidden} more");
        }
        if self.has_failures() && !args.keep_going {
            eprintln!(
                "milena: every line up to {0} is accounted for; go on behind it with --skip-lines {0}",
                self.last_line
            );
        }
        Ok(())
    }

    fn line(&self, args: &Args) -> String {
        let mut line = format!(
            "{} written to {}",
            count(self.written, "record"),
            args.topic
        );
        if self.rejected > 0 {
            line.push_str(&format!(", {} rejected", self.rejected));
        }
        if self.unknown > 0 {
            line.push_str(&format!(
                ", {} of unknown outcome (written or not)",
                self.unknown
            ));
        }
        line
    }
}
