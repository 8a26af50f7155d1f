//! Where the bank is: on an embedded broker of its own, or on somebody's Kafka.

use std::sync::Arc;
use std::time::Duration;

use milena_broker::Broker;

use crate::connect::Connect;
use crate::failure::Failure;

/// After which a request is given up where answers get lost; Kafka's 30 s would outlast the demo.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_millis(300);
/// And where none does.
const CALM_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a broker looks whether the markers of the transaction before are written. Kafka's 20 ms
/// would be most of a transfer's time.
const MARKER_LOOK: Duration = Duration::from_millis(1);
const MARKER_WAIT: Duration = Duration::from_millis(100);
/// What is still unknown after this long is called so.
const GIVE_UP_MS: &str = "20000";

/// How large the embedded cluster is.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Size {
    /// Virtual brokers of the embedded cluster.
    #[arg(long, default_value_t = 3, conflicts_with = "bootstrap", value_parser = clap::value_parser!(i32).range(1..=100))]
    pub(crate) brokers: i32,
    /// The embedded cluster's finalized transaction.version.
    #[arg(long, default_value_t = 2, conflicts_with = "bootstrap", value_parser = clap::value_parser!(i16).range(0..=2))]
    pub(crate) transaction_version: i16,
}

/// Where the bank is.
#[derive(Clone, Debug)]
pub(crate) struct Venue {
    /// For tellers and the reader.
    pub(crate) connect: Connect,
    /// For whoever opens and closes the bank, whom no fault is meant for: a topic whose creation was not answered in
    /// time may be there or not, and there is no asking again.
    pub(crate) calm: Connect,
    /// `None` on somebody's Kafka.
    pub(crate) embedded: Option<Arc<Broker>>,
}

impl Venue {
    /// On the brokers that the command line names, or else on embedded ones.
    pub(crate) async fn open(connect: &Connect, size: Size, faults: bool) -> Result<Self, Failure> {
        if connect.bootstrap.is_some() {
            return Ok(Self {
                connect: connect.clone(),
                calm: connect.clone(),
                embedded: None,
            });
        }
        let broker = Broker::builder()
            .brokers(size.brokers)
            .topic_defaults(1, i16::try_from(size.brokers.min(3)).unwrap_or(1))
            .transaction_version(size.transaction_version)
            .marker_wait(MARKER_LOOK, MARKER_WAIT)
            .history_capacity(1)
            .start()
            .await?;
        let addresses = broker.addresses().join(",");
        let within = |timeout: Duration| {
            let timeout = timeout.as_millis().to_string();
            connect.to_brokers(addresses.clone(), &[("request.timeout.ms", &timeout)])
        };
        let timeout = if faults {
            REQUEST_TIMEOUT
        } else {
            CALM_TIMEOUT
        };
        Ok(Self {
            connect: within(timeout),
            calm: within(CALM_TIMEOUT),
            embedded: Some(Arc::new(broker)),
        })
    }

    /// A teller's own settings here.
    pub(crate) fn teller_settings(&self) -> &'static [(&'static str, &'static str)] {
        match self.embedded {
            Some(_) => &[
                ("delivery.timeout.ms", GIVE_UP_MS),
                ("max.block.ms", GIVE_UP_MS),
            ],
            None => &[],
        }
    }

    /// The reader's own settings here: a fetch ends well within the time that a request has.
    pub(crate) fn reader_settings(&self) -> &'static [(&'static str, &'static str)] {
        match self.embedded {
            Some(_) => &[
                ("isolation.level", "read_committed"),
                ("fetch.max.wait.ms", "100"),
            ],
            None => &[("isolation.level", "read_committed")],
        }
    }

    /// In words.
    pub(crate) fn name(&self) -> String {
        match &self.embedded {
            Some(broker) => format!("{} embedded brokers", broker.broker_ids().len()),
            None => self.connect.bootstrap().to_owned(),
        }
    }
}
