//! `milena produce`: lines to records, at once or in transactions.

mod lines;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use milena::{Delivery, HeaderToWrite, Producer, Record, TransactionalProducer};

use crate::connect::Connect;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::topics::require;
use lines::Lines;

/// Deliveries that may be open before the oldest is waited for.
const DELIVERIES_MAX: usize = 10_000;
const CLOSE_WITHIN: Duration = Duration::from_secs(30);

/// What to write where.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The topic; it must exist.
    #[arg(long, short)]
    topic: String,
    /// Read from here instead of standard input.
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Split each line at the first one of these into key and value. A line without it is a record
    /// without a key.
    #[arg(long, value_name = "TEXT")]
    key_separator: Option<String>,
    /// A header on every record. Repeatable.
    #[arg(long = "header", short = 'H', value_name = "KEY=VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// The partition, from 0; by key or by load if unset.
    #[arg(long, short)]
    partition: Option<i32>,
    /// Write in transactions under this id.
    #[arg(long, value_name = "ID")]
    transactional_id: Option<String>,
    /// Records per transaction; one for all records if unset.
    #[arg(long, value_name = "RECORDS", requires = "transactional_id")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    per_transaction: Option<u64>,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(crate) async fn run(
    connect: &Connect,
    args: Args,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let lines = lines::read(args.file.as_deref()).map_err(|error| Failure::Io {
        what: "the file cannot be read",
        error,
    })?;
    match &args.transactional_id {
        None => plainly(connect, &args, lines, interrupt).await,
        Some(id) => in_transactions(connect, &args, id, lines, interrupt).await,
    }
}

/// A line as a record.
fn record<'a>(args: &'a Args, headers: &'a [HeaderToWrite<'a>], line: &'a [u8]) -> Record<'a> {
    let (key, value) = split(line, args.key_separator.as_deref());
    let mut record = Record::to(&args.topic).value(value).headers(headers);
    record.key = key;
    record.partition = args.partition;
    record
}

fn split<'a>(line: &'a [u8], separator: Option<&str>) -> (Option<&'a [u8]>, &'a [u8]) {
    let Some(separator) = separator.map(str::as_bytes).filter(|text| !text.is_empty()) else {
        return (None, line);
    };
    let at = line
        .windows(separator.len())
        .position(|window| window == separator);
    let parts = at.and_then(|at| {
        let (key, rest) = line.split_at_checked(at)?;
        Some((key, rest.get(separator.len()..)?))
    });
    parts.map_or((None, line), |(key, value)| (Some(key), value))
}

fn headers(args: &Args) -> Vec<HeaderToWrite<'_>> {
    args.headers
        .iter()
        .map(|(key, value)| HeaderToWrite {
            key,
            value: Some(value.as_bytes()),
        })
        .collect()
}

async fn plainly(
    connect: &Connect,
    args: &Args,
    mut lines: Lines,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let config = connect.producer(&[])?.build()?;
    require(connect, &args.topic).await?;
    let producer = Producer::new(config)?;
    let headers = headers(args);
    let mut written = Written::default();
    let interrupted = loop {
        let batch = tokio::select! {
            batch = lines.recv() => batch,
            () = interrupt.raised() => break true,
        };
        let Some(batch) = batch else { break false };
        for line in batch? {
            let delivery = producer.send(record(args, &headers, &line)).await?;
            written.expect(delivery).await?;
        }
    };
    producer.flush().await;
    written.all().await?;
    producer.close(CLOSE_WITHIN).await?;
    let line = format!("{} records written to {}", written.records, args.topic);
    if interrupted {
        return Err(Failure::Interrupted {
            line: format!("interrupted; {line}"),
        });
    }
    eprintln!("milena: {line}");
    Ok(())
}

/// Deliveries on their way, oldest first, and how many arrived.
#[derive(Debug, Default)]
struct Written {
    open: VecDeque<Delivery>,
    records: u64,
}

impl Written {
    async fn expect(&mut self, delivery: Delivery) -> Result<(), Failure> {
        self.open.push_back(delivery);
        while self.open.len() > DELIVERIES_MAX {
            self.oldest().await?;
        }
        Ok(())
    }

    async fn oldest(&mut self) -> Result<(), Failure> {
        if let Some(delivery) = self.open.pop_front() {
            delivery.await?;
            self.records += 1;
        }
        Ok(())
    }

    async fn all(&mut self) -> Result<(), Failure> {
        while !self.open.is_empty() {
            self.oldest().await?;
        }
        Ok(())
    }
}

async fn in_transactions(
    connect: &Connect,
    args: &Args,
    id: &str,
    lines: Lines,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let config = connect.transactional_producer(id, &[])?.build()?;
    require(connect, &args.topic).await?;
    let mut producer = TransactionalProducer::start(config).await?;
    let mut source = Source {
        lines,
        ready: VecDeque::new(),
        interrupt,
    };
    let mut committed = (0_u64, 0_u64);
    let outcome = loop {
        match one_transaction(&mut producer, args, &mut source).await {
            Ok(0) => break Ok(()),
            Ok(records) => committed = (committed.0 + 1, committed.1 + records),
            Err(failure) => break Err(failure),
        }
    };
    let (transactions, records) = committed;
    let line = format!(
        "{records} records written to {} in {transactions} transactions",
        args.topic
    );
    if let Err(failure) = outcome {
        eprintln!("milena: {line} before this:");
        return Err(failure);
    }
    producer.close(CLOSE_WITHIN).await?;
    if interrupt.is_raised() {
        let line = format!("interrupted, the open transaction is aborted; {line}");
        return Err(Failure::Interrupted { line });
    }
    eprintln!("milena: {line}");
    Ok(())
}

/// Lines one by one, until they or the patience of the user end.
#[derive(Debug)]
struct Source<'a> {
    lines: Lines,
    ready: VecDeque<Vec<u8>>,
    interrupt: &'a Interrupt,
}

impl Source<'_> {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        if self.ready.is_empty() {
            let batch = tokio::select! {
                batch = self.lines.recv() => batch,
                () = self.interrupt.raised() => None,
            };
            if let Some(batch) = batch {
                self.ready = batch?.into();
            }
        }
        Ok(if self.interrupt.is_raised() {
            None
        } else {
            self.ready.pop_front()
        })
    }
}

/// Writes one transaction and gives the number of records in it; 0 if there was nothing to write,
/// or Ctrl-C came first.
async fn one_transaction(
    producer: &mut TransactionalProducer,
    args: &Args,
    source: &mut Source<'_>,
) -> Result<u64, Failure> {
    let Some(mut line) = source.next().await? else {
        return Ok(0);
    };
    let headers = headers(args);
    let transaction = producer.begin().await?;
    let mut records = 0;
    loop {
        let _delivery = transaction.send(record(args, &headers, &line)).await?;
        records += 1;
        if Some(records) == args.per_transaction {
            break;
        }
        match source.next().await? {
            Some(next) => line = next,
            None if source.interrupt.is_raised() => {
                transaction.abort().await?;
                return Ok(0);
            }
            None => break,
        }
    }
    // Refused if any record of it failed, so the deliveries need not be looked at one by one.
    transaction.commit().await?;
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_at_the_first_separator() {
        let cases = [
            ("k:v:w", Some(":"), Some("k"), "v:w"),
            ("k:v", None, None, "k:v"),
            ("kv", Some(":"), None, "kv"),
            (":v", Some(":"), Some(""), "v"),
            ("k=>v", Some("=>"), Some("k"), "v"),
            ("k:", Some(":"), Some("k"), ""),
        ];
        for (line, separator, key, value) in cases {
            let expected = (key.map(str::as_bytes), value.as_bytes());
            assert_eq!(split(line.as_bytes(), separator), expected);
        }
    }
}
