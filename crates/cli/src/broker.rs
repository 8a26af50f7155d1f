//! `milena broker`: the embedded broker on ports, until Ctrl-C.

mod control;

use std::net::IpAddr;

use control::Control;
use milena_broker::{Broker, BrokerBuilder, StartError};

use crate::connect::Connect;
use crate::failure::{Failure, chain};
use crate::interrupt::Interrupt;
use crate::output::{Output, note};

/// Said at every start, so that nobody takes it for more than it is.
const LIMITS: &str = "an embedded broker in one process: everything is in memory and gone at the end; no \
     replication, quotas, TLS or SASL";

/// What to serve, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    listen: IpAddr,
    /// The first broker's port, the others' follow; with 0 the system chooses them.
    #[arg(long, default_value_t = 9092)]
    port: u16,
    /// The host that clients are told to connect to; the address listened on if unset.
    #[arg(long, value_name = "HOST")]
    advertised_host: Option<String>,
    /// Virtual brokers, each on a port of its own; they share one state.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=100))]
    brokers: i32,
    /// A topic to create, with one partition unless it says more. Repeatable.
    #[arg(long = "topic", value_name = "NAME[:PARTITIONS]", value_parser = topic)]
    topics: Vec<(String, i32)>,
    /// Topics have to be created: asking for one that is not there does not.
    #[arg(long)]
    no_auto_create: bool,
    /// A setting of all brokers by Kafka's name, as in server.properties: num.partitions=4. Repeatable.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    /// Also open a control port on loopback, for tests in other languages: faults, clock, moves, records and history over
    /// HTTP with JSON; with 0 the system chooses it. Its address is the second line of the output.
    #[arg(long, value_name = "PORT")]
    control_port: Option<u16>,
    /// The cluster's finalized transaction.version.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(i16).range(0..=2))]
    transaction_version: i16,
    /// MiB of records that all topics together may hold; then Produce is refused, clearly.
    #[arg(long, default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    memory_mib: u32,
}

/// Entries of the history that the control port returns.
const HISTORY: usize = 1 << 16;
/// Without a control port nothing reads it.
const NO_HISTORY: usize = 1;

fn topic(text: &str) -> Result<(String, i32), String> {
    let (name, partitions) = match text.rsplit_once(':') {
        None => (text, 1),
        Some((name, partitions)) => {
            let number = partitions.parse().ok().filter(|number| *number > 0);
            (name, number.ok_or("write NAME or NAME:PARTITIONS")?)
        }
    };
    Ok((name.to_owned(), partitions))
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

impl Args {
    fn builder(self) -> Result<BrokerBuilder, Failure> {
        let host = match self.advertised_host {
            Some(host) => host,
            None if self.listen.is_unspecified() => {
                return Err(Failure::Usage(format!(
                    "--listen {} needs --advertised-host: clients cannot connect to it",
                    self.listen
                )));
            }
            None => self.listen.to_string(),
        };
        let others = u16::try_from(self.brokers - 1).unwrap_or(u16::MAX);
        if self.port != 0 && self.port.checked_add(others).is_none() {
            return Err(Failure::Usage(format!(
                "--port {} leaves too few ports for --brokers {}",
                self.port, self.brokers
            )));
        }
        let memory = usize::try_from(u64::from(self.memory_mib) << 20).unwrap_or(usize::MAX);
        let builder = Broker::builder()
            .listen(self.listen, self.port)
            .advertised_host(host)
            .brokers(self.brokers)
            .transaction_version(self.transaction_version)
            .auto_create_topics(!self.no_auto_create)
            .log_bytes_max(memory)
            .history_capacity(if self.control_port.is_some() {
                HISTORY
            } else {
                NO_HISTORY
            });
        let settings = self.settings.iter();
        let builder = settings.fold(builder, |builder, (name, value)| {
            builder.setting(name, value)
        });
        let topics = self.topics.into_iter();
        Ok(topics.fold(builder, |builder, (name, partitions)| {
            builder.topic(name, partitions)
        }))
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::Said(chain(&error))
    }
}

pub(crate) async fn run(
    connect: &Connect,
    args: Args,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    connect.is_not_for("broker")?;
    let control_port = args.control_port;
    let broker = args.builder()?.start().await?;
    let mut output = Output::stdout();
    output.line(&broker.bootstrap())?;
    let Some(port) = control_port else {
        output.flush()?;
        note(LIMITS);
        interrupt.raised().await;
        return Ok(());
    };
    let opened = control::open(port).await;
    let (listener, address) = opened.map_err(|error| Failure::Io {
        what: format!("the control port {port} cannot be opened"),
        error,
    })?;
    output.line(&format!("http://{address}"))?;
    output.flush()?;
    note(LIMITS);
    tokio::select! {
        () = control::serve(Control::new(broker), listener) => {}
        () = interrupt.raised() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_a_name_and_perhaps_a_number_of_partitions() {
        assert_eq!(topic("orders"), Ok(("orders".to_owned(), 1)));
        assert_eq!(topic("orders:12"), Ok(("orders".to_owned(), 12)));
        for wrong in ["orders:", "orders:0", "orders:-1", "orders:many"] {
            assert!(topic(wrong).is_err(), "{wrong}");
        }
    }
}
