//! Records in transactions: a transaction's records are all visible or none.

use std::time::Duration;

use milena::TransactionalProducer;
use tokio::time::Instant;

use super::Args;
use super::input::{Line, Parts, Reader};
use crate::connect::Connect;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{count, note};
use crate::topics::require;

const CLOSE_WITHIN: Duration = Duration::from_secs(30);

/// What is committed.
#[derive(Clone, Copy, Debug, Default)]
struct Committed {
    transactions: u64,
    records: u64,
    /// The last line of the input that is in a committed transaction.
    last_line: u64,
}

pub(super) async fn run(
    connect: &Connect,
    args: &Args,
    id: &str,
    mut reader: Reader<'_>,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let config = connect.transactional_producer(id, &[])?.build()?;
    require(connect, &args.topic).await?;
    let mut producer = TransactionalProducer::start(config).await?;
    let mut committed = Committed {
        last_line: args.skip_lines,
        ..Committed::default()
    };
    let outcome = tokio::select! {
        outcome = all(&mut producer, args, &mut reader, interrupt, &mut committed) => outcome,
        () = interrupt.repeated() => Err(interrupt.cut_off(
            "gave up; the open transaction is aborted at its timeout or by the next start with its id, and \
             if it was being committed its outcome is unknown".to_owned(),
        )),
    };
    let line = format!(
        "{} written to {} in {}",
        count(committed.records, "record"),
        args.topic,
        count(committed.transactions, "transaction")
    );
    if let Err(failure) = outcome {
        eprintln!(
            "milena: {line} before this; unless the outcome is called unknown, go on with --skip-lines {}",
            committed.last_line
        );
        return Err(failure);
    }
    tokio::select! {
        closed = producer.close(CLOSE_WITHIN) => closed?,
        () = interrupt.repeated() => {}
    }
    if interrupt.is_raised() {
        let line = format!("interrupted, the open transaction is aborted; {line}");
        return Err(interrupt.cut_off(line));
    }
    note(line);
    Ok(())
}

/// Writes transactions until the input ends or a signal comes.
async fn all(
    producer: &mut TransactionalProducer,
    args: &Args,
    reader: &mut Reader<'_>,
    interrupt: &Interrupt,
    committed: &mut Committed,
) -> Result<(), Failure> {
    while let Some(one) = one_transaction(producer, args, reader, interrupt).await? {
        committed.transactions += 1;
        committed.records += one.records;
        committed.last_line = one.last_line;
    }
    Ok(())
}

/// A committed transaction.
struct One {
    records: u64,
    last_line: u64,
}

/// Writes and commits one transaction; `None` if there was nothing to write, or a signal came first and
/// it was aborted.
async fn one_transaction(
    producer: &mut TransactionalProducer,
    args: &Args,
    reader: &mut Reader<'_>,
    interrupt: &Interrupt,
) -> Result<Option<One>, Failure> {
    let Some(mut line) = reader.next().await? else {
        return Ok(None);
    };
    let transaction = producer.begin().await?;
    let commit_at = args
        .per_transaction
        .map(|_| Instant::now() + Duration::from_millis(args.commit_interval_ms));
    let mut one = One {
        records: 0,
        last_line: line.number,
    };
    loop {
        let parts = match parts(args, &line) {
            Ok(parts) => parts,
            Err(failure) => {
                transaction.abort().await?;
                return Err(failure);
            }
        };
        let headers = parts.headers();
        let sent = tokio::select! {
            sent = transaction.send(parts.record(&args.topic, &headers)) => Some(sent),
            () = interrupt.raised() => None,
        };
        // A record that fails later rejects the commit, so the deliveries need not be looked at one by one.
        match sent {
            Some(Ok(_delivery)) => {}
            Some(Err(error)) => return Err(error.into()),
            None => {
                transaction.abort().await?;
                return Ok(None);
            }
        }
        one.records += 1;
        one.last_line = line.number;
        if Some(one.records) == args.per_transaction {
            break;
        }
        match next_before(reader, commit_at).await? {
            Some(next) => line = next,
            None if interrupt.is_raised() => {
                transaction.abort().await?;
                return Ok(None);
            }
            None => break,
        }
    }
    transaction.commit().await?;
    Ok(Some(one))
}

/// The next line; `None` if the input ended, a signal came, or it is time to commit.
async fn next_before(
    reader: &mut Reader<'_>,
    commit_at: Option<Instant>,
) -> Result<Option<Line>, Failure> {
    let Some(commit_at) = commit_at else {
        return reader.next().await;
    };
    tokio::select! {
        biased;
        line = reader.next() => line,
        () = tokio::time::sleep_until(commit_at) => Ok(None),
    }
}

fn parts(args: &Args, line: &Line) -> Result<Parts, Failure> {
    Parts::of(args, &line.bytes).map_err(|reason| {
        Failure::Said(format!(
            "line {}: {reason}; its transaction was aborted",
            line.number
        ))
    })
}
