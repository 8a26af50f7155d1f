//! Who writes to a partition.

use kafka_protocol::messages::DescribeProducersRequest;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_producers_response::ProducerState;
use milena_codec::ErrorCode;
use milena_connection::Target;

use super::Admin;
use super::call::Answered;
use super::topics::topic_name;
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

impl Admin {
    /// The producers that the leader of a partition remembers, among them those whose open
    /// transactions hold readers back.
    ///
    /// # Errors
    /// [`Error::Broker`], such as UNKNOWN_TOPIC_OR_PARTITION, and errors of the request.
    ///
    /// # Cancel safety
    /// Cancel safe: it only reads.
    pub async fn describe_producers(
        &self,
        topic: &str,
        partition: i32,
    ) -> Result<Vec<ActiveProducer>, Error> {
        let wanted = TopicRequest::default()
            .with_name(topic_name(topic))
            .with_partition_indexes(vec![partition]);
        let request = DescribeProducersRequest::default().with_topics(vec![wanted]);
        let mut attempts = self.attempts();
        loop {
            let target = Target::Leader {
                topic: topic.into(),
                partition,
            };
            let Answered { response, broker } =
                self.ask(target, request.clone(), &mut attempts).await?;
            let mut partitions = response
                .topics
                .into_iter()
                .flat_map(|topic| topic.partitions);
            let Some(answer) = partitions.find(|answer| answer.partition_index == partition) else {
                let cause = std::io::Error::other("the answer leaves the partition out");
                let cause = std::sync::Arc::new(cause);
                let request = "DescribeProducers";
                return Err(Error::Malformed {
                    request,
                    broker,
                    cause,
                });
            };
            let code = ErrorCode::from(answer.error_code);
            if code.is_none() {
                return Ok(answer.active_producers.iter().map(active).collect());
            }
            self.cluster.mark_stale(topic);
            let request = "DescribeProducers";
            let error = Error::partition(code, request, broker, topic.into(), partition);
            attempts.again_after(error).await?;
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
