//! From checked settings to a running cluster handle.

use std::sync::Arc;

pub(crate) use milena_connection::clock::{after, now};
use milena_connection::{Backoff, Cluster, ClusterConfig, ConnectionConfig, Connector};

use crate::config::ClientConfig;
use crate::error::Error;

/// A cluster handle with these settings; it dials when first used.
pub(crate) fn cluster(
    config: &ClientConfig,
    connector: Arc<dyn Connector>,
) -> Result<Cluster, Error> {
    let connection = ConnectionConfig {
        client_id: config.client_id.clone(),
        request_timeout: config.request_timeout,
        connect_timeout: config.connect_timeout,
        in_flight_requests_max: config.in_flight_requests_max,
        metadata_max_age: config.metadata_max_age,
        limits: config.limits,
        reconnect_backoff: Backoff {
            initial: config.reconnect_backoff,
            max: config.reconnect_backoff_max,
            ..Backoff::default()
        },
        refresh_backoff: Backoff {
            initial: config.retry_backoff,
            max: config.retry_backoff_max,
            ..Backoff::default()
        },
        ..ConnectionConfig::default()
    };
    let cluster = ClusterConfig {
        bootstrap: config.bootstrap.clone(),
        connection,
    };
    Ok(Cluster::new(cluster, connector)?)
}

/// The runtime that the caller runs in.
pub(crate) fn runtime() -> Result<tokio::runtime::Handle, Error> {
    tokio::runtime::Handle::try_current().map_err(|_| {
        Error::misuse(
            "no tokio runtime here: start milena's handles inside one, as in #[tokio::main]",
        )
    })
}
