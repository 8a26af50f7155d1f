//! milena's clients on the embedded broker, connected in memory: time is the test's.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use milena::config::{ConsumerBuilder, ProducerBuilder};
use milena::consumer::{Consumer, IsolationLevel, OffsetReset, TopicPartition};
use milena::{Producer, TransactionalProducer};
use milena_broker::{Broker, BrokerBuilder};
use milena_connection::{BoxTransport, BrokerAddress, ConnectFuture, Connector};

/// Produce's API key.
pub(crate) const PRODUCE: i16 = 0;
/// Longer than anything here takes, in the test's own time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An embedded broker and the way to it.
#[derive(Clone, Debug)]
pub(crate) struct Embedded {
    pub(crate) broker: Arc<Broker>,
}

impl Connector for Embedded {
    fn connect<'a>(&'a self, address: &'a BrokerAddress) -> ConnectFuture<'a> {
        Box::pin(async move {
            let transport: io::Result<_> = self.broker.connect(&address.host, address.port);
            Ok(Box::new(transport?) as BoxTransport)
        })
    }
}

impl Embedded {
    pub(crate) async fn start(builder: BrokerBuilder) -> Self {
        let broker = Arc::new(builder.in_memory().start().await.unwrap());
        Self { broker }
    }

    pub(crate) fn connector(&self) -> Arc<dyn Connector> {
        Arc::new(self.clone())
    }

    pub(crate) fn producer_builder(&self) -> ProducerBuilder {
        ProducerBuilder::new(self.broker.addresses())
    }

    pub(crate) fn producer(&self, builder: ProducerBuilder) -> Producer {
        Producer::with_connector(builder.build().unwrap(), self.connector()).unwrap()
    }

    pub(crate) async fn transactional(&self, id: &str) -> TransactionalProducer {
        self.transactional_with(id, |config| config).await
    }

    pub(crate) async fn transactional_with(
        &self,
        id: &str,
        change: impl FnOnce(ProducerBuilder) -> ProducerBuilder,
    ) -> TransactionalProducer {
        let builder = change(self.producer_builder());
        let config = builder.transactional_id(id).build().unwrap();
        TransactionalProducer::start_with_connector(config, self.connector())
            .await
            .unwrap()
    }

    /// A committed reader of partition 0 of a topic, from its beginning.
    pub(crate) fn reader(
        &self,
        topic: &str,
        change: impl FnOnce(ConsumerBuilder) -> ConsumerBuilder,
    ) -> Consumer {
        let builder = ConsumerBuilder::new(self.broker.addresses())
            .isolation_level(IsolationLevel::ReadCommitted)
            .offset_reset(OffsetReset::Earliest);
        let config = change(builder).build().unwrap();
        let mut consumer = Consumer::with_connector(config, self.connector()).unwrap();
        consumer.assign(&[partition(topic)]).unwrap();
        consumer
    }
}

/// Partition 0.
pub(crate) fn partition(topic: &str) -> TopicPartition {
    TopicPartition::new(topic, 0)
}

/// Reads so many values.
pub(crate) async fn values(reader: &mut Consumer, count: usize) -> Vec<String> {
    let mut values = Vec::new();
    while values.len() < count {
        let records = reader.poll(PATIENCE).await.unwrap();
        values.extend(records.iter().map(|record| text(record.value)));
    }
    values
}

pub(crate) fn text(value: Option<&[u8]>) -> String {
    String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
}
