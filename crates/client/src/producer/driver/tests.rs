//! How a producer ends, with no broker to be had.

use super::super::api::start;
use super::super::core::Core;
use super::super::record::Record;
use super::*;
use crate::config::ProducerBuilder;
use crate::error::Error;
use crate::runtime;
use milena_connection::TcpConnector;
use std::time::Duration;

/// The two ends of a producer that knows a topic and reaches nobody.
fn producer() -> (Core, Driver) {
    let config = ProducerBuilder::new(["localhost:1"]).build().unwrap();
    let cluster = runtime::cluster(&config.client, Arc::new(TcpConnector::new())).unwrap();
    let (core, driver) = start(config, None, cluster, 1);
    core.shared.register("orders", 1);
    (core, driver)
}

/// L-19: a runtime that is shut down drops its tasks wherever they are.
#[tokio::test]
async fn records_do_not_outlive_the_task_that_delivers_them() {
    let (core, driver) = producer();
    let sent = core.send(&Record::to("orders").value(b"1"), 0).await;
    let delivery = sent.unwrap();
    drop(driver);
    let result = delivery.try_result().expect("nobody else can tell");
    assert!(matches!(result, Err(Error::Closed { .. })), "{result:?}");
    let late = core.send(&Record::to("orders").value(b"2"), 0).await;
    assert!(matches!(late, Err(Error::Closed { .. })));
}

#[tokio::test]
async fn closing_a_producer_that_had_failed_tells_why() {
    let (core, driver) = producer();
    let reason = Error::broker(
        ErrorCode::ClusterAuthorizationFailed,
        "InitProducerId",
        None,
    );
    core.shared.end(reason.into_fatal());
    tokio::spawn(driver.run());
    let closed = core.close(Duration::from_secs(1)).await;
    assert!(matches!(closed, Err(Error::Fatal { .. })), "{closed:?}");
}
