//! What can be set, what each default is and why, and which settings do not go together.
//!
//! A builder collects, `build()` checks. The settings that cannot work are returned as a
//! [`ConfigError`], all of them, each with its name, its value, the reason and what to do. A value that the
//! caller set is never changed silently; a default is overridden by what the caller set.
//!
//! | to | use |
//! |---|---|
//! | set by methods | [`ProducerBuilder`], [`ConsumerBuilder`], [`ClientBuilder`] |
//! | set by the keys of the Java client or librdkafka | their `from_properties` |
//! | read a file of settings | [`Properties`] |
//! | set a promise and let the settings follow | [`ProducerBuilder::delivery_guarantee`] |
//! | list every setting with its key, default and range | [`settings`] |

mod catalogue;
mod client;
mod consumer;
mod delivery;
mod error;
mod producer;
mod properties;
mod rules;
mod setting;
#[cfg(test)]
mod tests;
mod values;

pub use catalogue::{
    KeyWithoutSetting, SettingDescription, SettingOf, keys_without_setting, settings,
};
pub use client::{ClientBuilder, ClientConfig, Standalone};
pub use consumer::{ConsumerBuilder, ConsumerConfig};
pub use delivery::DeliveryGuarantee;
pub use error::{ConfigError, RejectedSetting};
pub use milena_codec::record::Compressor;
pub use producer::{
    Idempotent, ProducerBuilder, ProducerConfig, Transactional, TransactionalProducerConfig,
};
pub use properties::{FromProperties, Properties, PropertyNote};
pub use values::{Acks, Partitioner};
