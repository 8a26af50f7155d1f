//! `milena demo`: a bank on transactions, audited while it is open.
//!
//! Tellers move money between accounts, each transfer one transaction over two partitions; every
//! fourth is aborted on purpose. A reader of committed records checks all the while that no
//! transfer is torn, none is seen twice, none that was aborted is seen, and the money stays.
//!
//! It all happens in this process, on an embedded broker, unless `--bootstrap` names a real one. With
//! `--faults` the embedded broker loses, delays and cuts what it sends, moves leaders and coordinators,
//! stops and comes back, while second instances take over tellers' seats in mid-transaction.

mod auditor;
mod faults;
mod ledger;
mod reader;
mod report;
mod storm;
mod teller;
mod venue;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use milena::admin::NewTopic;
use milena::{Admin, TransactionalProducer};

use crate::connect::Connect;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Output, note};
use auditor::{Fate, Id};
use faults::{Kind, Stage};
use ledger::{Bank, Books};
use reader::Reader;
use report::DayEnd;
use storm::{Signals, Storm, Tally};
use teller::{Day, Teller};
use venue::{Size, Venue};

/// How large the bank is, and how busy.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Accounts, all tellers together; each teller gets at least two.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    accounts: u32,
    /// Partitions that the accounts are spread over.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(i32).range(1..=1_000))]
    partitions: i32,
    /// Transfers, all tellers together.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(..=1_000_000_000))]
    transfers: u64,
    /// Transactional producers that work at the same time.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    tellers: u32,
    /// Abort every so many-th transfer on purpose; 0 for none.
    #[arg(long, default_value_t = 4)]
    abort_every: u64,
    /// What every account holds at first.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(i64).range(1..=1_000_000_000))]
    opening_balance: i64,
    /// Decides every transfer; a new one each time if unset.
    #[arg(long)]
    seed: Option<u64>,
    /// Begin no transfer after so many seconds.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Let everything go wrong that can, on the embedded brokers: requests and answers are lost, delayed,
    /// cut, refused, or done too late; leaders and coordinators move, brokers pause and restart, other
    /// instances take over.
    #[arg(long, conflicts_with = "bootstrap")]
    faults: bool,
    /// Transfers from one fault to the next.
    #[arg(long, default_value_t = 60, requires = "faults", value_parser = clap::value_parser!(u64).range(1..))]
    fault_every: u64,
    #[command(flatten)]
    size: Size,
    /// The topic to create; one with a name of its own if unset.
    #[arg(long)]
    topic: Option<String>,
    /// Leave the topic there at the end.
    #[arg(long)]
    keep: bool,
}

pub(crate) async fn run(
    connect: &Connect,
    args: Args,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    if args.accounts < 2 * args.tellers {
        return Err(Failure::Usage(format!(
            "--accounts {} are too few for --tellers {}: each needs two to move money between",
            args.accounts, args.tellers
        )));
    }
    let venue = Venue::open(connect, args.size, args.faults).await?;
    let admin = venue.calm.admin()?;
    let own = || format!("milena-bank-{:08x}", fastrand::u32(..));
    let topic = args.topic.clone().unwrap_or_else(own);
    open(&admin, &topic, args.partitions).await?;
    let outcome = business(&venue, &args, &topic, interrupt).await;
    let cleaned = if args.keep {
        Ok(())
    } else {
        delete(&admin, &topic).await
    };
    admin.close().await;
    outcome.and(cleaned)
}

/// Creates the topic and waits until every partition has a leader.
async fn open(admin: &Admin, topic: &str, partitions: i32) -> Result<(), Failure> {
    let new = NewTopic::new(topic).partitions(partitions);
    for (_, created) in admin.create_topics(&[new]).await? {
        created?;
    }
    let mut pause = Duration::from_millis(5);
    for _ in 0..12 {
        for (_, described) in admin.describe_topics(&[topic]).await? {
            let led = |topic: &milena::admin::TopicDescription| {
                topic.partitions.len() == usize::try_from(partitions).unwrap_or(0)
                    && topic
                        .partitions
                        .iter()
                        .all(|partition| partition.leader.is_some())
            };
            if described.as_ref().is_ok_and(led) {
                return Ok(());
            }
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    Err(Failure::Said(format!(
        "the partitions of {topic} have no leaders after 20 s"
    )))
}

async fn delete(admin: &Admin, topic: &str) -> Result<(), Failure> {
    for (_, deleted) in admin.delete_topics(&[topic]).await? {
        deleted?;
    }
    Ok(())
}

/// From the first transfer to the verdict.
async fn business(
    venue: &Venue,
    args: &Args,
    topic: &str,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let bank = Bank {
        accounts: args.accounts,
        tellers: args.tellers,
        partitions: args.partitions,
        opening_balance: args.opening_balance,
        abort_every: args.abort_every,
    };
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    note(format!(
        "{} tellers make {} transfers between {} accounts on {} partitions of {topic}, on {}, seed {seed}",
        args.tellers,
        args.transfers,
        args.accounts,
        args.partitions,
        venue.name()
    ));
    let reader = Reader::start(venue, topic, bank, args.transfers)?;
    let started = Instant::now();
    let opening = Opening { bank, seed };
    let work = Box::pin(stormy_day(venue, args, topic, opening, interrupt)).await;
    let elapsed = started.elapsed();
    let (days, faults) = match work {
        Ok(work) => work,
        Err(failure) => {
            reader.abandon().await;
            return Err(failure);
        }
    };
    let fates: BTreeMap<Id, Fate> = days.iter().flat_map(|day| &day.fates).map(copied).collect();
    let read = reader.finish(fates).await?;
    let end = DayEnd {
        bank,
        days: &days,
        auditor: &read.auditor,
        offsets: read.offsets,
        elapsed,
        faults,
    };
    let mut output = Output::stdout();
    output.line(&end.table())?;
    let verdict = verdict(&end, args.transfers, interrupt);
    if verdict.is_ok() {
        output.line(
            "verdict: every committed transfer was seen whole and once, no aborted one was seen, \
             and the money is all there",
        )?;
    }
    output.flush()?;
    verdict
}

fn copied((id, fate): (&Id, &Fate)) -> (Id, Fate) {
    (*id, *fate)
}

/// What every teller starts from.
#[derive(Clone, Copy)]
struct Opening {
    bank: Bank,
    seed: u64,
}

/// All tellers' work, with faults if they are asked for.
async fn stormy_day(
    venue: &Venue,
    args: &Args,
    topic: &str,
    opening: Opening,
    interrupt: &Interrupt,
) -> Result<(Vec<Day>, Option<Tally>), Failure> {
    let signals = Signals::new(args.tellers as usize);
    let tellers = tellers(venue, args, topic, opening, &signals, interrupt).await?;
    let storm = venue
        .embedded
        .as_ref()
        .filter(|_| args.faults)
        .map(|broker| {
            let stage = Stage {
                topic: topic.to_owned(),
                partitions: args.partitions,
                brokers: args.size.brokers,
                transaction_version: args.size.transaction_version,
                tellers: (0..args.tellers)
                    .map(|number| seat(topic, number))
                    .collect(),
                request_timeout: venue::REQUEST_TIMEOUT,
            };
            Storm::start(
                Arc::clone(broker),
                stage,
                opening.seed,
                args.fault_every,
                signals,
            )
        });
    let days = all_tellers(args, tellers).await;
    let mut tally = match storm {
        Some(storm) => Some(storm.end().await?),
        None => None,
    };
    let days = days?;
    if let Some(tally) = &mut tally {
        let taken_over = days.iter().map(|day| day.taken_over).sum();
        tally.insert(Kind::Takeover, taken_over);
    }
    Ok((days, tally))
}

/// A teller's transactional id.
fn seat(topic: &str, number: u32) -> String {
    format!("{topic}-teller-{number}")
}

async fn tellers(
    venue: &Venue,
    args: &Args,
    topic: &str,
    Opening { bank, seed }: Opening,
    signals: &Signals,
    interrupt: &Interrupt,
) -> Result<Vec<Teller>, Failure> {
    let closing_time = Instant::now() + Duration::from_secs(args.seconds);
    let mut tellers = Vec::new();
    for number in 0..args.tellers {
        let settings = venue.teller_settings();
        let config = venue
            .connect
            .transactional_producer(&seat(topic, number), settings)?
            .build()?;
        tellers.push(Teller {
            number: number as usize,
            topic: topic.to_owned(),
            books: Books::open(bank, number, seed),
            config: config.clone(),
            producer: TransactionalProducer::start(config).await?,
            signals: signals.clone(),
            interrupt: interrupt.clone(),
            closing_time,
        });
    }
    Ok(tellers)
}

async fn all_tellers(args: &Args, tellers: Vec<Teller>) -> Result<Vec<Day>, Failure> {
    let count = u64::from(args.tellers);
    let mut at_work = Vec::new();
    for (number, teller) in (0_u64..).zip(tellers) {
        let share = args.transfers / count + u64::from(number < args.transfers % count);
        at_work.push(tokio::spawn(teller.work(share)));
    }
    let mut days = Vec::new();
    for teller in at_work {
        let day = teller.await;
        days.push(day.map_err(|error| Failure::Said(format!("a teller vanished: {error}")))?);
    }
    Ok(days)
}

/// Whether the day was good: nothing wrong was seen, and nobody went home early.
fn verdict(end: &DayEnd<'_>, transfers: u64, interrupt: &Interrupt) -> Result<(), Failure> {
    let violations = end.violations();
    if !violations.is_empty() {
        for violation in &violations {
            eprintln!("milena: {violation}");
        }
        let count = end.auditor.violations().len();
        return Err(Failure::Said(format!("verdict: {count} violations")));
    }
    if let Some(reason) = end.days.iter().find_map(|day| day.ended_by.as_ref()) {
        return Err(Failure::Said(format!(
            "nothing wrong was seen, but a teller stopped: {reason}"
        )));
    }
    let made: usize = end.days.iter().map(|day| day.fates.len()).sum();
    if interrupt.is_raised() {
        let line = format!("interrupted after {made} transfers; nothing wrong was seen");
        return Err(interrupt.cut_off(line));
    }
    let time_was_up = end.days.iter().any(|day| day.time_was_up);
    if u64::try_from(made).unwrap_or(u64::MAX) < transfers && !time_was_up {
        let line = format!("only {made} of {transfers} transfers were made: the money ran out");
        return Err(Failure::Said(line));
    }
    Ok(())
}
