//! Whether brokers can be reached, and from when on poll returns an error because they cannot.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::error::{Error, Recovery};

/// The brokers that fail to respond, and since when.
///
/// A consumer outlives restarts of its brokers silently. What it must not do is wait silently for
/// something that cannot come (L-30): a wrong address, a port that speaks TLS, a broker that is too
/// old, an advertised listener that cannot be reached, or an outage that lasts.
#[derive(Debug)]
pub(crate) struct BrokerHealth {
    /// How long an outage may last before poll returns it.
    timeout: Duration,
    /// Whether a poll is to end as soon as the first contact fails (`fail_unreachable_at_once`).
    at_once: bool,
    /// The peers that ever responded. That one is a wrong address, or something other than a broker, is
    /// only believed of others: what a broker that restarts sends, or what stands in front of it, can
    /// look like that for a moment.
    reached: BTreeSet<Peer>,
    failures: u64,
    last: Option<(Peer, Error)>,
    outages: BTreeMap<Peer, Outage>,
}

/// The receiver of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    /// Any broker, for metadata.
    Cluster,
    Broker(i32),
}

#[derive(Debug)]
struct Outage {
    since: Instant,
    last: Error,
}

impl BrokerHealth {
    pub(crate) fn new(timeout: Duration, at_once: bool) -> Self {
        Self {
            timeout,
            at_once,
            reached: BTreeSet::new(),
            failures: 0,
            last: None,
            outages: BTreeMap::new(),
        }
    }

    /// A response came.
    pub(crate) fn succeeded(&mut self, peer: Peer) {
        self.reached.insert(peer);
        self.outages.remove(&peer);
    }

    /// No response came.
    pub(crate) fn failed(&mut self, now: Instant, peer: Peer, error: Error) {
        let outage = self.outages.entry(peer).or_insert_with(|| Outage {
            since: now,
            last: error.clone(),
        });
        outage.last = error.clone();
        self.failures += 1;
        self.last = Some((peer, error));
    }

    /// Forgets the outages of peers that are not needed any more: no further request would ever end
    /// them.
    pub(crate) fn keep(&mut self, needed: impl Fn(Peer) -> bool) {
        self.outages.retain(|peer, _| needed(*peer));
    }

    /// How many failures there were; a poll returns only one that happened during it.
    pub(crate) fn failures(&self) -> u64 {
        self.failures
    }

    /// The error to return at once from a poll that began after `failures_before` failures: waiting does not
    /// help, or the first contact failed for as long as an outage may last, or at all if the consumer is not
    /// to wait for it.
    pub(crate) fn unrecoverable(&self, now: Instant, failures_before: u64) -> Option<Error> {
        let (peer, error) = self.last_since(failures_before)?;
        let passes = matches!(
            error.recovery(),
            Recovery::Retry | Recovery::RefreshAndRetry
        );
        let restarts = self.reached.contains(peer);
        let lasts = |outage: &Outage| now.duration_since(outage.since) >= self.timeout;
        let is_over = self.at_once || self.longest().is_some_and(lasts);
        let waits = self.has_reached() || !is_over;
        (!waits || !(passes || restarts)).then(|| error.clone())
    }

    /// The error to return from a poll that began after `failures_before` failures and got nothing in its
    /// time, although no broker ever responded about a partition.
    pub(crate) fn unreached(&self, failures_before: u64) -> Option<Error> {
        let (_, error) = self.last_since(failures_before)?;
        (!self.has_reached()).then(|| error.clone())
    }

    fn last_since(&self, failures_before: u64) -> Option<&(Peer, Error)> {
        self.last
            .as_ref()
            .filter(|_| self.failures > failures_before)
    }

    /// Whether a broker ever responded about a partition. Metadata does not count: bootstrap addresses can be
    /// right while those that brokers advertise are wrong.
    fn has_reached(&self) -> bool {
        self.reached.iter().any(|peer| *peer != Peer::Cluster)
    }

    /// The error to return from a poll that got nothing in its time: an outage that lasts, of a peer that
    /// is still needed.
    pub(crate) fn lasting(&mut self, now: Instant, needed: impl Fn(Peer) -> bool) -> Option<Error> {
        self.keep(needed);
        let longest = self.longest()?;
        let lasts = now.duration_since(longest.since) >= self.timeout;
        lasts.then(|| longest.last.clone())
    }

    /// The error of the outage that has lasted longest, however long.
    pub(crate) fn outage(&self) -> Option<Error> {
        self.longest().map(|outage| outage.last.clone())
    }

    fn longest(&self) -> Option<&Outage> {
        self.outages.values().min_by_key(|outage| outage.since)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use milena_codec::ApiKey;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    fn refused() -> Error {
        let cause = Arc::new(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        Error::Transport {
            request: Some(ApiKey::Fetch),
            address: None,
            sent: false,
            cause,
        }
    }

    fn tls() -> Error {
        let cause = Arc::new(std::io::Error::other("TLS"));
        Error::WrongListener {
            address: None,
            cause,
        }
    }

    const ONE: Peer = Peer::Broker(1);

    fn any(_: Peer) -> bool {
        true
    }

    #[test]
    fn a_first_contact_is_waited_for_and_then_an_error_once_per_attempt() {
        let mut health = BrokerHealth::new(TIMEOUT, false);
        health.failed(Instant::now(), Peer::Cluster, refused());
        assert!(health.unrecoverable(Instant::now(), 0).is_none());
        assert!(health.unreached(0).is_some());
        assert!(health.unreached(health.failures()).is_none());
        // A poll without an end is not silent for ever.
        let later = Instant::now() + TIMEOUT;
        assert!(health.unrecoverable(later, 0).is_some());
    }

    #[test]
    fn a_first_contact_that_fails_ends_the_poll_at_once_where_that_is_wanted() {
        let mut health = BrokerHealth::new(TIMEOUT, true);
        health.failed(Instant::now(), Peer::Cluster, refused());
        assert!(health.unrecoverable(Instant::now(), 0).is_some());
        assert!(
            health
                .unrecoverable(Instant::now(), health.failures())
                .is_none()
        );
        health.succeeded(ONE);
        health.failed(Instant::now(), ONE, refused());
        assert!(health.unrecoverable(Instant::now(), 0).is_none());
    }

    #[test]
    fn an_advertised_address_that_is_wrong_is_an_error_although_metadata_comes() {
        let mut health = BrokerHealth::new(TIMEOUT, false);
        let now = Instant::now();
        health.succeeded(Peer::Cluster);
        health.failed(now, ONE, refused());
        health.succeeded(Peer::Cluster);
        assert!(health.unreached(0).is_some());
        assert!(health.lasting(now + TIMEOUT, any).is_some());
    }

    #[test]
    fn a_broker_that_restarts_is_waited_for() {
        let mut health = BrokerHealth::new(TIMEOUT, false);
        let now = Instant::now();
        health.succeeded(ONE);
        health.failed(now, ONE, refused());
        assert!(health.unrecoverable(Instant::now(), 0).is_none());
        assert!(health.lasting(now + TIMEOUT / 2, any).is_none());
        health.succeeded(ONE);
        assert!(health.lasting(now + 2 * TIMEOUT, any).is_none());
    }

    #[test]
    fn an_outage_that_lasts_is_an_error() {
        let mut health = BrokerHealth::new(TIMEOUT, false);
        let now = Instant::now();
        health.succeeded(ONE);
        health.succeeded(Peer::Broker(2));
        health.failed(now, ONE, refused());
        health.succeeded(Peer::Broker(2));
        health.failed(now + TIMEOUT, ONE, refused());
        assert!(health.lasting(now + TIMEOUT, any).is_some());
    }

    #[test]
    fn an_outage_ends_when_the_broker_is_not_needed_any_more() {
        // Its partitions went to another broker, and it came back before a request was sent to it.
        let mut health = BrokerHealth::new(TIMEOUT, false);
        let now = Instant::now();
        health.succeeded(ONE);
        health.failed(now, ONE, refused());
        assert!(health.lasting(now + TIMEOUT, |peer| peer != ONE).is_none());
        // If they come back to it, the old trouble is not the new one's beginning.
        assert!(health.lasting(now + TIMEOUT, any).is_none());
        health.failed(now + TIMEOUT, ONE, refused());
        assert!(health.lasting(now + TIMEOUT, any).is_none());
    }

    #[test]
    fn what_waiting_does_not_help_is_an_error_at_once() {
        // L-30
        let mut health = BrokerHealth::new(TIMEOUT, false);
        health.succeeded(ONE);
        health.failed(Instant::now(), Peer::Broker(2), tls());
        assert!(health.unrecoverable(Instant::now(), 0).is_some());
    }

    #[test]
    fn a_broker_that_was_reached_may_look_like_something_else_while_it_restarts() {
        // D-7
        let mut health = BrokerHealth::new(TIMEOUT, false);
        let now = Instant::now();
        for peer in [ONE, Peer::Cluster] {
            health.succeeded(peer);
            health.failed(now, peer, tls());
            assert!(health.unrecoverable(Instant::now(), 0).is_none());
        }
        assert!(health.lasting(now + TIMEOUT, any).is_some());
    }
}
