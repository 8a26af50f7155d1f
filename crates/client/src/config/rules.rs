//! Which of a producer's settings cannot work, alone or together (P-1 to P-4).

use std::time::Duration;

use milena_codec::Compression;
use milena_codec::record::Compressor;

use super::client::{ClientConfig, ClientSettings, countable, in_range, positive};
use super::error::Rejections;
use super::producer::{
    COMPRESSION_LEVEL, Level, ProducerConfig, ProducerSettings, TransactionalProducerConfig,
};
use super::values::Acks;
use super::{ConfigError, setting::Setting};

/// Brokers remember this many batches of a producer per partition (P-23).
const IN_FLIGHT_IDEMPOTENT_MAX: usize = 5;
const IN_FLIGHT_MAX: usize = 64;
/// The longest timeout that the protocol has room for.
const TRANSACTION_TIMEOUT_MAX: Duration = Duration::from_millis(i32::MAX.unsigned_abs() as u64);
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(120);

pub(super) fn producer(
    written: &ClientSettings,
    client: Option<ClientConfig>,
    mut settings: ProducerSettings,
    rejections: &mut Rejections,
) -> Option<ProducerConfig> {
    let compressor = resolve(written, &mut settings, rejections);
    Some(checked(client?, settings, compressor?))
}

pub(super) fn transactional_producer(
    written: &ClientSettings,
    client: Option<ClientConfig>,
    mut settings: ProducerSettings,
    rejections: &mut Rejections,
) -> Option<TransactionalProducerConfig> {
    let compressor = resolve(written, &mut settings, rejections);
    let transactional_id = settings
        .transactional_id
        .value()
        .as_deref()
        .unwrap_or_default()
        .into();
    let transaction_timeout = *settings.transaction_timeout.value();
    #[cfg(feature = "two-phase-commit")]
    let two_phase_commit = *settings.two_phase_commit.value();
    let producer = checked(client?, settings, compressor?);
    Some(TransactionalProducerConfig {
        producer,
        transactional_id,
        transaction_timeout,
        #[cfg(feature = "two-phase-commit")]
        two_phase_commit,
    })
}

fn checked(
    mut client: ClientConfig,
    settings: ProducerSettings,
    compression: Compressor,
) -> ProducerConfig {
    client.names = client.names.and(&settings.names());
    if let Some(bound) = bound_of_records(&settings) {
        client.names = client.names.with("record_bytes_max", bound);
    }
    ProducerConfig {
        client,
        acks: settings.acks.into_value(),
        idempotent: settings.enable_idempotence.into_value(),
        retries: settings.retries.into_value(),
        max_in_flight: settings.max_in_flight.into_value(),
        linger: settings.linger.into_value(),
        batch_bytes: settings.batch_bytes.into_value(),
        buffer_memory: settings.buffer_memory.into_value(),
        delivery_timeout: settings.delivery_timeout.into_value(),
        max_block: settings.max_block.into_value(),
        compression,
        partitioner: settings.partitioner.into_value(),
        request_bytes_max: settings.request_bytes_max.into_value(),
        record_bytes_max: settings.record_bytes_max.into_value(),
    }
}

/// The name of the setting that the greatest record follows from, where the caller set that one alone.
fn bound_of_records(settings: &ProducerSettings) -> Option<&str> {
    let (request, memory) = (&settings.request_bytes_max, &settings.buffer_memory);
    let bound = if memory.value() < request.value() {
        memory
    } else {
        request
    };
    let follows = bound.is_explicit() && !settings.record_bytes_max.is_explicit();
    follows.then(|| bound.name())
}

/// Overrides defaults by what the caller set; what the caller set and cannot work is added to `rejections`.
pub(super) fn resolve(
    client: &ClientSettings,
    settings: &mut ProducerSettings,
    rejections: &mut Rejections,
) -> Option<Compressor> {
    if let Some(guarantee) = *settings.delivery_guarantee.value() {
        guarantee.apply(settings, rejections);
    }
    rejections.keep(transactional_id(settings));
    rejections.keep(two_phase_commit(settings));
    rejections.keep(idempotence(settings));
    rejections.keep(in_flight(settings));
    sizes(settings, rejections);
    rejections.keep(times(&client.request_timeout, settings));
    rejections.keep(compressor(settings))
}

/// The codec with the last level that is for it. A level for another codec has to exist too, as it
/// would surprise on the day that codec is chosen.
fn compressor(settings: &ProducerSettings) -> Result<Compressor, ConfigError> {
    let codec = *settings.compression.value();
    let mut chosen = Compressor::from(codec);
    for level in &settings.compression_levels {
        let for_codec = level.codec.unwrap_or(codec);
        let rejected = |reason: String| {
            let remedy = "choose another, or leave it unset";
            ConfigError::new(&level.name, level.level, reason, remedy)
        };
        let no_effect = without_effect(level, codec);
        if let Some(reason) = &no_effect
            && level.name == COMPRESSION_LEVEL
        {
            return Err(rejected(reason.clone()));
        }
        if level.codec.is_none() && no_effect.is_some() {
            continue;
        }
        let compressor = Compressor::with_level(for_codec, level.level)
            .map_err(|error| rejected(error.to_string()))?;
        if no_effect.is_none() {
            chosen = compressor;
        }
    }
    Ok(chosen)
}

/// Why a level has no effect with the codec that is used, if it has none.
pub(super) fn without_effect(level: &Level, codec: Compression) -> Option<String> {
    match level.codec {
        Some(only) if only != codec => Some(format!(
            "the compression is {}, not {}",
            codec.name(),
            only.name()
        )),
        _ if codec == Compression::None => Some("the compression is none".to_owned()),
        _ if !codec.has_levels() => Some(format!("{} has one level here", codec.name())),
        _ => None,
    }
}

fn transactional_id(settings: &ProducerSettings) -> Result<(), ConfigError> {
    let Some(id) = settings.transactional_id.value() else {
        return Ok(());
    };
    if id.is_empty() {
        return Err(settings.transactional_id.reject(
            "an empty id names no producer",
            "choose a name that this instance keeps over restarts",
        ));
    }
    if id.len() > i16::MAX as usize {
        let length = format!("({} bytes)", id.len());
        let name = settings.transactional_id.name();
        return Err(ConfigError::new(
            name,
            length,
            "the protocol has room for 32767 bytes",
            "shorten it",
        ));
    }
    positive(&settings.transaction_timeout)
}

/// What waits for another system's decision has no timeout, so none may be set (T-45).
fn two_phase_commit(settings: &mut ProducerSettings) -> Result<(), ConfigError> {
    let two_phase = &settings.two_phase_commit;
    if !*two_phase.value() {
        return Ok(());
    }
    if settings.transactional_id.value().is_none() {
        return Err(two_phase.reject(
            "only transactions can be prepared, and there is no transactional id",
            "set a transactional id, or leave it unset",
        ));
    }
    if settings.transaction_timeout.is_explicit() {
        return Err(settings.transaction_timeout.reject(
            format!(
                "{} is set, and no timeout ends a transaction of a two-phase commit",
                two_phase.name()
            ),
            format!("leave it unset, or do without {}", two_phase.name()),
        ));
    }
    settings.transaction_timeout.imply(TRANSACTION_TIMEOUT_MAX);
    Ok(())
}

/// Idempotence needs `acks=all` and retries (P-1, P-2). If the caller enabled it, what breaks it is rejected; the
/// default is overridden.
fn idempotence(settings: &mut ProducerSettings) -> Result<(), ConfigError> {
    let idempotence = &settings.enable_idempotence;
    let transactional = settings.transactional_id.value().is_some();
    if !*idempotence.value() {
        return if transactional {
            Err(idempotence.reject(
                "a transactional id needs idempotence, and it is switched off",
                "leave it unset, or do without the transactional id",
            ))
        } else {
            Ok(())
        };
    }
    let Some(rejection) = conflict_with_idempotence(settings) else {
        return Ok(());
    };
    if transactional || idempotence.is_explicit() {
        return Err(rejection);
    }
    tracing::info!(
        setting = rejection.setting(),
        value = rejection.value(),
        "idempotence is off: retries may write a record twice or out of order"
    );
    settings.enable_idempotence.imply(false);
    Ok(())
}

fn conflict_with_idempotence(settings: &ProducerSettings) -> Option<ConfigError> {
    let wanted_by = match settings.transactional_id.value() {
        Some(_) => settings.transactional_id.name(),
        None => settings.enable_idempotence.name(),
    };
    if *settings.acks.value() != Acks::All {
        return Some(settings.acks.reject(
            format!("{wanted_by} is set and needs every in-sync replica to acknowledge"),
            format!("set it to all, or do without {wanted_by}"),
        ));
    }
    if *settings.retries.value() == 0 {
        return Some(settings.retries.reject(
            format!("{wanted_by} is set and needs retries"),
            format!("leave it unset, or do without {wanted_by}"),
        ));
    }
    None
}

fn in_flight(settings: &ProducerSettings) -> Result<(), ConfigError> {
    let requests = &settings.max_in_flight;
    if !*settings.enable_idempotence.value() {
        return in_range(requests, 1, IN_FLIGHT_MAX);
    }
    if *requests.value() > IN_FLIGHT_IDEMPOTENT_MAX {
        return Err(requests.reject(
            "brokers recognise a repeated batch among the last 5 of a producer only",
            "choose 1..=5, or switch idempotence off",
        ));
    }
    in_range(requests, 1, IN_FLIGHT_IDEMPOTENT_MAX)
}

fn sizes(settings: &mut ProducerSettings, rejections: &mut Rejections) {
    rejections.keep(in_range(&settings.request_bytes_max, 1 << 10, 100 << 20));
    rejections.keep(in_range(&settings.buffer_memory, 1 << 10, usize::MAX));
    let request = &settings.request_bytes_max;
    if !settings.record_bytes_max.is_explicit() {
        // A record may be as large as a request, unless the memory is smaller still.
        let memory = *settings.buffer_memory.value();
        settings
            .record_bytes_max
            .imply((*request.value()).min(memory));
    }
    if !settings.batch_bytes.is_explicit() {
        let smaller = (*settings.batch_bytes.value())
            .min(*request.value())
            .min(*settings.buffer_memory.value());
        settings.batch_bytes.imply(smaller);
    }
    let (record, batch) = (&settings.record_bytes_max, &settings.batch_bytes);
    let memory = &settings.buffer_memory;
    if *record.value() == 0 {
        rejections.keep::<()>(Err(
            record.reject("no record is that small", "leave it unset")
        ));
    }
    for fitting in [
        fits(record, request, "a record has to fit into a request"),
        fits(batch, request, "a batch has to fit into a request"),
        fits(
            record,
            memory,
            "a record that never finds room is never sent",
        ),
        fits(batch, memory, "a batch that never finds room is never sent"),
    ] {
        rejections.keep(fitting);
    }
}

fn fits(small: &Setting<usize>, large: &Setting<usize>, reason: &str) -> Result<(), ConfigError> {
    if small.value() <= large.value() {
        return Ok(());
    }
    Err(small.reject(
        format!("{reason}, and {} is {}", large.name(), large.value()),
        format!("lower it, or raise {}", large.name()),
    ))
}

/// P-4, and for transactions T-72.
fn times(
    request_timeout: &Setting<Duration>,
    settings: &mut ProducerSettings,
) -> Result<(), ConfigError> {
    countable(&settings.linger)?;
    countable(&settings.max_block)?;
    positive(&settings.delivery_timeout)?;
    let least = settings
        .linger
        .value()
        .saturating_add(*request_timeout.value());
    let delivery = &settings.delivery_timeout;
    if !delivery.is_explicit() {
        let wanted = match settings.transactional_id.value() {
            Some(_) => DELIVERY_TIMEOUT.min(*settings.transaction_timeout.value() / 6 * 5),
            None => DELIVERY_TIMEOUT,
        };
        settings.delivery_timeout.imply(wanted.max(least));
        return Ok(());
    }
    if *delivery.value() < least {
        return Err(delivery.reject(
            format!(
                "one attempt alone may take {} + {} = {least:?}",
                settings.linger.name(),
                request_timeout.name()
            ),
            format!("raise it, or lower {}", request_timeout.name()),
        ));
    }
    if settings.transactional_id.value().is_some()
        && delivery.value() >= settings.transaction_timeout.value()
    {
        tracing::warn!(
            delivery_timeout = ?delivery.value(),
            transaction_timeout = ?settings.transaction_timeout.value(),
            "the coordinator may abort a transaction while a batch of it is still retried"
        );
    }
    Ok(())
}
