//! The protocol's table of APIs, as of Apache Kafka 4.4.0.

use std::fmt;
use std::str::FromStr;

/// What sending a request of an API twice does, compared with sending it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Nothing: the request only reads.
    Reads,
    /// Nothing that matters: the request writes, and its repetition writes the same again or wastes
    /// a number, such as a producer epoch.
    Repeatable,
    /// Possibly a second change, or an error that reports the first one.
    Changes,
}

macro_rules! api_keys {
    ($($variant:ident = $key:literal, $effect:ident;)*) => {
        /// An API of the Kafka protocol, by the key that its requests carry.
        ///
        /// `Display` and [`name`](Self::name) give Kafka's name, such as `EndTxn`. [`FromStr`] reads a name (in upper or
        /// lower case) or a number, [`From<i16>`] a key.
        ///
        /// ```
        /// use milena_codec::ApiKey;
        ///
        /// assert_eq!(ApiKey::from(26), ApiKey::EndTxn);
        /// assert_eq!("endtxn".parse(), Ok(ApiKey::EndTxn));
        /// assert!(ApiKey::Metadata.reads_only() && !ApiKey::EndTxn.reads_only());
        /// ```
        // Not `non_exhaustive`, as `ErrorCode`: code that distinguishes APIs has to place a new one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ApiKey {
            $(
                #[doc = concat!("`", stringify!($variant), "`, key ", $key, ".")]
                $variant,
            )*
            /// A key that Kafka 4.4.0 does not define.
            Unknown(i16),
        }

        impl ApiKey {
            /// Every API that Kafka 4.4.0 defines or has defined, by ascending key.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The API with this key.
            #[must_use]
            pub const fn from_key(key: i16) -> Self {
                match key {
                    $($key => Self::$variant,)*
                    unknown => Self::Unknown(unknown),
                }
            }

            /// The key as it travels.
            #[must_use]
            pub const fn key(self) -> i16 {
                match self {
                    $(Self::$variant => $key,)*
                    Self::Unknown(key) => key,
                }
            }

            /// Kafka's name of the API, such as `EndTxn`; `unknown API` for a key outside the table.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)*
                    Self::Unknown(_) => "unknown API",
                }
            }

            /// What sending a request twice does. An API outside the table counts as one that
            /// [changes](Effect::Changes) something.
            #[must_use]
            pub const fn effect(self) -> Effect {
                match self {
                    $(Self::$variant => Effect::$effect,)*
                    Self::Unknown(_) => Effect::Changes,
                }
            }
        }
    };
}

api_keys! {
    Produce = 0, Changes;
    Fetch = 1, Reads;
    ListOffsets = 2, Reads;
    Metadata = 3, Reads;
    LeaderAndIsr = 4, Changes;
    StopReplica = 5, Changes;
    UpdateMetadata = 6, Changes;
    ControlledShutdown = 7, Changes;
    OffsetCommit = 8, Repeatable;
    OffsetFetch = 9, Reads;
    FindCoordinator = 10, Reads;
    JoinGroup = 11, Changes;
    Heartbeat = 12, Changes;
    LeaveGroup = 13, Changes;
    SyncGroup = 14, Changes;
    DescribeGroups = 15, Reads;
    ListGroups = 16, Reads;
    SaslHandshake = 17, Reads;
    ApiVersions = 18, Reads;
    CreateTopics = 19, Changes;
    DeleteTopics = 20, Changes;
    DeleteRecords = 21, Repeatable;
    InitProducerId = 22, Repeatable;
    OffsetForLeaderEpoch = 23, Reads;
    AddPartitionsToTxn = 24, Changes;
    AddOffsetsToTxn = 25, Changes;
    EndTxn = 26, Changes;
    WriteTxnMarkers = 27, Changes;
    TxnOffsetCommit = 28, Changes;
    DescribeAcls = 29, Reads;
    CreateAcls = 30, Changes;
    DeleteAcls = 31, Changes;
    DescribeConfigs = 32, Reads;
    AlterConfigs = 33, Changes;
    AlterReplicaLogDirs = 34, Changes;
    DescribeLogDirs = 35, Reads;
    SaslAuthenticate = 36, Changes;
    CreatePartitions = 37, Changes;
    CreateDelegationToken = 38, Changes;
    RenewDelegationToken = 39, Changes;
    ExpireDelegationToken = 40, Changes;
    DescribeDelegationToken = 41, Reads;
    DeleteGroups = 42, Changes;
    ElectLeaders = 43, Changes;
    IncrementalAlterConfigs = 44, Changes;
    AlterPartitionReassignments = 45, Changes;
    ListPartitionReassignments = 46, Reads;
    OffsetDelete = 47, Changes;
    DescribeClientQuotas = 48, Reads;
    AlterClientQuotas = 49, Changes;
    DescribeUserScramCredentials = 50, Reads;
    AlterUserScramCredentials = 51, Changes;
    Vote = 52, Changes;
    BeginQuorumEpoch = 53, Changes;
    EndQuorumEpoch = 54, Changes;
    DescribeQuorum = 55, Reads;
    AlterPartition = 56, Changes;
    UpdateFeatures = 57, Changes;
    Envelope = 58, Changes;
    FetchSnapshot = 59, Reads;
    DescribeCluster = 60, Reads;
    DescribeProducers = 61, Reads;
    BrokerRegistration = 62, Changes;
    BrokerHeartbeat = 63, Changes;
    UnregisterBroker = 64, Changes;
    DescribeTransactions = 65, Reads;
    ListTransactions = 66, Reads;
    AllocateProducerIds = 67, Changes;
    ConsumerGroupHeartbeat = 68, Changes;
    ConsumerGroupDescribe = 69, Reads;
    ControllerRegistration = 70, Changes;
    GetTelemetrySubscriptions = 71, Reads;
    PushTelemetry = 72, Changes;
    AssignReplicasToDirs = 73, Changes;
    ListConfigResources = 74, Reads;
    DescribeTopicPartitions = 75, Reads;
    ShareGroupHeartbeat = 76, Changes;
    ShareGroupDescribe = 77, Reads;
    ShareFetch = 78, Changes;
    ShareAcknowledge = 79, Changes;
    AddRaftVoter = 80, Changes;
    RemoveRaftVoter = 81, Changes;
    UpdateRaftVoter = 82, Changes;
    InitializeShareGroupState = 83, Changes;
    ReadShareGroupState = 84, Reads;
    WriteShareGroupState = 85, Changes;
    DeleteShareGroupState = 86, Changes;
    ReadShareGroupStateSummary = 87, Reads;
    StreamsGroupHeartbeat = 88, Changes;
    StreamsGroupDescribe = 89, Reads;
    DescribeShareGroupOffsets = 90, Reads;
    AlterShareGroupOffsets = 91, Changes;
    DeleteShareGroupOffsets = 92, Changes;
    StreamsGroupTopologyDescriptionUpdate = 93, Changes;
    UnregisterController = 94, Changes;
}

impl ApiKey {
    /// Whether its requests only read, so that one without a response may be sent again or dropped.
    #[must_use]
    pub const fn reads_only(self) -> bool {
        matches!(self.effect(), Effect::Reads)
    }

    /// Whether a request may be sent again although the first one may have been carried out.
    #[must_use]
    pub const fn is_repeatable(self) -> bool {
        match self.effect() {
            Effect::Reads | Effect::Repeatable => true,
            Effect::Changes => false,
        }
    }
}

impl From<i16> for ApiKey {
    fn from(key: i16) -> Self {
        Self::from_key(key)
    }
}

impl From<ApiKey> for i16 {
    fn from(api: ApiKey) -> Self {
        api.key()
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Unknown(key) = self {
            write!(f, "API {key}")
        } else {
            f.pad(self.name())
        }
    }
}

/// A text is neither the name nor the key of an API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no Kafka API: write its name or its key, such as Fetch or 1")]
pub struct ParseApiKeyError {
    text: String,
}

impl FromStr for ApiKey {
    type Err = ParseApiKeyError;

    /// Reads a name, in upper or lower case, or the number of an API that Kafka 4.4.0 knows.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number: Option<i16> = text.parse().ok();
        let matches = |api: &&Self| {
            number.map_or_else(
                || api.name().eq_ignore_ascii_case(text),
                |key| api.key() == key,
            )
        };
        Self::ALL
            .iter()
            .find(matches)
            .copied()
            .ok_or_else(|| ParseApiKeyError {
                text: text.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    #[test]
    fn every_key_survives_the_wire() {
        for key in i16::MIN..=i16::MAX {
            assert_eq!(ApiKey::from(key).key(), key);
        }
    }

    #[test]
    fn keys_and_names_are_those_of_kafkas_schemas() {
        let keys: Vec<_> = schema::api_keys().collect();
        let ours: Vec<_> = ApiKey::ALL.iter().map(|api| api.key()).collect();
        assert_eq!(ours, keys);
        for api in ApiKey::ALL {
            assert_eq!(Some(api.name()), schema::api_name(api.key()));
        }
    }

    #[test]
    fn an_api_is_read_by_name_in_any_case_and_by_key() {
        for text in ["EndTxn", "endtxn", "ENDTXN", "26"] {
            assert_eq!(text.parse(), Ok(ApiKey::EndTxn), "{text}");
        }
        for text in ["", "EndTxn ", "-1", "95", "unknown API", "70000"] {
            let error = text.parse::<ApiKey>().unwrap_err();
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn an_unknown_api_prints_its_key_and_is_never_repeated() {
        let api = ApiKey::from(4711);
        assert_eq!(api.to_string(), "API 4711");
        assert!(!api.reads_only() && !api.is_repeatable());
    }

    #[test]
    fn what_describes_or_lists_only_reads() {
        for api in ApiKey::ALL {
            let name = api.name();
            if ["Describe", "List"]
                .iter()
                .any(|verb| name.starts_with(verb))
                || name.ends_with("Describe")
            {
                assert!(api.reads_only(), "{api}");
            }
        }
    }
}
