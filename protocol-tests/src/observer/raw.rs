//! The observer that needs nothing but Rust.

use super::{Observer, Offsets, TopicDescription, TransactionDescription, reading};
use crate::Failure;
use crate::java::{Isolation, ReadRecord};
use crate::raw::{
    Coordinator, Layout, checked, create_topic, delete_topic, find_coordinator, settled, text,
    topic_name,
};
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    DeleteRecordsRequest, DescribeTransactionsRequest, GroupId, OffsetFetchRequest, TransactionalId,
};
use std::collections::BTreeMap;

const DELETE_RECORDS: i16 = 2;
const DESCRIBE_TRANSACTIONS: i16 = 0;
const OFFSET_FETCH: i16 = 8;

/// A reader by bare requests; see [`crate::raw::RawConnection`].
#[derive(Clone, Copy, Debug)]
pub struct Raw;

impl Observer for Raw {
    fn read(
        &self,
        brokers: &[String],
        topic: &str,
        isolation: Isolation,
    ) -> Result<Vec<ReadRecord>, Failure> {
        reading::read(&Layout::of(brokers, topic)?, topic, isolation)
    }

    fn end_offsets(
        &self,
        brokers: &[String],
        topic: &str,
        isolation: Isolation,
    ) -> Result<Offsets, Failure> {
        let layout = Layout::of(brokers, topic)?;
        let ends = layout.leaders.keys().map(|partition| {
            let mut leader = layout.connect_to_leader(*partition)?;
            let end = reading::end_offset(&mut leader, topic, *partition, isolation)?;
            Ok((*partition, end))
        });
        ends.collect()
    }

    fn committed_offsets(
        &self,
        brokers: &[String],
        group: &str,
        topic: &str,
    ) -> Result<Offsets, Failure> {
        let partitions: Vec<i32> = Layout::of(brokers, topic)?.leaders.into_keys().collect();
        let wanted = OffsetFetchRequestTopics::default()
            .with_name(topic_name(topic))
            .with_partition_indexes(partitions);
        let group_wanted = OffsetFetchRequestGroup::default()
            .with_group_id(GroupId(text(group)))
            .with_topics(Some(vec![wanted]));
        let request = OffsetFetchRequest::default()
            .with_groups(vec![group_wanted])
            .with_require_stable(true);
        settled("OffsetFetch", || {
            let answer = find_coordinator(brokers, Coordinator::Group, group)?
                .1
                .call(OFFSET_FETCH, &request)?;
            let mut offsets = Offsets::new();
            for group in &answer.groups {
                checked("OffsetFetch", group.error_code)?;
                for partition in group.topics.iter().flat_map(|topic| &topic.partitions) {
                    checked("OffsetFetch", partition.error_code)?;
                    if partition.committed_offset >= 0 {
                        offsets.insert(partition.partition_index, partition.committed_offset);
                    }
                }
            }
            Ok(offsets)
        })
    }

    fn create_topic(
        &self,
        brokers: &[String],
        name: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> Result<(), Failure> {
        create_topic(brokers, name, partitions, configs)
    }

    fn delete_topic(&self, brokers: &[String], name: &str) -> Result<(), Failure> {
        delete_topic(brokers, name)
    }

    fn delete_records(
        &self,
        brokers: &[String],
        topic: &str,
        before: &Offsets,
    ) -> Result<(), Failure> {
        let layout = Layout::of(brokers, topic)?;
        for (partition, offset) in before {
            let wanted = DeleteRecordsPartition::default()
                .with_partition_index(*partition)
                .with_offset(*offset);
            let wanted = DeleteRecordsTopic::default()
                .with_name(topic_name(topic))
                .with_partitions(vec![wanted]);
            let request = DeleteRecordsRequest::default()
                .with_topics(vec![wanted])
                .with_timeout_ms(30_000);
            let mut leader = layout.connect_to_leader(*partition)?;
            let answer = leader.call(DELETE_RECORDS, &request)?;
            for partition in answer.topics.iter().flat_map(|topic| &topic.partitions) {
                checked("DeleteRecords", partition.error_code)?;
            }
        }
        Ok(())
    }

    fn describe_topic(&self, brokers: &[String], name: &str) -> Result<TopicDescription, Failure> {
        let leaders: BTreeMap<i32, i32> = Layout::of(brokers, name)?.leaders;
        Ok(TopicDescription { leaders })
    }

    fn describe_transaction(
        &self,
        brokers: &[String],
        transactional_id: &str,
    ) -> Result<TransactionDescription, Failure> {
        let wanted = TransactionalId(text(transactional_id));
        let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![wanted]);
        settled("DescribeTransactions", || {
            let (broker_id, mut coordinator) =
                find_coordinator(brokers, Coordinator::Transaction, transactional_id)?;
            let answer = coordinator.call(DESCRIBE_TRANSACTIONS, &request)?;
            let state = answer.transaction_states.into_iter().next();
            let state = state.unwrap_or_default();
            checked("DescribeTransactions", state.error_code)?;
            Ok(TransactionDescription {
                state: state.transaction_state.to_string(),
                coordinator: broker_id,
                producer_id: state.producer_id.0,
                producer_epoch: state.producer_epoch.into(),
            })
        })
    }
}
