//! One file per API, named by its key: what a request means to the cluster, and what is answered.
//!
//! A handler decides nothing that the cores do not: it finds the broker's part of the state, asks, and
//! fills in the answer. Where an API waits (a long poll, a rebalance), the handler does the waiting.

mod h00_produce;
mod h01_fetch;
mod h02_list_offsets;
mod h03_metadata;
mod h08_offset_commit;
mod h09_offset_fetch;
mod h10_find_coordinator;
mod h11_join_group;
mod h12_heartbeat;
mod h13_leave_group;
mod h14_sync_group;
mod h15_describe_groups;
mod h16_list_groups;
mod h18_api_versions;
mod h19_create_topics;
mod h20_delete_topics;
mod h21_delete_records;
mod h22_init_producer_id;
mod h23_offset_for_leader_epoch;
mod h24_add_partitions_to_txn;
mod h25_add_offsets_to_txn;
mod h26_end_txn;
mod h28_txn_offset_commit;
mod h32_describe_configs;
mod h33_alter_configs;
mod h35_describe_log_dirs;
mod h37_create_partitions;
mod h42_delete_groups;
mod h44_incremental_alter_configs;
mod h47_offset_delete;
mod h55_describe_quorum;
mod h60_describe_cluster;
mod h61_describe_producers;
mod h65_describe_transactions;
mod h66_list_transactions;
mod h68_consumer_group_heartbeat;
mod h69_consumer_group_describe;
mod h74_list_config_resources;
mod h75_describe_topic_partitions;
mod waiting;
mod words;

use crate::cluster::Cluster;
use crate::cluster::nodes::ListenerIndex;
use crate::faults::Injected;
use crate::shared::Shared;
use bytes::Bytes;
use kafka_protocol::messages::BrokerId;
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use milena_codec::message::{Request, decode_request, encode_response};
use milena_codec::{DecodeError, EncodeError, ErrorCode};
use std::fmt::Debug;
use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;
use uuid::Uuid;

/// The request being handled, apart from its body.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    /// The broker that was asked.
    pub(crate) broker_id: i32,
    /// The listener that the client came by.
    pub(crate) listener: ListenerIndex,
    pub(crate) api_version: i16,
    pub(crate) client_id: Option<Arc<str>>,
    /// Where the client is, as DescribeGroups tells it.
    pub(crate) client_host: Arc<str>,
    /// What the script wants answered for single partitions.
    pub(crate) injected: Injected,
}

/// What a handler makes of a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply<R> {
    Answer(R),
    /// The client expects no answer.
    Silence,
    /// The connection must end, and why.
    Close(String),
}

/// What a request is about, for scripted faults that mean only some.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject {
    /// By the topics' names.
    pub(crate) partitions: Vec<(String, i32)>,
    /// By the topics' ids, until they are looked up.
    pub(crate) partitions_by_id: Vec<(Uuid, i32)>,
    /// A fetch session, which stands for partitions too.
    pub(crate) fetch_session: Option<i32>,
    pub(crate) transactional_id: Option<String>,
    pub(crate) group_id: Option<String>,
}

impl Subject {
    /// Adds partitions of a topic that is named by its id, or by its name if that is nil.
    fn add(&mut self, name: &str, id: Uuid, partitions: impl IntoIterator<Item = i32>) {
        for partition in partitions {
            if id.is_nil() {
                self.partitions.push((name.to_owned(), partition));
            } else {
                self.partitions_by_id.push((id, partition));
            }
        }
    }

    /// Looks up what is only meant so far.
    pub(crate) fn resolve(&mut self, cluster: &mut Cluster, broker_id: i32) {
        if let Some(session_id) = self.fetch_session.take() {
            let sessions = cluster.fetch_sessions(broker_id);
            for key in sessions.partitions(session_id) {
                self.add(&key.topic, key.topic_id, [key.partition]);
            }
        }
        for (id, partition) in std::mem::take(&mut self.partitions_by_id) {
            if let Some(name) = cluster.topic_name(id) {
                self.partitions.push((name.to_string(), partition));
            }
        }
    }
}

/// An API.
pub(crate) trait Api {
    type Request: Request<Response: Encodable + Debug + Send> + Decodable + Debug + Send + Sync;

    /// The versions that are served.
    const VERSIONS: RangeInclusive<i16>;

    /// Whether errors can be answered for single partitions: see [`Context::injected`].
    const PER_PARTITION: bool = false;

    fn answer(
        context: &Context,
        request: Self::Request,
    ) -> impl Future<Output = Reply<ResponseOf<Self>>> + Send;

    /// The answer that turns the whole request away with this code.
    fn refuse(request: &Self::Request, api_version: i16, code: ErrorCode) -> ResponseOf<Self>;

    fn subject(_request: &Self::Request) -> Subject {
        Subject::default()
    }
}

pub(crate) type ResponseOf<A> = <<A as Api>::Request as Request>::Response;

/// A request being carried out; gives the answer's body.
pub(crate) type Applied<'a> =
    Pin<Box<dyn Future<Output = Result<Reply<Vec<u8>>, EncodeError>> + Send + 'a>>;

/// A request whose body has been read: it can be applied or turned away.
pub(crate) trait Call: Send + Sync {
    fn subject(&self) -> Subject;

    /// Whether [`Context::injected`] is looked at.
    fn is_per_partition(&self) -> bool;

    /// Applies the request and gives the answer's body.
    fn apply<'a>(self: Box<Self>, context: &'a Context) -> Applied<'a>;

    /// The body of an answer that turns the request away.
    fn refuse(&self, api_version: i16, code: ErrorCode) -> Result<Vec<u8>, EncodeError>;
}

struct TypedCall<A: Api>(A::Request);

impl<A: Api + 'static> Call for TypedCall<A> {
    fn subject(&self) -> Subject {
        A::subject(&self.0)
    }

    fn is_per_partition(&self) -> bool {
        A::PER_PARTITION
    }

    fn apply<'a>(self: Box<Self>, context: &'a Context) -> Applied<'a> {
        Box::pin(async move {
            let reply = A::answer(context, self.0).await;
            Ok(match reply {
                Reply::Answer(response) => {
                    Reply::Answer(encode::<A>(&response, context.api_version)?)
                }
                Reply::Silence => Reply::Silence,
                Reply::Close(reason) => Reply::Close(reason),
            })
        })
    }

    fn refuse(&self, api_version: i16, code: ErrorCode) -> Result<Vec<u8>, EncodeError> {
        encode::<A>(&A::refuse(&self.0, api_version, code), api_version)
    }
}

fn encode<A: Api>(response: &ResponseOf<A>, api_version: i16) -> Result<Vec<u8>, EncodeError> {
    let mut body = Vec::new();
    encode_response::<A::Request>(&mut body, response, api_version)?;
    Ok(body)
}

fn decode<A: Api + 'static>(
    body: Bytes,
    api_version: i16,
    shared: &Shared,
) -> Result<Box<dyn Call>, DecodeError> {
    // Bytes behind the last field are ignored, as by Kafka: librdkafka from 2.1.0 on leaves three in Metadata 9 and later
    // when it requests all topics.
    let request = decode_request::<A::Request>(body, api_version, &shared.limits)?;
    Ok(Box::new(TypedCall::<A>(request)))
}

macro_rules! apis {
    ($($key:literal => $api:ty,)*) => {
        /// Every API that is served, by its key, with its versions.
        pub(crate) fn served() -> impl Iterator<Item = (i16, RangeInclusive<i16>)> {
            [$(($key, <$api as Api>::VERSIONS),)*].into_iter()
        }

        /// Reads the body of a request.
        ///
        /// # Errors
        /// [`DecodeError`]; [`DecodeError::UnknownApi`] for an API that is not served.
        pub(crate) fn read(
            api_key: i16,
            api_version: i16,
            body: Bytes,
            shared: &Shared,
        ) -> Result<Box<dyn Call>, DecodeError> {
            match api_key {
                $($key => decode::<$api>(body, api_version, shared),)*
                api_key => Err(DecodeError::UnknownApi { api_key }),
            }
        }
    };
}

apis! {
    0 => h00_produce::Produce,
    1 => h01_fetch::Fetch,
    2 => h02_list_offsets::ListOffsets,
    3 => h03_metadata::Metadata,
    8 => h08_offset_commit::OffsetCommit,
    9 => h09_offset_fetch::OffsetFetch,
    10 => h10_find_coordinator::FindCoordinator,
    11 => h11_join_group::JoinGroup,
    12 => h12_heartbeat::Heartbeat,
    13 => h13_leave_group::LeaveGroup,
    14 => h14_sync_group::SyncGroup,
    15 => h15_describe_groups::DescribeGroups,
    16 => h16_list_groups::ListGroups,
    18 => h18_api_versions::ApiVersions,
    19 => h19_create_topics::CreateTopics,
    20 => h20_delete_topics::DeleteTopics,
    21 => h21_delete_records::DeleteRecords,
    22 => h22_init_producer_id::InitProducerId,
    23 => h23_offset_for_leader_epoch::OffsetForLeaderEpoch,
    24 => h24_add_partitions_to_txn::AddPartitionsToTxn,
    25 => h25_add_offsets_to_txn::AddOffsetsToTxn,
    26 => h26_end_txn::EndTxn,
    28 => h28_txn_offset_commit::TxnOffsetCommit,
    32 => h32_describe_configs::DescribeConfigs,
    33 => h33_alter_configs::AlterConfigs,
    35 => h35_describe_log_dirs::DescribeLogDirs,
    37 => h37_create_partitions::CreatePartitions,
    42 => h42_delete_groups::DeleteGroups,
    44 => h44_incremental_alter_configs::IncrementalAlterConfigs,
    47 => h47_offset_delete::OffsetDelete,
    55 => h55_describe_quorum::DescribeQuorum,
    60 => h60_describe_cluster::DescribeCluster,
    61 => h61_describe_producers::DescribeProducers,
    65 => h65_describe_transactions::DescribeTransactions,
    66 => h66_list_transactions::ListTransactions,
    68 => h68_consumer_group_heartbeat::ConsumerGroupHeartbeat,
    69 => h69_consumer_group_describe::ConsumerGroupDescribe,
    74 => h74_list_config_resources::ListConfigResources,
    75 => h75_describe_topic_partitions::DescribeTopicPartitions,
}

pub(crate) use h18_api_versions::unsupported_version;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn broker(broker_id: i32) -> BrokerId {
    BrokerId(broker_id)
}
