//! What a broker speaks: version ranges by API, and the cluster's finalized features.

use kafka_protocol::messages::ApiVersionsResponse;
use milena_codec::ApiKey;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

/// Name of the feature that says how transactions work (KIP-890).
const TRANSACTION_VERSION: &str = "transaction.version";

/// The versions of one API, from the oldest to the newest, both spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ApiVersionRange {
    /// The oldest version.
    pub min: i16,
    /// The newest version.
    pub max: i16,
}

impl ApiVersionRange {
    /// The versions that both ranges hold; `None` if there are none.
    #[must_use]
    pub fn intersect(self, other: Self) -> Option<Self> {
        let common = Self {
            min: self.min.max(other.min),
            max: self.max.min(other.max),
        };
        (common.min <= common.max).then_some(common)
    }
}

impl From<RangeInclusive<i16>> for ApiVersionRange {
    fn from(range: RangeInclusive<i16>) -> Self {
        Self {
            min: *range.start(),
            max: *range.end(),
        }
    }
}

impl fmt::Display for ApiVersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.min, self.max)
    }
}

/// What one broker said about itself when its connection was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiVersions {
    ranges: BTreeMap<i16, ApiVersionRange>,
    features: FinalizedFeatures,
}

impl ApiVersions {
    /// The content of an ApiVersions answer; ranges that are upside down are left out.
    #[must_use]
    pub fn from_response(response: &ApiVersionsResponse) -> Self {
        let ranges = response
            .api_keys
            .iter()
            .filter(|api| api.min_version <= api.max_version)
            .map(|api| {
                let range = ApiVersionRange {
                    min: api.min_version,
                    max: api.max_version,
                };
                (api.api_key, range)
            })
            .collect();
        let levels = response
            .finalized_features
            .iter()
            .map(|feature| (feature.name.to_string(), feature.max_version_level))
            .collect();
        let epoch = response.finalized_features_epoch;
        // The features mean nothing without an epoch (ApiVersionsResponse.json).
        let features = if epoch < 0 {
            FinalizedFeatures::default()
        } else {
            FinalizedFeatures {
                epoch: Some(epoch),
                levels,
            }
        };
        Self { ranges, features }
    }

    /// The versions of an API that the broker speaks; `None` if it does not know the API.
    #[must_use]
    pub fn range(&self, api_key: i16) -> Option<ApiVersionRange> {
        self.ranges.get(&api_key).copied()
    }

    /// The same without the versions above these caps (`ConnectionConfig::max_versions`). An API with none
    /// left counts as one that the broker does not know.
    #[must_use]
    pub fn capped(mut self, caps: &BTreeMap<ApiKey, i16>) -> Self {
        for (api, cap) in caps {
            if let Some(range) = self.ranges.get_mut(&api.key()) {
                range.max = range.max.min(*cap);
                if range.max < range.min {
                    self.ranges.remove(&api.key());
                }
            }
        }
        self
    }

    /// The newest version of an API that both the broker and `ours` speak.
    #[must_use]
    pub fn highest(&self, api_key: i16, ours: RangeInclusive<i16>) -> Option<i16> {
        Some(self.range(api_key)?.intersect(ours.into())?.max)
    }

    /// The features of the cluster, as far as this broker knew them.
    #[must_use]
    pub fn features(&self) -> &FinalizedFeatures {
        &self.features
    }
}

/// The cluster's finalized feature levels (KIP-584), with the epoch that orders what brokers say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FinalizedFeatures {
    epoch: Option<i64>,
    levels: BTreeMap<String, i16>,
}

impl FinalizedFeatures {
    /// When this was true: a higher epoch is newer. `None` if no broker said anything, as before
    /// ApiVersions 3.
    #[must_use]
    pub fn epoch(&self) -> Option<i64> {
        self.epoch
    }

    /// The finalized level of a feature; 0 if the cluster does not have it (T-1).
    #[must_use]
    pub fn level(&self, feature: &str) -> i16 {
        self.levels.get(feature).copied().unwrap_or(0)
    }

    /// `transaction.version`: 0, 1, or 2 from KIP-890 part 2 on.
    #[must_use]
    pub fn transaction_version(&self) -> i16 {
        self.level(TRANSACTION_VERSION)
    }

    /// Takes over what another broker said if it is newer; answers of different brokers may arrive in
    /// any order, and one that lags must not undo a change (T-1). Returns whether anything changed.
    pub fn update(&mut self, other: &Self) -> bool {
        let newer = other.epoch > self.epoch;
        if newer {
            self.clone_from(other);
        }
        newer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey};
    use kafka_protocol::protocol::StrBytes;

    fn answer(epoch: i64, transaction_version: i16) -> ApiVersions {
        let feature = FinalizedFeatureKey::default()
            .with_name(StrBytes::from_static_str(TRANSACTION_VERSION))
            .with_max_version_level(transaction_version);
        let ranges = [(0, 3, 12), (26, 0, 5), (99, 4, 2)].map(|(key, min, max)| {
            ApiVersion::default()
                .with_api_key(key)
                .with_min_version(min)
                .with_max_version(max)
        });
        let response = ApiVersionsResponse::default()
            .with_api_keys(ranges.to_vec())
            .with_finalized_features_epoch(epoch)
            .with_finalized_features(vec![feature]);
        ApiVersions::from_response(&response)
    }

    #[test]
    fn the_highest_common_version_is_chosen() {
        let versions = answer(1, 2);
        assert_eq!(versions.highest(0, 0..=9), Some(9));
        assert_eq!(versions.highest(0, 0..=13), Some(12));
        assert_eq!(versions.highest(0, 0..=2), None);
        assert_eq!(versions.highest(0, 13..=13), None);
        assert_eq!(versions.highest(7, 0..=9), None);
        assert_eq!(versions.range(99), None, "a range that is upside down");
    }

    #[test]
    fn a_cap_takes_newer_versions_away_and_no_others() {
        let caps = BTreeMap::from([(ApiKey::Produce, 8), (ApiKey::EndTxn, 9)]);
        let versions = answer(1, 2).capped(&caps);
        assert_eq!(versions.highest(0, 0..=13), Some(8));
        assert_eq!(versions.highest(26, 0..=13), Some(5));
        let none_left = answer(1, 2).capped(&BTreeMap::from([(ApiKey::Produce, 2)]));
        assert_eq!(none_left.range(0), None);
    }

    #[test]
    fn the_features_of_the_highest_epoch_win_whatever_the_order() {
        let (old, new) = (answer(4, 1), answer(5, 2));
        for order in [[&old, &new], [&new, &old]] {
            let mut features = FinalizedFeatures::default();
            assert_eq!(features.transaction_version(), 0);
            for versions in order {
                features.update(versions.features());
            }
            assert_eq!(
                (features.epoch(), features.transaction_version()),
                (Some(5), 2)
            );
        }
    }

    #[test]
    fn a_downgrade_with_a_newer_epoch_is_followed() {
        let mut features = answer(5, 2).features().clone();
        assert!(features.update(answer(6, 1).features()));
        assert_eq!(features.transaction_version(), 1);
    }

    #[test]
    fn features_without_an_epoch_mean_nothing() {
        let versions = answer(-1, 2);
        assert_eq!(versions.features().epoch(), None);
        assert_eq!(versions.features().transaction_version(), 0);
    }
}
