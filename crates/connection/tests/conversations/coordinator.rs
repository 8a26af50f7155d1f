//! Coordinators: looked up once for all who wait.

use crate::*;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use milena_connection::test_support::api_versions;
use milena_connection::{CallError, CallOptions, CoordinatorKind, NotSentCause, Target};

const GROUP: CoordinatorKind = CoordinatorKind::Group;
const TRANSACTION: CoordinatorKind = CoordinatorKind::Transaction;

fn coordinator(key: &'static str, node: i32, address: &str) -> Coordinator {
    let address: BrokerAddress = address.parse().unwrap();
    Coordinator::default()
        .with_key(StrBytes::from_static_str(key))
        .with_node_id(BrokerId(node))
        .with_host(StrBytes::from_string(address.host))
        .with_port(address.port.into())
}

#[tokio::test(start_paused = true)]
async fn coordinators_that_are_wanted_together_are_looked_up_together() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let deadline = after(10 * SECOND);
    let lookups = ["a", "b", "a", "a"].map(|key| cluster.coordinator(TRANSACTION, key, deadline));
    let script = async {
        let mut broker = either(&network).await;
        broker.handshake().await;
        let asked = broker.expect::<FindCoordinatorRequest>().await;
        assert_eq!(asked.request.key_type, 1);
        let mut keys: Vec<_> = asked
            .request
            .coordinator_keys
            .iter()
            .map(|key| &**key)
            .collect();
        keys.sort_unstable();
        assert_eq!(keys, ["a", "b"]);
        let found = vec![coordinator("a", 1, K1), coordinator("b", 3, "k3:9092")];
        let response = FindCoordinatorResponse::default().with_coordinators(found);
        broker.answer(&asked, response).await;
        broker.expect_silence(SECOND).await;
    };
    let (found, ()) = tokio::join!(futures_util::future::join_all(lookups), script);
    let found: Vec<i32> = found.into_iter().map(Result::unwrap).collect();
    assert_eq!(found, [1, 3, 1, 1]);
    // The coordinator's address is known from the lookup alone.
    assert_eq!(
        cluster.snapshot().broker(3).unwrap().address.to_string(),
        "k3:9092"
    );
    assert_eq!(
        cluster
            .coordinator(TRANSACTION, "a", after(SECOND))
            .await
            .unwrap(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn an_old_broker_is_asked_for_one_coordinator_at_a_time() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let deadline = after(10 * SECOND);
    let lookups = ["a", "b"].map(|key| cluster.coordinator(GROUP, key, deadline));
    let script = async {
        let mut versions = api_versions(1, 0);
        for api in versions.api_keys.iter_mut().filter(|api| api.api_key == 10) {
            api.max_version = 3;
        }
        let mut broker = either(&network).await;
        broker.handshake_with(versions).await;
        for id in [1, 2] {
            let asked = broker.expect::<FindCoordinatorRequest>().await;
            let response = FindCoordinatorResponse::default()
                .with_node_id(BrokerId(id))
                .with_host(StrBytes::from_static_str("k"))
                .with_port(1);
            broker.answer(&asked, response).await;
        }
    };
    let (found, ()) = tokio::join!(futures_util::future::join_all(lookups), script);
    assert_eq!(
        found.into_iter().map(Result::unwrap).collect::<Vec<_>>(),
        [1, 2]
    );
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_moved_is_found_again() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let answers = [(15, -1), (0, 1), (0, 2)];
    let script = async {
        let mut broker = either(&network).await;
        broker.handshake().await;
        for (code, id) in answers {
            let asked = loop {
                let (header, body) = broker.expect_any("FindCoordinator").await;
                if header.api_key == 10 {
                    break header;
                }
                // The code made metadata stale; that question may come in between.
                assert_eq!((header.api_key, body.is_empty()), (3, false));
                let id = header.correlation_id;
                broker
                    .answer_as::<MetadataRequest>(&header, id, &metadata(&["t"]))
                    .await;
            };
            let found = coordinator("a", id, K1).with_error_code(code);
            let response = FindCoordinatorResponse::default().with_coordinators(vec![found]);
            let id = asked.correlation_id;
            broker
                .answer_as::<FindCoordinatorRequest>(&asked, id, &response)
                .await;
        }
    };
    let client = async {
        assert_eq!(
            cluster
                .coordinator(GROUP, "a", after(10 * SECOND))
                .await
                .unwrap(),
            1
        );
        cluster.forget_coordinator(GROUP, "a");
        assert_eq!(
            cluster
                .coordinator(GROUP, "a", after(10 * SECOND))
                .await
                .unwrap(),
            2
        );
    };
    tokio::join!(client, script);
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_fails_leaves_the_request_behind_it_unsent() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let target = Target::Coordinator(TRANSACTION, "a".into());
    let script = async {
        let mut broker = either(&network).await;
        broker.handshake().await;
        let asked = broker.expect::<FindCoordinatorRequest>().await;
        let code = ErrorCode::TransactionalIdAuthorizationFailed.code();
        let found = coordinator("a", -1, K1).with_error_code(code);
        let response = FindCoordinatorResponse::default().with_coordinators(vec![found]);
        broker.answer(&asked, response).await;
    };
    let call = cluster.call(target, init_producer_id(), CallOptions::default());
    let (error, ()) = tokio::join!(call, script);
    let CallError::NotSent { site, cause } = error.unwrap_err() else {
        panic!()
    };
    assert_eq!(site.api, Some(ApiKey::InitProducerId));
    let NotSentCause::Lookup { source } = cause else {
        panic!("{cause:?}")
    };
    assert_eq!(
        source.code(),
        Some(ErrorCode::TransactionalIdAuthorizationFailed)
    );
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_away_for_a_while_is_waited_for() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    for address in [BOOTSTRAP, K1, K2] {
        network.refuse(address, std::io::ErrorKind::ConnectionRefused);
    }
    let back = async {
        tokio::time::sleep(5 * SECOND).await;
        for address in [BOOTSTRAP, K1, K2] {
            network.permit(address);
        }
        let mut broker = tokio::select! {
            broker = network.accept(BOOTSTRAP) => broker,
            broker = either(&network) => broker,
        };
        broker.handshake().await;
        loop {
            let (header, _) = broker.expect_any("FindCoordinator").await;
            let id = header.correlation_id;
            if header.api_key == 10 {
                let found = vec![coordinator("a", 1, K1)];
                let response = FindCoordinatorResponse::default().with_coordinators(found);
                broker
                    .answer_as::<FindCoordinatorRequest>(&header, id, &response)
                    .await;
                break;
            }
            broker
                .answer_as::<MetadataRequest>(&header, id, &metadata(&["t"]))
                .await;
        }
    };
    let (found, ()) = tokio::join!(
        cluster.coordinator(TRANSACTION, "a", after(60 * SECOND)),
        back
    );
    assert_eq!(found.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_stays_away_is_named_at_the_deadline() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    for address in [BOOTSTRAP, K1, K2] {
        network.refuse(address, std::io::ErrorKind::ConnectionRefused);
    }
    let started = Instant::now();
    let error = cluster
        .coordinator(TRANSACTION, "a", after(5 * SECOND))
        .await
        .unwrap_err();
    assert!(started.elapsed() >= 5 * SECOND && started.elapsed() < 6 * SECOND);
    let CallError::NotSent { cause, .. } = error else {
        panic!()
    };
    assert!(
        matches!(cause, NotSentCause::NoBrokerReachable { .. }),
        "{cause:?}"
    );
}
