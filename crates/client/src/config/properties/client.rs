//! The keys that producers, consumers and the admin client have in common.

use super::super::client::{ClientBuilder, ClientSettings};
use super::{ConfigError, FromProperties, Known, Property, apply_all};

impl ClientBuilder {
    /// A builder from `(key, value)` pairs with the key names of the Java client or librdkafka.
    ///
    /// Keys that mean nothing here are listed in the answer, not refused.
    ///
    /// # Errors
    /// A value that cannot be read or that asks for what is not to be had here, by its key.
    pub fn from_properties<K, V>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<FromProperties<Self>, ConfigError>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        let mut client = ClientSettings::default();
        let unknown = apply_all(properties, |property| apply(&mut client, property))?;
        client.check()?;
        Ok(FromProperties {
            builder: Self { client },
            unknown,
        })
    }
}

/// Takes one property if it is one of those that all clients share.
pub(super) fn apply(
    client: &mut ClientSettings,
    property: Property<'_>,
) -> Result<Known, ConfigError> {
    let Property { key, value } = property;
    match key {
        "bootstrap.servers" | "metadata.broker.list" => {
            client.bootstrap.set_as(key, vec![value.to_owned()])?;
        }
        "client.id" => client.client_id.set_as(key, value.to_owned())?,
        "request.timeout.ms" => client.request_timeout.set_as(key, property.millis()?)?,
        "socket.connection.setup.timeout.ms" => {
            client.connect_timeout.set_as(key, property.millis()?)?;
        }
        "retry.backoff.ms" => client.retry_backoff.set_as(key, property.millis()?)?,
        "retry.backoff.max.ms" => client.retry_backoff_max.set_as(key, property.millis()?)?,
        "reconnect.backoff.ms" => client.reconnect_backoff.set_as(key, property.millis()?)?,
        "reconnect.backoff.max.ms" => {
            client
                .reconnect_backoff_max
                .set_as(key, property.millis()?)?;
        }
        "metadata.max.age.ms" | "topic.metadata.refresh.interval.ms" => {
            client.metadata_max_age.set_as(key, property.millis()?)?;
        }
        "receive.message.max.bytes" => client.limits.frame_bytes = property.number()?,
        _ => return out_of_reach(property),
    }
    Ok(Known::Yes)
}

/// Keys that ask for what is not to be had here.
fn out_of_reach(property: Property<'_>) -> Result<Known, ConfigError> {
    match property.key {
        "security.protocol" => property.only(
            &["PLAINTEXT"],
            "TLS and SASL are not built yet, and going on without them would send records in the clear",
            "leave it unset where a plain connection is acceptable",
        ),
        key if key.starts_with("ssl.") || key.starts_with("sasl.") || key == "enable.ssl.certificate.verification" => {
            property.only(
                &[""],
                "TLS and SASL are not built yet, so it would have no effect",
                "leave it unset where a plain connection is acceptable",
            )
        }
        "interceptor.classes" | "plugin.library.paths" => property.only(
            &[""],
            "classes and libraries of other languages cannot run here",
            "leave it unset",
        ),
        "metadata.recovery.strategy" | "client.dns.lookup" | "broker.address.family" => {
            Ok(Known::No)
        }
        _ => Ok(Known::No),
    }
}
