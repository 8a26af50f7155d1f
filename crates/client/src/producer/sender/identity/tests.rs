//! Asking for a producer id.

use super::*;

fn requester() -> ProducerIdRequester {
    ProducerIdRequester::new(Duration::from_millis(100), Duration::from_secs(1))
}

#[test]
fn one_request_is_out_at_a_time_and_a_refusal_waits_before_the_next() {
    let now = Instant::now();
    let mut requester = requester();
    assert!(requester.poll(now));
    assert!(!requester.poll(now));
    let loading = InitOutcome::Code(ErrorCode::CoordinatorLoadInProgress);
    assert_eq!(requester.handle(now, loading), InitVerdict::Retry, "P-12");
    assert!(!requester.poll(now));
    assert_eq!(
        requester.wait_until(),
        Some(now + Duration::from_millis(100))
    );
    assert!(requester.poll(now + Duration::from_millis(100)));
}

#[test]
fn missing_permission_is_refused_and_may_be_asked_again() {
    let now = Instant::now();
    let mut requester = requester();
    assert!(requester.poll(now));
    let denied = ErrorCode::ClusterAuthorizationFailed;
    assert_eq!(
        requester.handle(now, InitOutcome::Code(denied)),
        InitVerdict::Rejected(denied)
    );
    assert!(requester.poll(now + Duration::from_secs(2)));
}

#[test]
fn a_broker_without_producer_ids_is_fatal() {
    let verdict = requester().handle(Instant::now(), InitOutcome::Unsupported);
    assert_eq!(verdict, InitVerdict::Fatal(ErrorCode::UnsupportedVersion));
}
