//! Topics and transactions, looked at and changed.
//!
//! Thin: each method is one kind of request, repeated for 60 s while nothing was changed and the cause passes; a broker's
//! throttle time is waited for. Methods that take several names return one result per name, in the
//! order of the names: one missing topic does not hide the others.

pub mod acls;
mod call;
mod partition_counts;
mod partitions;
mod topics;
mod transactions;

use std::sync::Arc;
use std::time::Duration;

use milena_connection::{Cluster, Connector, TcpConnector};

use crate::client::Client;
use crate::config::ClientConfig;
use crate::error::Error;

pub use partitions::ActiveProducer;
pub use topics::{
    CreatedTopic, NewTopic, TopicDescription, TopicListing, TopicPartitionDescription,
};
pub use transactions::{TransactionDescription, TransactionListing};

/// How long one method may take with all its repetitions: Kafka's `default.api.timeout.ms`.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(60);

/// Looks at topics and transactions, creates and deletes topics.
///
/// Cheap to clone; the clones share connections.
#[derive(Clone, Debug)]
#[doc(alias = "AdminClient")]
#[doc(alias = "KafkaAdminClient")]
pub struct Admin {
    cluster: Cluster,
    config: Arc<ClientConfig>,
}

impl Admin {
    /// An admin client that speaks TCP. Nothing is sent before the first call.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the settings cannot work, [`Error::Misuse`] outside a runtime.
    pub fn new(config: ClientConfig) -> Result<Self, Error> {
        Self::with_connector(config, Arc::new(TcpConnector::default()))
    }

    /// An admin client on a transport of the caller's.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_connector(
        config: ClientConfig,
        connector: Arc<dyn Connector>,
    ) -> Result<Self, Error> {
        Ok(Self::on(&Client::with_connector(config, connector)?))
    }

    /// An admin handle of this client.
    pub(crate) fn on(client: &Client) -> Self {
        Self {
            cluster: client.handle(),
            config: Arc::clone(client.shared_config()),
        }
    }

    /// Closes this handle, for all its clones; calls on them that are under way fail. The connections close with
    /// the last handle of the client.
    ///
    /// # Cancel safety
    /// Dropped early, the connections close in the background.
    pub async fn close(self) {
        self.cluster.close().await;
    }
}

#[cfg(test)]
mod tests;
