//! What only the leader of a partition knows or does: who writes to it, and cutting off its start.

use std::sync::Arc;

use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_producers_response::ProducerState;
use kafka_protocol::messages::{DeleteRecordsRequest, DescribeProducersRequest};
use milena_codec::{ApiKey, ErrorCode};
use milena_connection::Target;

use super::Admin;
use super::call::{Answered, Attempts};
use super::topics::{millis, topic_name};
use crate::error::Error;
use crate::runtime::now;

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
        let mut at = self
            .leader(ApiKey::DescribeProducers, topic, partition)
            .await?;
        let wanted = TopicRequest::default()
            .with_name(topic_name(topic))
            .with_partition_indexes(vec![partition]);
        let request = DescribeProducersRequest::default().with_topics(vec![wanted]);
        loop {
            let Answered { response, broker } = self
                .ask(at.target(), request.clone(), &mut at.attempts)
                .await?;
            let mut answers = response
                .topics
                .into_iter()
                .flat_map(|topic| topic.partitions);
            let answer = answers.find(|answer| answer.partition_index == partition);
            let answer = answer.ok_or_else(|| at.left_out(broker))?;
            if at.is_done(self, answer.error_code, broker).await? {
                return Ok(answer.active_producers.iter().map(active).collect());
            }
        }
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
            return Err(Error::misuse(format!(
                "{offset} is no offset: they begin with 0"
            )));
        }
        let mut at = self.leader(ApiKey::DeleteRecords, topic, partition).await?;
        let cut = DeleteRecordsPartition::default()
            .with_partition_index(partition)
            .with_offset(before_offset.unwrap_or(-1));
        let wanted = DeleteRecordsTopic::default()
            .with_name(topic_name(topic))
            .with_partitions(vec![cut]);
        let request = DeleteRecordsRequest::default()
            .with_topics(vec![wanted])
            .with_timeout_ms(millis(self.config.request_timeout));
        loop {
            let Answered { response, broker } = self
                .ask(at.target(), request.clone(), &mut at.attempts)
                .await?;
            let mut answers = response
                .topics
                .into_iter()
                .flat_map(|topic| topic.partitions);
            let answer = answers.find(|answer| answer.partition_index == partition);
            let answer = answer.ok_or_else(|| at.left_out(broker))?;
            if at.is_done(self, answer.error_code, broker).await? {
                return Ok(answer.low_watermark);
            }
        }
    }

    /// A request to the leader of a partition that exists: asking for the leader of one that does
    /// not would wait for it to appear.
    async fn leader(
        &self,
        request: ApiKey,
        topic: &str,
        partition: i32,
    ) -> Result<AtLeader, Error> {
        let at = AtLeader {
            request,
            topic: topic.into(),
            partition,
            attempts: self.attempts(),
        };
        for (_, described) in self.describe_topics(&[topic]).await? {
            let partitions = described?.partitions;
            if !partitions
                .iter()
                .any(|described| described.partition == partition)
            {
                return Err(at.refused(ErrorCode::UnknownTopicOrPartition, None));
            }
        }
        // From here on it is tracked, and its leader known.
        self.cluster
            .topic(topic, now() + self.config.request_timeout)
            .await?;
        Ok(at)
    }
}

/// A request on its way to the leader of a partition, wherever that moves.
struct AtLeader {
    request: ApiKey,
    topic: Arc<str>,
    partition: i32,
    attempts: Attempts,
}

impl AtLeader {
    fn target(&self) -> Target {
        Target::Leader {
            topic: Arc::clone(&self.topic),
            partition: self.partition,
        }
    }

    /// Whether the leader did it; false after a pause if another attempt is worth it.
    async fn is_done(
        &mut self,
        admin: &Admin,
        code: i16,
        broker: Option<i32>,
    ) -> Result<bool, Error> {
        let code = ErrorCode::from(code);
        if code.is_none() {
            return Ok(true);
        }
        admin.cluster.mark_stale(&self.topic);
        let error = self.refused(code, broker);
        self.attempts.again_after(error).await?;
        Ok(false)
    }

    fn refused(&self, code: ErrorCode, broker: Option<i32>) -> Error {
        Error::partition(
            code,
            self.request,
            broker,
            Arc::clone(&self.topic),
            self.partition,
        )
    }

    fn left_out(&self, broker: Option<i32>) -> Error {
        let cause = std::io::Error::other("the answer leaves the partition out");
        Error::Malformed {
            request: self.request,
            broker,
            cause: Arc::new(cause),
        }
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
