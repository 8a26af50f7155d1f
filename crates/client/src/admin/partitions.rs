//! What only the leader of a partition knows or does: who writes to it, and cutting off its start.

use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_producers_response::ProducerState;
use kafka_protocol::messages::{
    DeleteRecordsRequest, DeleteRecordsResponse, DescribeProducersRequest,
    DescribeProducersResponse,
};
use milena_codec::{ApiKey, ErrorCode};
use milena_connection::Target;

use super::Admin;
use super::call::{AdminRequest, Errors, Item, Naming, only};
use super::topics::{millis, topic_name};
use crate::error::Error;

/// A producer that the leader of a partition remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActiveProducer {
    /// Its id.
    pub producer_id: i64,
    /// Its newest epoch.
    pub producer_epoch: i32,
    /// The sequence of its last record; `None` if it has written only markers.
    pub last_sequence: Option<i32>,
    /// When it last wrote, in milliseconds since 1970.
    pub last_timestamp: i64,
    /// The first offset of its open transaction, which holds readers of committed records back;
    /// `None` without one.
    pub transaction_start_offset: Option<i64>,
}

impl AdminRequest for DescribeProducersRequest {
    fn errors(_: &DescribeProducersResponse) -> Errors<'_> {
        Errors::PerItem
    }

    fn throttle_ms(response: &DescribeProducersResponse) -> i32 {
        response.throttle_time_ms
    }
}

impl AdminRequest for DeleteRecordsRequest {
    fn errors(_: &DeleteRecordsResponse) -> Errors<'_> {
        Errors::PerItem
    }

    fn throttle_ms(response: &DeleteRecordsResponse) -> i32 {
        response.throttle_time_ms
    }
}

impl Admin {
    /// The producers that the leader of a partition remembers, among them those whose open
    /// transactions hold readers back.
    ///
    /// # Errors
    /// [`Error::Broker`], such as UNKNOWN_TOPIC_OR_PARTITION, and errors of the request.
    ///
    /// # Cancel safety
    /// Cancel safe: it only reads.
    #[doc(alias = "describeProducers")]
    pub async fn describe_producers(
        &self,
        topic: &str,
        partition: i32,
    ) -> Result<Vec<ActiveProducer>, Error> {
        let build = |topics: &[String]| {
            let wanted = |topic: &String| {
                TopicRequest::default()
                    .with_name(topic_name(topic))
                    .with_partition_indexes(vec![partition])
            };
            DescribeProducersRequest::default().with_topics(topics.iter().map(wanted).collect())
        };
        let read = |response: DescribeProducersResponse| {
            let mut items = Vec::new();
            for topic in response.topics {
                let name = topic.name.to_string();
                items.extend(
                    topic
                        .partitions
                        .into_iter()
                        .filter(|described| described.partition_index == partition)
                        .map(|described| Item {
                            name: name.clone(),
                            code: described.error_code,
                            message: described.error_message.map(|text| text.to_string()),
                            value: described.active_producers,
                        }),
                );
            }
            items
        };
        let producers = self.ask_leader(topic, partition, build, read).await?;
        Ok(producers.iter().map(active).collect())
    }

    /// Deletes the records of a partition below `before_offset`, or all of them up to the high
    /// watermark for `None`. Gives the first offset that is left.
    ///
    /// # Errors
    /// [`Error::Broker`], such as OFFSET_OUT_OF_RANGE beyond the high watermark, and errors of the
    /// request; [`Error::Misuse`] for an offset below 0.
    ///
    /// # Cancel safety
    /// Dropped early, the records may or may not be deleted; calling it again is harmless.
    #[doc(alias = "deleteRecords")]
    pub async fn delete_records(
        &self,
        topic: &str,
        partition: i32,
        before_offset: Option<i64>,
    ) -> Result<i64, Error> {
        // On the wire -1 means all there is.
        if let Some(offset) = before_offset.filter(|offset| *offset < 0) {
            return Err(Error::misuse(format!("offset {offset} is negative")));
        }
        let build = |topics: &[String]| {
            let wanted = |topic: &String| {
                let cut = DeleteRecordsPartition::default()
                    .with_partition_index(partition)
                    .with_offset(before_offset.unwrap_or(-1));
                DeleteRecordsTopic::default()
                    .with_name(topic_name(topic))
                    .with_partitions(vec![cut])
            };
            DeleteRecordsRequest::default()
                .with_topics(topics.iter().map(wanted).collect())
                .with_timeout_ms(millis(self.config.request_timeout))
        };
        let read = |response: DeleteRecordsResponse| {
            let mut items = Vec::new();
            for topic in response.topics {
                let name = topic.name.to_string();
                items.extend(
                    topic
                        .partitions
                        .into_iter()
                        .filter(|deleted| deleted.partition_index == partition)
                        .map(|deleted| Item {
                            name: name.clone(),
                            code: deleted.error_code,
                            message: None,
                            value: deleted.low_watermark,
                        }),
                );
            }
            items
        };
        self.ask_leader(topic, partition, build, read).await
    }

    /// A request to the leader of a partition that exists: looking for the leader of one that does not
    /// would wait for it to appear.
    async fn ask_leader<R: AdminRequest, T>(
        &self,
        topic: &str,
        partition: i32,
        build: impl Fn(&[String]) -> R,
        read: impl Fn(R::Response) -> Vec<Item<T>>,
    ) -> Result<T, Error> {
        let mut repetition = self.repetition();
        let naming = Naming::Partition(partition);
        let names = [topic.to_owned()];
        let described = self.describe_each(&mut repetition, &names).await?;
        let described = only(described, ApiKey::Metadata)?;
        let exists = described
            .partitions
            .iter()
            .any(|described| described.partition == partition);
        if !exists {
            let code = ErrorCode::UnknownTopicOrPartition;
            return Err(Error::partition(
                code,
                R::API,
                None,
                topic.into(),
                partition,
            ));
        }
        let target = Target::Leader {
            topic: topic.into(),
            partition,
        };
        let each = self
            .ask_each(&mut repetition, &target, naming, &names, build, read)
            .await?;
        only(each, R::API)
    }
}

fn active(state: &ProducerState) -> ActiveProducer {
    let start = state.current_txn_start_offset;
    ActiveProducer {
        producer_id: state.producer_id.0,
        producer_epoch: state.producer_epoch,
        last_sequence: (state.last_sequence >= 0).then_some(state.last_sequence),
        last_timestamp: state.last_timestamp,
        transaction_start_offset: (start >= 0).then_some(start),
    }
}

#[cfg(test)]
mod tests {
    use milena_connection::test_support::Network;

    use super::*;
    use crate::config::ClientBuilder;

    #[tokio::test(start_paused = true)]
    async fn an_offset_below_zero_deletes_nothing() {
        // On the wire -1 would delete all there is.
        let network = Network::new();
        network.refuse("boot:9092", std::io::ErrorKind::ConnectionRefused);
        let config = ClientBuilder::new(["boot:9092"]).config().unwrap();
        let admin = Admin::with_connector(config, network.connector()).unwrap();
        for offset in [-1, -2, i64::MIN] {
            let error = admin.delete_records("t", 0, Some(offset)).await;
            let error = error.unwrap_err();
            assert!(matches!(error, Error::Misuse { .. }), "{error:?}");
        }
    }
}
