//! The settings of a broker that change what this one does, apart from those that topics follow.

use crate::cluster::Settings;
use std::time::Duration;

/// How a setting is read from what the cluster is configured with, and put there.
pub(crate) struct Effect {
    pub(crate) name: &'static str,
    pub(crate) read: fn(&Settings) -> String,
    /// `None` if the value is out of range.
    pub(crate) write: fn(&mut Settings, &str) -> Option<()>,
}

macro_rules! effects {
    ($($name:literal => $kind:ident $($field:ident).+;)*) => {
        /// All of them.
        pub(crate) const EFFECTS: &[Effect] = &[$(
            Effect {
                name: $name,
                read: |settings| $kind::read(&settings.$($field).+),
                write: |settings, value| {
                    settings.$($field).+ = $kind::parse(value)?;
                    Some(())
                },
            },
        )*];
    };
}

/// A time in milliseconds.
mod millis {
    use super::Duration;

    pub(super) fn read(value: &Duration) -> String {
        value.as_millis().to_string()
    }

    pub(super) fn parse(value: &str) -> Option<Duration> {
        value.trim().parse().ok().map(Duration::from_millis)
    }
}

/// A number, or true or false.
mod plain {
    use std::fmt::Display;
    use std::str::FromStr;

    pub(super) fn read(value: &impl Display) -> String {
        value.to_string()
    }

    pub(super) fn parse<T: FromStr>(value: &str) -> Option<T> {
        value.trim().to_ascii_lowercase().parse().ok()
    }
}

/// The class that chooses the replica for a client.
mod selector {
    const RACK_AWARE: &str = "org.apache.kafka.common.replica.RackAwareReplicaSelector";

    pub(super) fn read(closest: &bool) -> String {
        if *closest {
            RACK_AWARE.to_owned()
        } else {
            String::new()
        }
    }

    pub(super) fn parse(value: &str) -> Option<bool> {
        Some(value == RACK_AWARE)
    }
}

effects! {
    "add.partitions.to.txn.retry.backoff.max.ms" => millis marker_wait.max;
    "add.partitions.to.txn.retry.backoff.ms" => millis marker_wait.backoff;
    "auto.create.topics.enable" => plain auto_create_topics;
    "default.replication.factor" => plain default_replication;
    "delete.topic.enable" => plain delete_topics;
    "group.consumer.assignment.interval.ms" => millis groups.consumer_assignment_interval;
    "group.consumer.heartbeat.interval.ms" => millis groups.consumer_heartbeat_interval;
    "group.consumer.session.timeout.ms" => millis groups.consumer_session_timeout;
    "group.initial.rebalance.delay.ms" => millis groups.initial_rebalance_delay;
    "group.max.session.timeout.ms" => millis groups.session_timeout_max;
    "group.max.size" => plain groups.members_max;
    "group.min.session.timeout.ms" => millis groups.session_timeout_min;
    "log.cleaner.backoff.ms" => millis cleaning.compaction_interval;
    "log.cleaner.enable" => plain cleaning.compacts;
    "log.retention.check.interval.ms" => millis cleaning.retention_interval;
    "num.partitions" => plain default_partitions;
    "offset.metadata.max.bytes" => plain groups.metadata_bytes_max;
    "producer.id.expiration.check.interval.ms" => millis producer_expiry.scan;
    "producer.id.expiration.ms" => millis producer_expiry.after;
    "replica.selector.class" => selector closest_replica;
    "socket.request.max.bytes" => plain request_bytes_max;
    "transaction.abort.timed.out.transaction.cleanup.interval.ms" => millis transactions.timeout_scan;
    "transaction.max.timeout.ms" => millis transactions.timeout_max;
    "transaction.remove.expired.transaction.cleanup.interval.ms" => millis transactions.id_expiration_scan;
    "transactional.id.expiration.ms" => millis transactions.id_expiration;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::config::BrokerConfigs;

    #[test]
    fn every_effect_is_that_of_a_setting() {
        for effect in EFFECTS {
            assert!(BrokerConfigs::key(effect.name).is_some(), "{}", effect.name);
        }
    }
}
