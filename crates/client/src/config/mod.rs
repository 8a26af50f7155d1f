//! What can be set, what each default is and why, and which settings do not go together.
//!
//! A builder collects, `build()` checks. The first setting that cannot work comes back as a
//! [`ConfigError`] with its name, its value, the reason and what to do. What was asked for is never
//! changed silently; a default gives way to what was asked for (P-1, P-4).
//!
//! | to | use |
//! |---|---|
//! | set by methods | [`ProducerBuilder`], [`ConsumerBuilder`], [`ClientBuilder`] |
//! | set by the key names of the Java client or librdkafka | their `from_properties` |
//! | set a promise and let the settings follow | [`ProducerBuilder::delivery_guarantee`] |

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

pub use client::{ClientBuilder, ClientConfig, Standalone};
pub use consumer::{ConsumerBuilder, ConsumerConfig};
pub use delivery::DeliveryGuarantee;
pub use error::ConfigError;
pub use milena_codec::record::Compressor;
pub use producer::{
    Idempotent, ProducerBuilder, ProducerConfig, Transactional, TransactionalProducerConfig,
};
pub use properties::FromProperties;
pub use values::{Acks, Partitioner};
