//! Which versions of which API each virtual broker serves.

use crate::handlers;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// What the brokers of a cluster serve: everything, unless one was told to serve less.
#[derive(Clone, Debug)]
pub(crate) struct ServedVersions {
    /// By broker and API key; `None` for an API that it does not serve at all.
    restricted: BTreeMap<(i32, i16), Option<RangeInclusive<i16>>>,
    /// Versions that Kafka calls unstable are told too: those of two-phase commit (KIP-939).
    two_phase_commit: bool,
}

const INIT_PRODUCER_ID: i16 = 22;
/// The newest version of InitProducerId without two-phase commit.
const INIT_PRODUCER_ID_STABLE: i16 = 5;

impl ServedVersions {
    pub(crate) fn new(two_phase_commit: bool) -> Self {
        Self {
            restricted: BTreeMap::new(),
            two_phase_commit,
        }
    }

    /// Lets a broker serve only these versions of an API, or none.
    pub(crate) fn restrict(
        &mut self,
        broker_id: i32,
        api_key: i16,
        versions: Option<RangeInclusive<i16>>,
    ) {
        self.restricted.insert((broker_id, api_key), versions);
    }

    /// The versions of an API that a broker serves.
    pub(crate) fn of(&self, broker_id: i32, api_key: i16) -> Option<RangeInclusive<i16>> {
        let ours = handlers::served()
            .find(|(key, _)| *key == api_key)
            .map(|(_, versions)| versions)?;
        let Some(restricted) = self.restricted.get(&(broker_id, api_key)) else {
            let is_capped = api_key == INIT_PRODUCER_ID && !self.two_phase_commit;
            return Some(if is_capped {
                *ours.start()..=INIT_PRODUCER_ID_STABLE
            } else {
                ours
            });
        };
        let theirs = restricted.as_ref()?;
        let first = *ours.start().max(theirs.start());
        let last = *ours.end().min(theirs.end());
        (first <= last).then_some(first..=last)
    }

    /// Everything that a broker serves, by API key.
    pub(crate) fn all(&self, broker_id: i32) -> impl Iterator<Item = (i16, RangeInclusive<i16>)> {
        handlers::served().filter_map(move |(key, _)| Some((key, self.of(broker_id, key)?)))
    }
}
