//! Delivery guarantees as presets: what they set, and what would break them.

use std::fmt;

use super::error::Rejections;
use super::setting::Shown;
use super::values::Acks;
use super::{ConfigError, producer::ProducerSettings};

/// What a producer promises. A preset sets `acks`, `retries`, idempotence and in-flight
/// together; a setting that the caller set and that breaks the promise is rejected with an error that names it.
///
/// Without a preset the defaults are those of [`AtLeastOnce`](Self::AtLeastOnce) with idempotence:
/// acknowledged records are not lost, and the producer's own retries make no duplicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryGuarantee {
    /// None: no broker is asked whether a record arrived. `acks` 0, no retries, no idempotence.
    /// Nothing breaks it; other settings are used as they are.
    None,
    /// A record is written once or not at all: a write without a response is not repeated.
    /// `acks` all, no retries, no idempotence.
    AtMostOnce,
    /// A record reported as written is not lost, and what can be retried is: `acks` all, retries
    /// until the delivery timeout, idempotence. An application that sends a record again after an
    /// unknown outcome, or after a restart, can write it twice.
    AtLeastOnce,
    /// Records become visible once, together, or not at all, over restarts too: transactions.
    /// Needs a transactional id, and readers with isolation `read_committed`.
    ExactlyOnce,
}

impl fmt::Display for DeliveryGuarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::AtMostOnce => "at_most_once",
            Self::AtLeastOnce => "at_least_once",
            Self::ExactlyOnce => "exactly_once",
        })
    }
}

impl Shown for DeliveryGuarantee {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl DeliveryGuarantee {
    /// Sets what the caller has not set, rejects what the caller has set and breaks the promise.
    pub(super) fn apply(self, settings: &mut ProducerSettings, rejections: &mut Rejections) {
        match self {
            Self::None => {
                rejections.keep(less_than_transactions(settings));
                none(settings);
            }
            Self::AtMostOnce => {
                rejections.keep(less_than_transactions(settings));
                rejections.keep(at_most_once(settings));
            }
            Self::AtLeastOnce => never_lost(self, settings, rejections),
            Self::ExactlyOnce => {
                never_lost(self, settings, rejections);
                exactly_once(settings, rejections);
            }
        }
    }
}

fn less_than_transactions(settings: &ProducerSettings) -> Result<(), ConfigError> {
    if settings.transactional_id.value().is_none() {
        return Ok(());
    }
    Err(settings.delivery_guarantee.reject(
        format!(
            "{} is set, and transactions promise more",
            settings.transactional_id.name()
        ),
        "set exactly_once, or do without the transactional id",
    ))
}

/// Whether the caller enabled idempotence, so that brokers recognise repetitions.
fn wants_idempotence(settings: &ProducerSettings) -> bool {
    settings.enable_idempotence.is_explicit() && *settings.enable_idempotence.value()
}

fn none(settings: &mut ProducerSettings) {
    if !wants_idempotence(settings) {
        settings.acks.imply(Acks::NoneMayLose);
        settings.retries.imply(0);
        settings.enable_idempotence.imply(false);
    }
}

fn at_most_once(settings: &mut ProducerSettings) -> Result<(), ConfigError> {
    if wants_idempotence(settings) {
        // The broker recognises the repetition of a write, so retries can't break the promise.
        return Ok(());
    }
    if settings.retries.is_explicit() && *settings.retries.value() > 0 {
        return Err(settings.retries.reject(
            "delivery guarantee at_most_once: a retry after a lost response writes the record twice",
            "set it to 0, or enable idempotence as well",
        ));
    }
    settings.retries.imply(0);
    settings.enable_idempotence.imply(false);
    Ok(())
}

fn never_lost(
    guarantee: DeliveryGuarantee,
    settings: &ProducerSettings,
    rejections: &mut Rejections,
) {
    let acks = &settings.acks;
    if acks.is_explicit() && *acks.value() != Acks::All {
        rejections.keep::<()>(Err(acks.reject(
            format!(
                "delivery guarantee {guarantee}: a record that only the leader has is lost with it"
            ),
            "set it to all",
        )));
    }
    let retries = &settings.retries;
    if retries.is_explicit() && *retries.value() == 0 {
        rejections.keep::<()>(Err(retries.reject(
            format!("delivery guarantee {guarantee}: every change of a leader would drop records"),
            "leave it unset; delivery_timeout is the bound",
        )));
    }
}

fn exactly_once(settings: &ProducerSettings, rejections: &mut Rejections) {
    let idempotence = &settings.enable_idempotence;
    if idempotence.is_explicit() && !*idempotence.value() {
        rejections.keep::<()>(Err(idempotence.reject(
            "delivery guarantee exactly_once: a retry would write the record twice",
            "leave it unset",
        )));
    }
    let id = &settings.transactional_id;
    if id.value().is_none() {
        rejections.keep::<()>(Err(id.reject(
            "delivery guarantee exactly_once: without transactions a restart writes records twice",
            "give every instance a transactional id of its own that it keeps over restarts",
        )));
    }
}
