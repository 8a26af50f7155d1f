//! Whether brokers can be reached, and from when on the application has to know that they cannot.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::error::{Error, Recovery};

/// The trouble with brokers.
///
/// A consumer outlives broker restarts without a word. What it must not do is wait in silence for
/// something that cannot come (L-30): a wrong address, a port that speaks TLS, a broker that is too
/// old, an advertised listener that cannot be reached, or an outage that lasts.
#[derive(Debug)]
pub(crate) struct Contact {
    /// How long an outage may last before it is told.
    patience: Duration,
    /// Whether any broker ever answered about a partition. Metadata does not count: bootstrap addresses
    /// can be right while those that brokers advertise are wrong.
    reached: bool,
    failures: u64,
    last: Option<Error>,
    outages: BTreeMap<Whom, Outage>,
}

/// Who was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whom {
    /// Any broker, for metadata.
    Cluster,
    Broker(i32),
}

#[derive(Debug)]
struct Outage {
    since: Instant,
    last: Error,
}

impl Contact {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            patience,
            reached: false,
            failures: 0,
            last: None,
            outages: BTreeMap::new(),
        }
    }

    /// An answer came.
    pub(crate) fn succeeded(&mut self, whom: Whom) {
        self.reached |= whom != Whom::Cluster;
        self.outages.remove(&whom);
    }

    /// No answer came.
    pub(crate) fn failed(&mut self, now: Instant, whom: Whom, error: Error) {
        let outage = self.outages.entry(whom).or_insert_with(|| Outage {
            since: now,
            last: error.clone(),
        });
        outage.last = error.clone();
        self.failures += 1;
        self.last = Some(error);
    }

    /// Forgets the outages of whoever is not needed any more: nobody asks there again, so nothing would
    /// ever end them.
    pub(crate) fn keep(&mut self, needed: impl Fn(Whom) -> bool) {
        self.outages.retain(|whom, _| needed(*whom));
    }

    /// How many failures there were; a poll that tells one must have seen it happen.
    pub(crate) fn failures(&self) -> u64 {
        self.failures
    }

    /// The error to tell at once to a poll that began after `failures_before` failures: nobody was ever
    /// reached, or waiting does not help.
    pub(crate) fn hopeless(&self, failures_before: u64) -> Option<Error> {
        let error = self
            .last
            .as_ref()
            .filter(|_| self.failures > failures_before)?;
        let passes = matches!(
            error.recovery(),
            Recovery::Retry | Recovery::RefreshAndRetry
        );
        (!self.reached || !passes).then(|| error.clone())
    }

    /// The error to tell to a poll that got nothing in its time: an outage that lasts, of somebody who is
    /// still needed.
    pub(crate) fn lasting(&mut self, now: Instant, needed: impl Fn(Whom) -> bool) -> Option<Error> {
        self.keep(needed);
        let longest = self.outages.values().min_by_key(|outage| outage.since)?;
        let lasts = now.duration_since(longest.since) >= self.patience;
        lasts.then(|| longest.last.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use milena_codec::ApiKey;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

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

    const ONE: Whom = Whom::Broker(1);

    fn anybody(_: Whom) -> bool {
        true
    }

    #[test]
    fn brokers_that_were_never_reached_are_told_at_once_and_once_per_attempt() {
        let mut contact = Contact::new(PATIENCE);
        contact.failed(Instant::now(), Whom::Cluster, refused());
        assert!(contact.hopeless(0).is_some());
        assert!(contact.hopeless(contact.failures()).is_none());
    }

    #[test]
    fn an_advertised_address_that_is_wrong_is_told_although_metadata_comes() {
        let mut contact = Contact::new(PATIENCE);
        let now = Instant::now();
        contact.succeeded(Whom::Cluster);
        contact.failed(now, ONE, refused());
        contact.succeeded(Whom::Cluster);
        assert!(contact.hopeless(0).is_some());
        assert!(contact.lasting(now + PATIENCE, anybody).is_some());
    }

    #[test]
    fn a_broker_that_restarts_is_waited_for() {
        let mut contact = Contact::new(PATIENCE);
        let now = Instant::now();
        contact.succeeded(ONE);
        contact.failed(now, ONE, refused());
        assert!(contact.hopeless(0).is_none());
        assert!(contact.lasting(now + PATIENCE / 2, anybody).is_none());
        contact.succeeded(ONE);
        assert!(contact.lasting(now + 2 * PATIENCE, anybody).is_none());
    }

    #[test]
    fn an_outage_that_lasts_is_told() {
        let mut contact = Contact::new(PATIENCE);
        let now = Instant::now();
        contact.succeeded(ONE);
        contact.succeeded(Whom::Broker(2));
        contact.failed(now, ONE, refused());
        contact.succeeded(Whom::Broker(2));
        contact.failed(now + PATIENCE, ONE, refused());
        assert!(contact.lasting(now + PATIENCE, anybody).is_some());
    }

    #[test]
    fn an_outage_ends_when_nothing_is_wanted_there_any_more() {
        // Its partitions went to another broker, and it came back before anyone asked again.
        let mut contact = Contact::new(PATIENCE);
        let now = Instant::now();
        contact.succeeded(ONE);
        contact.failed(now, ONE, refused());
        assert!(
            contact
                .lasting(now + PATIENCE, |whom| whom != ONE)
                .is_none()
        );
        // If they come back to it, the old trouble is not the new one's beginning.
        assert!(contact.lasting(now + PATIENCE, anybody).is_none());
        contact.failed(now + PATIENCE, ONE, refused());
        assert!(contact.lasting(now + PATIENCE, anybody).is_none());
    }

    #[test]
    fn what_waiting_does_not_help_is_told_at_once() {
        // L-30
        let mut contact = Contact::new(PATIENCE);
        contact.succeeded(ONE);
        contact.failed(Instant::now(), ONE, tls());
        assert!(contact.hopeless(0).is_some());
    }
}
