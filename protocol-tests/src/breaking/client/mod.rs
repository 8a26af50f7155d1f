//! The program that uses milena and may be stopped or killed at any moment. It prints what it is about to do
//! and what it was told, a [`Line`] at a time, and decides nothing about what is right.

mod copy;
mod produce;
mod transact;

use super::journal::{Fate, Life, Line, Role, Value};
use crate::failure::chain;
use milena::config::ProducerBuilder;
use milena::{Delivery, Error, TransactionalProducer};
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// After so long a coordinator aborts what a client left open.
pub const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(6);

/// An answer that takes longer is a lost one. Short, so that black holes end within a short run.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(2_500);

/// How long a call of the application waits. Short, so that some outcomes are unknown.
const MAX_BLOCK: Duration = Duration::from_secs(8);

/// How long the end of a client may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(20);

const BACKOFF: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_millis(400);

/// What one client process has to do.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Assignment {
    /// What it does.
    pub role: Role,
    /// Which process it is.
    pub life: Life,
    /// Where it writes; the transactional id is the same word.
    pub topic: String,
    /// Where it reads, if it does; the group is the same word.
    pub input: Option<String>,
    /// How many partitions both have.
    pub partitions: i32,
    /// The proxies.
    pub bootstrap: Vec<String>,
    /// What its choices are drawn from.
    pub seed: u64,
}

/// Does what the assignment (JSON) says until SIGTERM comes, then finishes what was begun.
///
/// # Errors
///
/// Why it could not begin.
pub fn run(assignment: &str) -> Result<(), String> {
    let assignment = serde_json::from_str(assignment).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(live(assignment))
}

async fn live(assignment: Assignment) -> Result<(), String> {
    let terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut client = Client {
        values: 0,
        transactions: 0,
        random: fastrand::Rng::with_seed(assignment.seed ^ u64::from(assignment.life)),
        terminate,
        terminated: false,
        assignment,
    };
    let ended = match client.assignment.role {
        Role::Copy => copy::run(&mut client).await,
        Role::Produce => produce::run(&mut client).await,
        Role::Transact => transact::run(&mut client).await,
    };
    say(&match ended {
        Ok(()) => Line::Done,
        Err(error) => Line::GivesUp(chain(&error)),
    });
    Ok(())
}

/// What all roles need.
#[derive(Debug)]
struct Client {
    assignment: Assignment,
    values: u32,
    transactions: u32,
    random: fastrand::Rng,
    terminate: Signal,
    terminated: bool,
}

impl Client {
    fn next_value(&mut self) -> Value {
        self.values += 1;
        u64::from(self.assignment.life) << 32 | u64::from(self.values)
    }

    fn next_transaction(&mut self) -> u32 {
        self.transactions += 1;
        let transaction = self.transactions;
        say(&Line::Begin { transaction });
        transaction
    }

    /// Waits, unless it is or becomes time to end; says whether it is.
    async fn is_over_after(&mut self, pause: Duration) -> bool {
        if !self.terminated {
            tokio::select! {
                _ = self.terminate.recv() => self.terminated = true,
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.terminated
    }

    fn builder(&self) -> ProducerBuilder {
        ProducerBuilder::new(self.assignment.bootstrap.clone())
            .request_timeout(REQUEST_TIMEOUT)
            .connect_timeout(REQUEST_TIMEOUT)
            .max_block(MAX_BLOCK)
            .linger(Duration::from_millis(2))
            .retry_backoff(BACKOFF, BACKOFF_MAX)
            .reconnect_backoff(BACKOFF, BACKOFF_MAX)
    }

    async fn transactional(&self) -> Result<TransactionalProducer, Error> {
        let builder = self
            .builder()
            .transactional_id(self.assignment.topic.as_str())
            .transaction_timeout(TRANSACTION_TIMEOUT);
        let producer = TransactionalProducer::start(builder.build()?).await?;
        say(&Line::Note("has the transactional id".to_owned()));
        Ok(producer)
    }
}

/// Prints a line in one piece. Without a reader there is no point in going on.
fn say(line: &Line) {
    let mut text = serde_json::to_string(line).unwrap_or_default();
    text.push('\n');
    if std::io::stdout().write_all(text.as_bytes()).is_err() {
        std::process::exit(1);
    }
}

/// Waits for the fate of a record and says it.
async fn tell_fate(value: Value, delivery: Delivery) {
    let fate = match delivery.await {
        Ok(record) => Fate::Acknowledged(record.offset),
        Err(error) => fate_of(&error),
    };
    say(&Line::Sent { value, fate });
}

fn fate_of(error: &Error) -> Fate {
    if error.is_outcome_unknown() {
        Fate::Unknown(chain(error))
    } else {
        Fate::Refused(chain(error))
    }
}
