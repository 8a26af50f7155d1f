//! Records transfers in Kafka and in a database, both or neither, wherever this process is killed (KIP-939).
//!
//! `cargo run -p milena --features two-phase-commit --example two_phase_commit -- localhost:9092 transfers ledger.txt`
//!
//! No released Apache Kafka broker takes part yet; the embedded broker of `milena-broker` does. A file that is replaced
//! at once stands for the database. With SQL, [`Ledger::commit`] is one transaction:
//!
//! ```sql
//! BEGIN;
//! INSERT INTO transfers ...;
//! UPDATE kafka_transactions SET prepared = '4711:3' WHERE transactional_id = 'transfers-1';
//! COMMIT;
//! ```

use std::path::{Path, PathBuf};
use std::{fs, io};

use milena::{PreparedTransaction, ProducerBuilder, Record, Report, TransactionalProducer};

/// The first line is the name of the transaction that the last commit goes with; the others are transfers.
struct Ledger {
    path: PathBuf,
    prepared: Option<PreparedTransaction>,
    transfers: Vec<String>,
}

impl Ledger {
    fn open(path: &Path) -> Result<Self, Report> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read?,
        };
        let mut lines = text.lines();
        let prepared = lines.next().filter(|name| !name.is_empty());
        Ok(Self {
            path: path.to_owned(),
            prepared: prepared.map(str::parse).transpose()?,
            transfers: lines.map(str::to_owned).collect(),
        })
    }

    /// The transfer and the name, or neither of them.
    fn commit(&mut self, transfer: &str, prepared: PreparedTransaction) -> io::Result<()> {
        self.prepared = Some(prepared);
        self.transfers.push(transfer.to_owned());
        let next = self.path.with_extension("next");
        fs::write(
            &next,
            format!("{prepared}\n{}\n", self.transfers.join("\n")),
        )?;
        fs::File::open(&next)?.sync_all()?;
        fs::rename(next, &self.path)
    }
}

#[tokio::main]
async fn main() -> Result<(), Report> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let (bootstrap, topic) = (argument("localhost:9092"), argument("transfers"));
    let path = PathBuf::from(argument("ledger.txt"));

    let config = ProducerBuilder::new([bootstrap])
        .transactional_id("transfers-1")
        .two_phase_commit(true)
        .build()?;
    // From the start on an earlier process can end nothing in Kafka. Only then the ledger is read, so that whatever that
    // process has decided is in it. Should two processes ever be alive at once, the ledger needs an owner, too: see
    // `start_keeping_prepared`.
    let (mut producer, left) = TransactionalProducer::start_keeping_prepared(config).await?;
    let mut ledger = Ledger::open(&path)?;
    let outcome = producer.complete(ledger.prepared.as_ref()).await?;
    println!("left by an earlier process: {left:?}, now {outcome:?}");

    for amount in 1..=10 {
        let transfer = format!("alice to bob: {amount}");
        let transaction = producer.begin().await?;
        transaction
            .send(Record::to(&topic).value(transfer.as_bytes()))
            .await?;
        let prepared = transaction.prepare().await?;
        if let Err(error) = ledger.commit(&transfer, prepared) {
            // Whether it is there or not: what the database says now is what counts.
            println!("{transfer}: {}", Report::from(error));
            ledger = Ledger::open(&path)?;
            producer.complete(ledger.prepared.as_ref()).await?;
            continue;
        }
        producer.commit_prepared().await?;
        println!("{transfer}, as {prepared}");
    }
    Ok(())
}
