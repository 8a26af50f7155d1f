//! Plays steps on one broker, and puts its answers into terms that mean the same on both.

use super::answers;
use super::step::{Answer, At, Id, Learnt, Partition, Produce, Step, Who};
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, BrokerId, DescribeProducersRequest,
    DescribeTransactionsRequest, DescribeTransactionsResponse, EndTxnRequest, FetchRequest,
    GroupId, InitProducerIdRequest, ListOffsetsRequest, OffsetCommitRequest, OffsetFetchRequest,
    ProduceRequest, ProducerId, TopicName, TransactionalId, TxnOffsetCommitRequest,
};
use milena_codec::message::Request;
use milena_codec::{
    BatchBuilder, BatchStamp, Compression, ErrorCode, ProducerEpoch, ProducerIdentity,
    RecordToWrite, Sequence,
};
use milena_protocol_tests::Failure;
use milena_protocol_tests::raw::{RawConnection, text, topic_name};
use std::time::{Duration, Instant};

/// How long an answer may be one that asks to come again.
const SETTLE_LIMIT: Duration = Duration::from_secs(30);
const SETTLE_PAUSE: Duration = Duration::from_millis(2);
/// So often is an answer asked for again that may be meant for another client.
const SPELLING_ATTEMPTS: u32 = 15;
/// An id that no broker gives out in a test.
const UNKNOWN_PRODUCER: i64 = 1 << 40;
/// A partition that no topic has.
const MISSING_PARTITION: i32 = 1_000_000;

/// What a sequence has for itself, the same on both brokers.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) topic: String,
    /// The first of its partitions.
    pub(super) partition: i32,
    /// Begins its transactional ids, and names its group.
    pub(super) name: String,
    /// The beginning of its time in milliseconds since 1970: later than every marker's.
    pub(super) time: i64,
}

impl Place {
    pub(super) fn partition(&self, partition: Partition) -> i32 {
        match partition {
            Partition::MISSING => MISSING_PARTITION,
            Partition(index) => self.partition + i32::try_from(index).unwrap(),
        }
    }

    pub(super) fn topic(&self) -> TopicName {
        topic_name(&self.topic)
    }

    pub(super) fn id(&self, id: Id) -> TransactionalId {
        TransactionalId(text(&format!("{}-{}", self.name, id.0)))
    }

    fn group(&self) -> GroupId {
        GroupId(text(&self.name))
    }
}

/// One of the two sides.
#[derive(Debug)]
pub(super) struct Player {
    connection: RawConnection,
    pub(super) place: Place,
    /// The producer ids this broker gave out, by first appearance.
    pub(super) producers: Vec<i64>,
    /// Whether CONCURRENT_TRANSACTIONS says to come again, or is a response like any other.
    waits_for_markers: bool,
}

impl Player {
    pub(super) fn new(address: &str, place: Place) -> Result<Self, Failure> {
        Ok(Self {
            connection: RawConnection::connect(address)?,
            place,
            producers: Vec::new(),
            waits_for_markers: true,
        })
    }

    /// Sends the request until its answer is a settled one.
    pub(super) fn play(&mut self, step: &Step) -> Result<Answer, Failure> {
        let answer = self.request(step)?;
        if let Step::Init { id: Some(id), .. } | Step::EndTxn { id, .. } = step {
            self.await_markers(*id)?;
        }
        Ok(answer)
    }

    /// As [`play`](Self::play), but does not wait for markers, before or after.
    pub(super) fn play_at_once(&mut self, step: &Step) -> Result<Answer, Failure> {
        self.waits_for_markers = false;
        let answer = self.request(step);
        self.waits_for_markers = true;
        answer
    }

    fn request(&mut self, step: &Step) -> Result<Answer, Failure> {
        match step {
            Step::Init {
                version,
                id,
                who,
                timeout_ms,
            } => self.init(*version, *id, *who, *timeout_ms),
            Step::Produce(produce) => self.produce(produce),
            Step::AddPartitions {
                version,
                id,
                who,
                partitions,
                verify_only,
            } => self.add_partitions(*version, *id, *who, partitions, *verify_only),
            Step::AddOffsets { version, id, who } => self.add_offsets(*version, *id, *who),
            Step::TxnOffsetCommit {
                version,
                id,
                who,
                partition,
                offset,
            } => self.txn_offset_commit(*version, *id, *who, *partition, *offset),
            Step::OffsetCommit {
                version,
                partition,
                offset,
            } => self.offset_commit(*version, *partition, *offset),
            Step::EndTxn {
                version,
                id,
                who,
                commit,
            } => self.end(*version, *id, *who, *commit),
            Step::Fetch {
                version,
                partition,
                offset,
                committed,
            } => self.fetch(*version, *partition, *offset, *committed),
            Step::ListOffsets {
                version,
                partition,
                committed,
                at,
            } => self.list_offsets(*version, *partition, *committed, *at),
            Step::OffsetFetch { version, stable } => self.offset_fetch(*version, *stable),
            Step::DescribeProducers(partition) => self.describe_producers(*partition),
            Step::DescribeTransactions(id) => {
                let answer = self.describe_transactions(*id)?;
                Ok(answers::transactions(self, &answer))
            }
        }
    }

    pub(super) fn identity(&self, who: Option<Who>) -> (ProducerId, i16) {
        let Some(who) = who else {
            return (ProducerId(-1), -1);
        };
        let id = who.producer.map_or(UNKNOWN_PRODUCER, |p| self.producers[p]);
        (ProducerId(id), who.epoch)
    }

    /// The producer with this id, in terms of both brokers.
    pub(super) fn meet(&mut self, producer_id: i64, epoch: i16) -> Who {
        let known = self
            .producers
            .iter()
            .position(|known| *known == producer_id);
        let producer = known.unwrap_or_else(|| {
            self.producers.push(producer_id);
            self.producers.len() - 1
        });
        Who {
            producer: Some(producer),
            epoch,
        }
    }

    /// Sends a request again for as long as `code` of its answer says to come again.
    pub(super) fn settled<R: Request>(
        &mut self,
        version: i16,
        request: &R,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, Failure> {
        let deadline = Instant::now() + SETTLE_LIMIT;
        loop {
            let answer = self.connection.call(version, request)?;
            let code = ErrorCode::from(code(&answer));
            let again = matches!(
                code,
                ErrorCode::CoordinatorLoadInProgress
                    | ErrorCode::CoordinatorNotAvailable
                    | ErrorCode::NotCoordinator
                    | ErrorCode::NotEnoughReplicas
                    | ErrorCode::NotLeaderOrFollower
            );
            let busy = code == ErrorCode::ConcurrentTransactions && self.waits_for_markers;
            if !(again || busy) || Instant::now() > deadline {
                return Ok(answer);
            }
            std::thread::sleep(SETTLE_PAUSE);
        }
    }

    /// Asks again while the answer may be meant for another version. That a partition is not in the
    /// transaction is INVALID_TXN_STATE to old versions and TRANSACTION_ABORTABLE to new ones (P-92), but a
    /// broker that asks its coordinator for several clients at once spells the answers to all as it does for
    /// the first of them.
    pub(super) fn spelled_right<T>(
        &mut self,
        old: bool,
        mut ask: impl FnMut(&mut Self) -> Result<(T, i16), Failure>,
    ) -> Result<T, Failure> {
        let other = match old {
            true => ErrorCode::TransactionAbortable,
            false => ErrorCode::InvalidTxnState,
        };
        let mut left = SPELLING_ATTEMPTS;
        loop {
            let (answer, code) = ask(self)?;
            left -= 1;
            if ErrorCode::from(code) != other || left == 0 {
                return Ok(answer);
            }
            std::thread::sleep(SETTLE_PAUSE);
        }
    }

    /// Waits until nothing of the id is decided and not yet carried out: what is read after it depends
    /// on no race.
    fn await_markers(&mut self, id: Id) -> Result<(), Failure> {
        let deadline = Instant::now() + SETTLE_LIMIT;
        loop {
            let answer = self.describe_transactions(id)?;
            let state = answer.transaction_states.first();
            if !state.is_some_and(|s| s.transaction_state.starts_with("Prepare")) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Failure::Late {
                    what: format!("the end of a transaction of {id:?}"),
                    limit: SETTLE_LIMIT,
                    context: format!("{answer:?}"),
                });
            }
            std::thread::sleep(SETTLE_PAUSE);
        }
    }

    fn init(
        &mut self,
        version: i16,
        id: Option<Id>,
        who: Option<Who>,
        timeout_ms: i32,
    ) -> Result<Answer, Failure> {
        let (producer_id, epoch) = self.identity(who);
        let request = InitProducerIdRequest::default()
            .with_transactional_id(id.map(|id| self.place.id(id)))
            .with_transaction_timeout_ms(timeout_ms)
            .with_producer_id(producer_id)
            .with_producer_epoch(epoch);
        let answer = self.settled(version, &request, |answer| answer.error_code)?;
        Ok(answers::identity(
            self,
            answer.error_code,
            answer.producer_id.0,
            answer.producer_epoch,
        ))
    }

    fn produce(&mut self, produce: &Produce) -> Result<Answer, Failure> {
        let (producer_id, epoch) = self.identity(produce.who);
        let mut builder = BatchBuilder::default();
        for number in 0..produce.records {
            let value = format!("{} {number}", produce.sequence);
            let record = RecordToWrite {
                timestamp: self.place.time + produce.time,
                key: None,
                value: Some(value.as_bytes()),
                headers: &[],
            };
            builder.append(&record).unwrap();
        }
        let records = builder
            .close(Compression::None)
            .unwrap()
            .to_vec(&BatchStamp {
                producer: ProducerIdentity::new(
                    milena_codec::ProducerId(producer_id.0),
                    ProducerEpoch(epoch),
                ),
                base_sequence: Sequence(produce.sequence),
                transactional: produce.transactional,
            });
        let partition = PartitionProduceData::default()
            .with_index(self.place.partition(produce.partition))
            .with_records(Some(records.into()));
        let topic = TopicProduceData::default()
            .with_name(self.place.topic())
            .with_partition_data(vec![partition]);
        let request = ProduceRequest::default()
            .with_transactional_id(produce.id.map(|id| self.place.id(id)))
            .with_acks(produce.acks)
            .with_timeout_ms(10_000)
            .with_topic_data(vec![topic]);
        let answer = self.spelled_right(produce.version < 11, |own| {
            let answer = own.settled(produce.version, &request, |answer| {
                answer.responses[0].partition_responses[0].error_code
            })?;
            let code = answer.responses[0].partition_responses[0].error_code;
            Ok((answer, code))
        })?;
        Ok(answers::produced(
            &answer.responses[0].partition_responses[0],
        ))
    }

    fn add_partitions(
        &mut self,
        version: i16,
        id: Id,
        who: Who,
        partitions: &[Partition],
        verify_only: bool,
    ) -> Result<Answer, Failure> {
        let (producer_id, epoch) = self.identity(Some(who));
        let numbers = partitions.iter().map(|p| self.place.partition(*p));
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(self.place.topic())
            .with_partitions(numbers.collect());
        let request = if version < 4 {
            AddPartitionsToTxnRequest::default()
                .with_v3_and_below_transactional_id(self.place.id(id))
                .with_v3_and_below_producer_id(producer_id)
                .with_v3_and_below_producer_epoch(epoch)
                .with_v3_and_below_topics(vec![topic])
        } else {
            let transaction = AddPartitionsToTxnTransaction::default()
                .with_transactional_id(self.place.id(id))
                .with_producer_id(producer_id)
                .with_producer_epoch(epoch)
                .with_verify_only(verify_only)
                .with_topics(vec![topic]);
            AddPartitionsToTxnRequest::default().with_transactions(vec![transaction])
        };
        let answer = self.settled(version, &request, |answer| {
            answers::added_codes(answer)
                .next()
                .map_or(0, |(_, code)| code)
        })?;
        Ok(answers::added(self, &answer))
    }

    fn add_offsets(&mut self, version: i16, id: Id, who: Who) -> Result<Answer, Failure> {
        let (producer_id, epoch) = self.identity(Some(who));
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(self.place.id(id))
            .with_producer_id(producer_id)
            .with_producer_epoch(epoch)
            .with_group_id(self.place.group());
        let answer = self.settled(version, &request, |answer| answer.error_code)?;
        Ok(answers::code(answer.error_code))
    }

    fn txn_offset_commit(
        &mut self,
        version: i16,
        id: Id,
        who: Who,
        partition: Partition,
        offset: i64,
    ) -> Result<Answer, Failure> {
        let (producer_id, epoch) = self.identity(Some(who));
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(self.place.partition(partition))
            .with_committed_offset(offset);
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(self.place.topic())
            .with_partitions(vec![partition]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(self.place.id(id))
            .with_group_id(self.place.group())
            .with_producer_id(producer_id)
            .with_producer_epoch(epoch)
            .with_generation_id(-1)
            .with_topics(vec![topic]);
        let answer = self.spelled_right(version < 4, |own| {
            let answer = own.settled(version, &request, |answer| {
                answer.topics[0].partitions[0].error_code
            })?;
            let code = answer.topics[0].partitions[0].error_code;
            Ok((answer, code))
        })?;
        Ok(answers::code(answer.topics[0].partitions[0].error_code))
    }

    fn offset_commit(
        &mut self,
        version: i16,
        partition: Partition,
        offset: i64,
    ) -> Result<Answer, Failure> {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(self.place.partition(partition))
            .with_committed_offset(offset);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(self.place.topic())
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(self.place.group())
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic]);
        let answer = self.settled(version, &request, |answer| {
            answer.topics[0].partitions[0].error_code
        })?;
        Ok(answers::code(answer.topics[0].partitions[0].error_code))
    }

    fn end(&mut self, version: i16, id: Id, who: Who, commit: bool) -> Result<Answer, Failure> {
        let (producer_id, epoch) = self.identity(Some(who));
        let request = EndTxnRequest::default()
            .with_transactional_id(self.place.id(id))
            .with_producer_id(producer_id)
            .with_producer_epoch(epoch)
            .with_committed(commit);
        let answer = self.settled(version, &request, |answer| answer.error_code)?;
        let (producer_id, epoch) = (answer.producer_id.0, answer.producer_epoch);
        let mut ended = answers::identity(self, answer.error_code, producer_id, epoch);
        if answer.error_code == 0 && producer_id < 0 {
            ended.learnt = Learnt::Ended;
        }
        Ok(ended)
    }

    fn fetch(
        &mut self,
        version: i16,
        partition: Partition,
        offset: i64,
        committed: bool,
    ) -> Result<Answer, Failure> {
        let partition = FetchPartition::default()
            .with_partition(self.place.partition(partition))
            .with_current_leader_epoch(-1)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(1 << 20);
        let topic = FetchTopic::default()
            .with_topic(self.place.topic())
            .with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_max_wait_ms(0)
            .with_min_bytes(0)
            .with_max_bytes(1 << 20)
            .with_session_epoch(-1)
            .with_isolation_level(i8::from(committed))
            .with_topics(vec![topic]);
        let answer = self.settled(version, &request, |answer| answer.error_code)?;
        Ok(answers::fetched(self, &answer))
    }

    fn list_offsets(
        &mut self,
        version: i16,
        partition: Partition,
        committed: bool,
        at: At,
    ) -> Result<Answer, Failure> {
        let timestamp = match at {
            At::Latest => -1,
            At::Earliest => -2,
            At::LargestTime => -3,
            At::Time(time) => self.place.time + time,
        };
        let partition = ListOffsetsPartition::default()
            .with_partition_index(self.place.partition(partition))
            .with_current_leader_epoch(-1)
            .with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default()
            .with_name(self.place.topic())
            .with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_isolation_level(i8::from(committed))
            .with_topics(vec![topic]);
        let answer = self.settled(version, &request, |answer| {
            answer.topics[0].partitions[0].error_code
        })?;
        Ok(answers::listed(self, &answer.topics[0].partitions[0]))
    }

    fn offset_fetch(&mut self, version: i16, stable: bool) -> Result<Answer, Failure> {
        let partitions = (0..Partition::COUNT).map(|p| self.place.partition(Partition(p)));
        let partitions: Vec<i32> = partitions.collect();
        let request = OffsetFetchRequest::default().with_require_stable(stable);
        let request = if version < 8 {
            let topic = OffsetFetchRequestTopic::default()
                .with_name(self.place.topic())
                .with_partition_indexes(partitions);
            request
                .with_group_id(self.place.group())
                .with_topics(Some(vec![topic]))
        } else {
            let topic = OffsetFetchRequestTopics::default()
                .with_name(self.place.topic())
                .with_partition_indexes(partitions);
            let group = OffsetFetchRequestGroup::default()
                .with_group_id(self.place.group())
                .with_member_epoch(-1)
                .with_topics(Some(vec![topic]));
            request.with_groups(vec![group])
        };
        let answer = self.settled(version, &request, |answer| {
            answer
                .groups
                .first()
                .map_or(answer.error_code, |g| g.error_code)
        })?;
        Ok(answers::offsets(self, &answer))
    }

    fn describe_producers(&mut self, partition: Partition) -> Result<Answer, Failure> {
        let topic = TopicRequest::default()
            .with_name(self.place.topic())
            .with_partition_indexes(vec![self.place.partition(partition)]);
        let request = DescribeProducersRequest::default().with_topics(vec![topic]);
        let answer = self.settled(0, &request, |answer| {
            answer.topics[0].partitions[0].error_code
        })?;
        Ok(answers::producers(self, &answer.topics[0].partitions[0]))
    }

    fn describe_transactions(&mut self, id: Id) -> Result<DescribeTransactionsResponse, Failure> {
        let id = self.place.id(id);
        let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![id]);
        self.settled(0, &request, |answer| {
            answer.transaction_states[0].error_code
        })
    }
}
