//! The addresses of brokers in answers: whoever reads one shall come back through here.
//!
//! Pure. Everything else in an answer stays as it is; an answer without an address is not even encoded anew.

use bytes::Bytes;
use kafka_protocol::messages::{
    DescribeClusterRequest, FetchRequest, FindCoordinatorRequest, MetadataRequest, ProduceRequest,
};
use kafka_protocol::protocol::{Encodable, StrBytes};
use milena_codec::message::{Request, decode_response, encode_response};
use milena_codec::{DecodeError, EncodeError, Limits};

/// A broker and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) broker_id: i32,
    pub(crate) host: String,
    pub(crate) port: i32,
}

/// An answer could not be taken apart or put together again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RewriteError {
    #[error("the answer cannot be read")]
    Decode(#[from] DecodeError),
    #[error("the answer cannot be written")]
    Encode(#[from] EncodeError),
}

/// Looks at an address, and gives another for it or leaves it.
type Change<'c> = &'c mut dyn FnMut(&Endpoint) -> Option<(String, u16)>;

/// The endpoints that an answer's body names.
pub(crate) fn named(
    api_key: i16,
    api_version: i16,
    body: &Bytes,
    limits: &Limits,
) -> Result<Vec<Endpoint>, RewriteError> {
    let mut found = Vec::new();
    rewrite(api_key, api_version, body, limits, &mut |endpoint| {
        found.push(endpoint.clone());
        None
    })?;
    Ok(found)
}

/// The body with other addresses; `None` if nothing changed.
pub(crate) fn rewrite(
    api_key: i16,
    api_version: i16,
    body: &Bytes,
    limits: &Limits,
    change: Change<'_>,
) -> Result<Option<Vec<u8>>, RewriteError> {
    let answer = (api_version, body, limits);
    match api_key {
        MetadataRequest::KEY => changed::<MetadataRequest>(answer, |response| {
            let brokers = response.brokers.iter_mut();
            any(brokers
                .map(|broker| place(change, *broker.node_id, &mut broker.host, &mut broker.port)))
        }),
        DescribeClusterRequest::KEY => changed::<DescribeClusterRequest>(answer, |response| {
            let brokers = response.brokers.iter_mut();
            any(brokers.map(|broker| {
                place(
                    change,
                    *broker.broker_id,
                    &mut broker.host,
                    &mut broker.port,
                )
            }))
        }),
        FindCoordinatorRequest::KEY => changed::<FindCoordinatorRequest>(answer, |response| {
            let one = place(
                change,
                *response.node_id,
                &mut response.host,
                &mut response.port,
            );
            let several = response.coordinators.iter_mut();
            one | any(several
                .map(|found| place(change, *found.node_id, &mut found.host, &mut found.port)))
        }),
        ProduceRequest::KEY => changed::<ProduceRequest>(answer, |response| {
            let nodes = response.node_endpoints.iter_mut();
            any(nodes.map(|node| place(change, *node.node_id, &mut node.host, &mut node.port)))
        }),
        FetchRequest::KEY => changed::<FetchRequest>(answer, |response| {
            let nodes = response.node_endpoints.iter_mut();
            any(nodes.map(|node| place(change, *node.node_id, &mut node.host, &mut node.port)))
        }),
        _ => Ok(None),
    }
}

fn changed<R: Request<Response: Encodable>>(
    (api_version, body, limits): (i16, &Bytes, &Limits),
    change: impl FnOnce(&mut R::Response) -> bool,
) -> Result<Option<Vec<u8>>, RewriteError> {
    let mut response = decode_response::<R>(body.clone(), api_version, limits)?;
    if !change(&mut response) {
        return Ok(None);
    }
    let mut out = Vec::with_capacity(body.len());
    encode_response::<R>(&mut out, &response, api_version)?;
    Ok(Some(out))
}

/// Whether any of them did; all are asked.
fn any(changes: impl Iterator<Item = bool>) -> bool {
    changes.fold(false, |one, other| one | other)
}

fn place(change: Change<'_>, broker_id: i32, host: &mut StrBytes, port: &mut i32) -> bool {
    // An error names nobody.
    if host.is_empty() || *port <= 0 {
        return false;
    }
    let endpoint = Endpoint {
        broker_id,
        host: host.to_string(),
        port: *port,
    };
    match change(&endpoint) {
        Some((other, number)) => {
            *host = StrBytes::from_string(other);
            *port = number.into();
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use milena_codec::generate::{self, Shape};
    use milena_codec::schema;

    use super::*;

    #[test]
    fn every_version_of_every_answer_with_addresses_gets_others_and_keeps_the_rest() {
        let limits = Limits::default();
        let mut seen = 0;
        for api_key in [0_i16, 1, 3, 10, 60] {
            for version in schema::api_versions(api_key).unwrap().iter() {
                for seed in 0..20 {
                    let message = schema::response(api_key).unwrap();
                    let body = generate::body(message, version, seed, &Shape::default()).unwrap();
                    let body = Bytes::from(body.into_bytes());
                    let here = |_: &Endpoint| Some(("proxy".to_owned(), 7));
                    let Some(new) =
                        rewrite(api_key, version, &body, &limits, &mut { here }).unwrap()
                    else {
                        assert!(named(api_key, version, &body, &limits).unwrap().is_empty());
                        continue;
                    };
                    seen += 1;
                    let before = named(api_key, version, &body, &limits).unwrap();
                    let after = named(api_key, version, &new.into(), &limits).unwrap();
                    assert_eq!(before.len(), after.len());
                    for (old, new) in before.iter().zip(&after) {
                        assert_eq!(
                            (old.broker_id, "proxy", 7),
                            (new.broker_id, &*new.host, new.port)
                        );
                    }
                }
            }
        }
        assert!(seen > 100, "{seen}");
    }

    #[test]
    fn an_answer_that_is_none_is_an_error() {
        let body = Bytes::from_static(&[0xff; 9]);
        assert!(named(3, 12, &body, &Limits::default()).is_err());
        assert_eq!(named(18, 3, &body, &Limits::default()).unwrap(), []);
    }
}
