//! Deliveries.

use super::*;

#[test]
fn a_delivery_is_three_words() {
    assert_eq!(size_of::<Delivery>(), 24);
}

#[test]
fn an_offset_that_no_log_can_reach_is_not_told() {
    let completion = Arc::new(BatchCompletion::new(Arc::from("orders"), 0));
    let delivery = Delivery::new(Arc::clone(&completion), 2, 0);
    completion.complete(BatchOutcome::Appended {
        base_offset: Some(i64::MAX),
        log_append_time: None,
    });
    assert_eq!(delivery.try_result().unwrap().unwrap().offset, None);
}
