//! Every admin call against brokers that reject it for ever, for a while, or never respond.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::describe_producers_response::{PartitionResponse, TopicResponse};
use kafka_protocol::messages::describe_transactions_response::TransactionState;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use milena_codec::message::encode_response;
use milena_codec::{ApiKey, ErrorCode};
use milena_connection::judge;
use milena_connection::test_support::{Network, Peer};
use tokio::time::Instant;

use super::*;
use crate::config::ClientBuilder;

const BROKER: &str = "boot:9092";
const TOPIC: StrBytes = StrBytes::from_static_str("t");
const ID: StrBytes = StrBytes::from_static_str("id");

/// What the broker says to the requests that a test is about.
#[derive(Clone, Copy)]
struct Script {
    code: ErrorCode,
    throttle_ms: i32,
    /// After so many rejections it accepts.
    rejections: usize,
}

impl Script {
    fn for_ever(code: ErrorCode) -> Self {
        Self {
            code,
            throttle_ms: 0,
            rejections: usize::MAX,
        }
    }

    fn next(&mut self) -> i16 {
        if self.rejections == 0 {
            return 0;
        }
        self.rejections -= 1;
        self.code.code()
    }
}

fn admin(network: &Network) -> Admin {
    let config = ClientBuilder::new([BROKER]).config().unwrap();
    Admin::with_connector(config, network.connector()).unwrap()
}

fn metadata() -> MetadataResponse {
    let broker = MetadataResponseBroker::default()
        .with_node_id(BrokerId(1))
        .with_host(StrBytes::from_static_str("boot"))
        .with_port(9092);
    let partition = MetadataResponsePartition::default()
        .with_leader_id(BrokerId(1))
        .with_leader_epoch(1);
    let topic = MetadataResponseTopic::default()
        .with_name(Some(TopicName(TOPIC)))
        .with_partitions(vec![partition]);
    MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_controller_id(BrokerId(1))
        .with_topics(vec![topic])
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the others are not sent by these tests"
)]
fn body(api: ApiKey, version: i16, script: &mut Script) -> Vec<u8> {
    let throttle = script.throttle_ms;
    let mut out = Vec::new();
    macro_rules! respond {
        ($request:ty, $response:expr) => {
            encode_response::<$request>(&mut out, &$response, version).unwrap()
        };
    }
    match api {
        ApiKey::Metadata => respond!(MetadataRequest, metadata()),
        ApiKey::FindCoordinator => {
            let found = Coordinator::default()
                .with_key(ID)
                .with_node_id(BrokerId(1))
                .with_host(StrBytes::from_static_str("boot"))
                .with_port(9092);
            let response = FindCoordinatorResponse::default().with_coordinators(vec![found]);
            respond!(FindCoordinatorRequest, response);
        }
        ApiKey::CreateTopics => {
            let topic = CreatableTopicResult::default()
                .with_name(TopicName(TOPIC))
                .with_error_code(script.next());
            let response = CreateTopicsResponse::default()
                .with_topics(vec![topic])
                .with_throttle_time_ms(throttle);
            respond!(CreateTopicsRequest, response);
        }
        ApiKey::DeleteTopics => {
            let topic = DeletableTopicResult::default()
                .with_name(Some(TopicName(TOPIC)))
                .with_error_code(script.next());
            let response = DeleteTopicsResponse::default()
                .with_responses(vec![topic])
                .with_throttle_time_ms(throttle);
            respond!(DeleteTopicsRequest, response);
        }
        ApiKey::CreatePartitions => {
            let topic = CreatePartitionsTopicResult::default()
                .with_name(TopicName(TOPIC))
                .with_error_code(script.next());
            let response = CreatePartitionsResponse::default()
                .with_results(vec![topic])
                .with_throttle_time_ms(throttle);
            respond!(CreatePartitionsRequest, response);
        }
        ApiKey::ListTransactions => {
            let response = ListTransactionsResponse::default()
                .with_error_code(script.next())
                .with_throttle_time_ms(throttle);
            respond!(ListTransactionsRequest, response);
        }
        ApiKey::DescribeTransactions => {
            let state = TransactionState::default()
                .with_transactional_id(TransactionalId(ID))
                .with_error_code(script.next());
            let response = DescribeTransactionsResponse::default()
                .with_transaction_states(vec![state])
                .with_throttle_time_ms(throttle);
            respond!(DescribeTransactionsRequest, response);
        }
        ApiKey::DescribeProducers => {
            let partition = PartitionResponse::default().with_error_code(script.next());
            let topic = TopicResponse::default()
                .with_name(TopicName(TOPIC))
                .with_partitions(vec![partition]);
            let response = DescribeProducersResponse::default()
                .with_topics(vec![topic])
                .with_throttle_time_ms(throttle);
            respond!(DescribeProducersRequest, response);
        }
        ApiKey::DeleteRecords => {
            let partition = DeleteRecordsPartitionResult::default().with_error_code(script.next());
            let topic = DeleteRecordsTopicResult::default()
                .with_name(TopicName(TOPIC))
                .with_partitions(vec![partition]);
            let response = DeleteRecordsResponse::default()
                .with_topics(vec![topic])
                .with_throttle_time_ms(throttle);
            respond!(DeleteRecordsRequest, response);
        }
        ApiKey::DescribeAcls => {
            let response = DescribeAclsResponse::default()
                .with_error_code(script.next())
                .with_throttle_time_ms(throttle);
            respond!(DescribeAclsRequest, response);
        }
        other => panic!("{other} was not expected"),
    }
    out
}

/// A broker that serves every connection by the script.
async fn serve(network: &Network, script: Script) -> std::convert::Infallible {
    let (serving, mut served) = tokio::sync::mpsc::unbounded_channel::<Peer>();
    let script = Arc::new(std::sync::Mutex::new(script));
    let accept = async {
        loop {
            let peer = network.accept(BROKER).await;
            serving.send(peer).unwrap();
        }
    };
    let respond = async {
        loop {
            let mut peer = served.recv().await.unwrap();
            let script = Arc::clone(&script);
            tokio::spawn(async move {
                peer.handshake().await;
                while let Some(header) = peer.next_header().await {
                    let api = ApiKey::from_key(header.api_key);
                    let body = body(api, header.api_version, &mut script.lock().unwrap());
                    peer.answer_body(&header, header.correlation_id, &body)
                        .await;
                }
            });
        }
    };
    tokio::select! {
        never = accept => never,
        never = respond => never,
    }
}

/// The calls, each with the error that it ends with.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the others have no admin call"
)]
async fn call(admin: &Admin, api: ApiKey) -> Result<(), Error> {
    match api {
        ApiKey::CreateTopics => {
            let created = admin.create_topics(&[NewTopic::new("t")]).await?;
            created
                .into_iter()
                .try_for_each(|(_, result)| result.map(drop))
        }
        ApiKey::DeleteTopics => {
            let deleted = admin.delete_topics(&["t"]).await?;
            deleted.into_iter().try_for_each(|(_, result)| result)
        }
        ApiKey::CreatePartitions => {
            let raised = admin.create_partitions(&[("t", 2)]).await?;
            raised.into_iter().try_for_each(|(_, result)| result)
        }
        ApiKey::ListTransactions => admin.list_transactions::<&str>(&[]).await.map(drop),
        ApiKey::DescribeTransactions => {
            let described = admin.describe_transactions(&["id"]).await?;
            described
                .into_iter()
                .try_for_each(|(_, result)| result.map(drop))
        }
        ApiKey::DescribeProducers => admin.describe_producers("t", 0).await.map(drop),
        ApiKey::DeleteRecords => admin.delete_records("t", 0, None).await.map(drop),
        ApiKey::DescribeAcls => admin.describe_acls().await.map(drop),
        other => panic!("no admin call sends {other}"),
    }
}

const CALLS: [ApiKey; 8] = [
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::CreatePartitions,
    ApiKey::ListTransactions,
    ApiKey::DescribeTransactions,
    ApiKey::DescribeProducers,
    ApiKey::DeleteRecords,
    ApiKey::DescribeAcls,
];

async fn ended(api: ApiKey, script: Script) -> (Result<(), Error>, Duration) {
    let network = Network::new();
    let admin = admin(&network);
    let started = Instant::now();
    let result = tokio::select! {
        biased;
        result = call(&admin, api) => result,
        never = serve(&network, script) => match never {},
    };
    (result, started.elapsed())
}

#[tokio::test(start_paused = true)]
async fn every_call_ends_in_its_time_with_the_code_whatever_code_a_broker_returns_for_ever() {
    let mut wrong = String::new();
    for api in CALLS {
        for code in ErrorCode::ALL.iter().filter(|code| !code.is_none()) {
            let (result, took) = ended(api, Script::for_ever(*code)).await;
            let said = result.as_ref().unwrap_err().code();
            let unknown = [
                ErrorCode::UnknownTopicOrPartition,
                ErrorCode::UnknownTopicId,
            ];
            // That there is no such topic is a result, and repeated only where the metadata has it.
            let is_result = matches!(
                api,
                ApiKey::CreateTopics | ApiKey::DeleteTopics | ApiKey::CreatePartitions
            ) && unknown.contains(code);
            let repeated = judge(*code).may_repeat(api) && !is_result;
            // What is repeated has used most of its time, what is not ends at once.
            let in_time = if repeated {
                took > OPERATION_TIMEOUT / 2 && took <= OPERATION_TIMEOUT
            } else {
                took < Duration::from_secs(1)
            };
            if said != Some(*code) || !in_time {
                let _ = writeln!(wrong, "{api} {code}: {result:?} after {took:?}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test(start_paused = true)]
async fn a_throttled_call_waits_for_the_brokers_time_and_succeeds() {
    for api in CALLS {
        let script = Script {
            code: ErrorCode::ThrottlingQuotaExceeded,
            throttle_ms: 7_000,
            rejections: 2,
        };
        let (result, took) = ended(api, script).await;
        result.unwrap();
        assert!((14..16).contains(&took.as_secs()), "{api}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_to_a_cluster_that_never_starts_ends_in_its_time_with_the_address() {
    for api in CALLS {
        let network = Network::new();
        network.refuse(BROKER, io::ErrorKind::ConnectionRefused);
        let (admin, started) = (admin(&network), Instant::now());
        let error = call(&admin, api).await.unwrap_err();
        let report = error.report().to_string();
        assert!(
            report.contains("boot:9092: connection refused"),
            "{api}: {report}"
        );
        assert!(started.elapsed() <= OPERATION_TIMEOUT, "{api}");
        assert!(started.elapsed() > OPERATION_TIMEOUT / 2, "{api}: {report}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_without_a_response_is_not_repeated() {
    let network = Network::new();
    let admin = admin(&network);
    let silent = async {
        let mut peers = Vec::new();
        loop {
            let mut peer = network.accept(BROKER).await;
            peer.handshake().await;
            while let Some(header) = peer.next_header().await {
                let api = ApiKey::from_key(header.api_key);
                if api == ApiKey::CreateTopics {
                    break;
                }
                let body = body(
                    api,
                    header.api_version,
                    &mut Script::for_ever(ErrorCode::None),
                );
                peer.answer_body(&header, header.correlation_id, &body)
                    .await;
            }
            peers.push(peer);
        }
    };
    let error = tokio::select! {
        biased;
        result = call(&admin, ApiKey::CreateTopics) => result.unwrap_err(),
        never = silent => never,
    };
    assert!(error.is_outcome_unknown(), "{error:?}");
}
