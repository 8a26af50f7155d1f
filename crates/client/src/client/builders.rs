//! How the builders of handles end on a client: they start the handle.

use super::Client;
use crate::config::{ConsumerBuilder, Idempotent, ProducerBuilder, Transactional};
use crate::consumer::Consumer;
use crate::error::Error;
use crate::producer::Producer;
use crate::transaction::TransactionalProducer;

impl ProducerBuilder<Idempotent, Client> {
    /// Checks the settings and starts the producer. Nothing is sent before the first record.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for the first setting that can't work, [`Error::Misuse`] outside a tokio
    /// runtime.
    pub fn start(self) -> Result<Producer, Error> {
        let (config, client) = self.finish()?;
        Producer::start_on(&client, config)
    }
}

impl ProducerBuilder<Transactional, Client> {
    /// Checks the settings and starts the producer, as [`TransactionalProducer::start`].
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for the first setting that can't work, and as
    /// [`TransactionalProducer::start`].
    ///
    /// # Cancel safety
    ///
    /// As [`TransactionalProducer::start`].
    #[doc(alias = "initTransactions")]
    #[doc(alias = "init_transactions")]
    pub async fn start(self) -> Result<TransactionalProducer, Error> {
        let (config, client) = self.finish()?;
        TransactionalProducer::start_on(&client, config).await
    }
}

impl ConsumerBuilder<Client> {
    /// Checks the settings and starts the consumer. Nothing is sent before partitions are assigned.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for the first setting that can't work, [`Error::Misuse`] outside a tokio
    /// runtime.
    pub fn start(self) -> Result<Consumer, Error> {
        let (config, client) = self.finish()?;
        Consumer::start_on(&client, config)
    }
}
