//! More partitions for a topic.

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use milena_connection::Target;

use super::Admin;
use super::call::{AdminRequest, Errors, Item, Naming};
use super::topics::{millis, topic_name};
use crate::error::Error;

impl AdminRequest for CreatePartitionsRequest {
    fn errors(_: &CreatePartitionsResponse) -> Errors<'_> {
        Errors::PerItem
    }

    fn throttle_ms(response: &CreatePartitionsResponse) -> i32 {
        response.throttle_time_ms
    }
}

impl Admin {
    /// Raises the number of partitions of these topics to `partitions`, which counts those that are there. The brokers
    /// place the new ones.
    ///
    /// Records with a key go to another partition from then on, as the partitioner divides by the number of partitions.
    ///
    /// # Errors
    /// Of the request as a whole; errors of one topic are in its result, such as INVALID_PARTITIONS for fewer partitions
    /// than there are or as many, and UNKNOWN_TOPIC_OR_PARTITION. With an unknown outcome they may have been added.
    ///
    /// # Cancel safety
    /// Dropped early, the partitions may or may not be added.
    #[doc(alias = "createPartitions")]
    pub async fn create_partitions<N: AsRef<str>>(
        &self,
        topics: &[(N, i32)],
    ) -> Result<Vec<(String, Result<(), Error>)>, Error> {
        let build = |names: &[String]| {
            let wanted = topics
                .iter()
                .filter(|(name, _)| names.iter().any(|left| left == name.as_ref()));
            let topics = wanted.map(|(name, partitions)| {
                CreatePartitionsTopic::default()
                    .with_name(topic_name(name.as_ref()))
                    .with_count(*partitions)
                    .with_assignments(None)
            });
            CreatePartitionsRequest::default()
                .with_topics(topics.collect())
                .with_timeout_ms(millis(self.config.request_timeout))
        };
        let read = |response: CreatePartitionsResponse| {
            let item = |topic: CreatePartitionsTopicResult| Item {
                name: topic.name.to_string(),
                code: topic.error_code,
                message: topic.error_message.map(|text| text.to_string()),
                value: (),
            };
            response.results.into_iter().map(item).collect()
        };
        let names: Vec<_> = topics
            .iter()
            .map(|(name, _)| name.as_ref().to_owned())
            .collect();
        let (mut repetition, target) = (self.repetition(), Target::Controller);
        self.ask_each(&mut repetition, &target, Naming::Topic, &names, build, read)
            .await
    }
}
