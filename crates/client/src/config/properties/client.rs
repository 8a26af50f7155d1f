//! The settings that producers, consumers and the admin client have in common.

use super::super::catalogue::{Row, SettingOf};
use super::super::client::{ClientBuilder, ClientSettings};
use super::super::setting::Shown;
use super::without_setting::Reader;
use super::{ConfigError, FromProperties, read};

impl ClientBuilder {
    /// A builder from `(key, value)` pairs with the keys of the Java client or librdkafka, such as those of
    /// [`Properties`](super::Properties).
    ///
    /// Keys that set nothing are listed in the result with advice, not rejected.
    ///
    /// # Errors
    /// Every value that cannot be read, that asks for what is not built, or that conflicts with another one, each
    /// named by its key.
    pub fn from_properties<K, V>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<FromProperties<Self>, ConfigError>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        let mut client = ClientSettings::default();
        let none: &[Row<()>] = &[];
        let mut reading = read(Reader::Admin, properties, none, &mut (), &mut client);
        client.check_so_far(&mut reading.rejections);
        reading.finish(Self { client })
    }
}

const ALL: SettingOf = SettingOf::Client;
const MILLISECONDS: &str = "1 ms..=2,147,483,647 ms";

/// In the order of docs/SETTINGS.md.
pub(in super::super) const CLIENT: &[Row<ClientSettings>] = &[
    Row {
        of: ALL,
        keys: &["bootstrap.servers", "metadata.broker.list"],
        method: "new",
        default: |_| "(required)".to_owned(),
        range: "host:port, separated by commas",
        difference: "the port may be left out (9092), and PLAINTEXT:// may stand in front, as in librdkafka",
        set: |client, property| {
            let list = vec![property.value.to_owned()];
            client.bootstrap.set_as(property.key, list)
        },
    },
    Row {
        of: ALL,
        keys: &["client.id"],
        method: "client_id",
        default: |client| client.client_id.value().shown(),
        range: "up to 32,767 bytes",
        difference: "Java: empty",
        set: |client, property| {
            let id = property.value.to_owned();
            client.client_id.set_as(property.key, id)
        },
    },
    Row {
        of: ALL,
        keys: &["request.timeout.ms"],
        method: "request_timeout",
        default: |client| client.request_timeout.value().shown(),
        range: MILLISECONDS,
        difference: "librdkafka calls it socket.timeout.ms",
        set: |client, property| {
            let wait = property.millis()?;
            client.request_timeout.set_as(property.key, wait)
        },
    },
    Row {
        of: ALL,
        keys: &["socket.connection.setup.timeout.ms"],
        method: "connect_timeout",
        default: |client| client.connect_timeout.value().shown(),
        range: MILLISECONDS,
        difference: "does not grow from attempt to attempt",
        set: |client, property| {
            let wait = property.millis()?;
            client.connect_timeout.set_as(property.key, wait)
        },
    },
    Row {
        of: ALL,
        keys: &["retry.backoff.ms"],
        method: "retry_backoff",
        default: |client| client.retry_backoff.value().shown(),
        range: MILLISECONDS,
        difference: "",
        set: |client, property| {
            let wait = property.millis()?;
            client.retry_backoff.set_as(property.key, wait)
        },
    },
    Row {
        of: ALL,
        keys: &["retry.backoff.max.ms"],
        method: "retry_backoff",
        default: |client| client.retry_backoff_max.value().shown(),
        range: "from retry.backoff.ms",
        difference: "the default grows with retry.backoff.ms",
        set: |client, property| {
            let wait = property.millis()?;
            client.retry_backoff_max.set_as(property.key, wait)
        },
    },
    Row {
        of: ALL,
        keys: &["reconnect.backoff.ms"],
        method: "reconnect_backoff",
        default: |client| client.reconnect_backoff.value().shown(),
        range: MILLISECONDS,
        difference: "",
        set: |client, property| {
            let wait = property.millis()?;
            client.reconnect_backoff.set_as(property.key, wait)
        },
    },
    Row {
        of: ALL,
        keys: &["reconnect.backoff.max.ms"],
        method: "reconnect_backoff",
        default: |client| client.reconnect_backoff_max.value().shown(),
        range: "from reconnect.backoff.ms",
        difference: "the default grows with reconnect.backoff.ms",
        set: |client, property| {
            let wait = property.millis()?;
            client.reconnect_backoff_max.set_as(property.key, wait)
        },
    },
    Row {
        of: ALL,
        keys: &["metadata.max.age.ms", "topic.metadata.refresh.interval.ms"],
        method: "metadata_max_age",
        default: |client| client.metadata_max_age.value().shown(),
        range: MILLISECONDS,
        difference: "",
        set: |client, property| {
            let age = property.millis()?;
            client.metadata_max_age.set_as(property.key, age)
        },
    },
    Row {
        of: ALL,
        keys: &["milena.in.flight.requests.max"],
        method: "in_flight_requests_max",
        default: |client| client.in_flight_requests_max.value().shown(),
        range: "1..=10,000",
        difference: "Kafka has no such setting",
        set: |client, property| {
            let requests = property.number()?;
            client.in_flight_requests_max.set_as(property.key, requests)
        },
    },
    Row {
        of: ALL,
        keys: &["milena.fail.unreachable.at.once"],
        method: "fail_unreachable_at_once",
        default: |client| client.fail_unreachable_at_once.value().shown(),
        range: "true, false",
        difference: "Kafka has no such setting",
        set: |client, property| {
            let fail = property.boolean()?;
            client.fail_unreachable_at_once.set_as(property.key, fail)
        },
    },
    Row {
        of: ALL,
        keys: &["milena.max.versions"],
        method: "max_versions",
        default: |_| "(no caps)".to_owned(),
        range: "API:VERSION, separated by commas",
        difference: "Kafka has no such setting",
        set: |client, property| {
            let caps = property.versions()?;
            client.max_versions.set_as(property.key, caps)
        },
    },
    Row {
        of: ALL,
        keys: &["receive.message.max.bytes"],
        method: "limits",
        default: |client| client.frame_bytes.value().shown(),
        range: "1,024..=2,147,483,647",
        difference: "librdkafka's; Java has no such setting. The method sets other limits too",
        set: |client, property| {
            let bytes = property.number()?;
            client.frame_bytes.set_as(property.key, bytes)
        },
    },
];
