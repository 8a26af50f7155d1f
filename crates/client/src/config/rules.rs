//! Which of a producer's settings cannot work, alone or together (P-1 to P-4).

use std::time::Duration;

use milena_codec::Compression;
use milena_codec::record::Compressor;

use super::client::{ClientConfig, countable, in_range, positive};
use super::producer::{Level, ProducerConfig, ProducerSettings, TransactionalProducerConfig};
use super::values::Acks;
use super::{ConfigError, setting::Setting};

/// Brokers remember this many batches of a producer per partition (P-23).
const IN_FLIGHT_IDEMPOTENT_MAX: usize = 5;
const IN_FLIGHT_MAX: usize = 64;
/// The longest timeout that the protocol has room for.
const TRANSACTION_TIMEOUT_MAX: Duration = Duration::from_millis(i32::MAX.unsigned_abs() as u64);
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(120);

pub(super) fn producer(
    client: ClientConfig,
    mut settings: ProducerSettings,
) -> Result<ProducerConfig, ConfigError> {
    let compressor = resolve(client.request_timeout, &mut settings)?;
    Ok(checked(client, settings, compressor))
}

pub(super) fn transactional_producer(
    client: ClientConfig,
    mut settings: ProducerSettings,
) -> Result<TransactionalProducerConfig, ConfigError> {
    let compressor = resolve(client.request_timeout, &mut settings)?;
    let transactional_id = settings
        .transactional_id
        .value()
        .as_deref()
        .unwrap_or_default()
        .into();
    let transaction_timeout = *settings.transaction_timeout.value();
    #[cfg(feature = "two-phase-commit")]
    let two_phase_commit = *settings.two_phase_commit.value();
    let producer = checked(client, settings, compressor);
    Ok(TransactionalProducerConfig {
        producer,
        transactional_id,
        transaction_timeout,
        #[cfg(feature = "two-phase-commit")]
        two_phase_commit,
    })
}

fn checked(
    client: ClientConfig,
    settings: ProducerSettings,
    compression: Compressor,
) -> ProducerConfig {
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

/// Defaults give way to what was asked for; what was asked for and cannot work is refused.
pub(super) fn resolve(
    request_timeout: Duration,
    settings: &mut ProducerSettings,
) -> Result<Compressor, ConfigError> {
    if let Some(guarantee) = *settings.delivery_guarantee.value() {
        guarantee.apply(settings)?;
    }
    transactional_id(settings)?;
    two_phase_commit(settings)?;
    idempotence(settings)?;
    in_flight(settings)?;
    sizes(settings)?;
    times(request_timeout, settings)?;
    compressor(settings)
}

/// The codec with the last level that is for it. A level for another codec has to exist too, as it
/// would surprise on the day that codec is chosen.
fn compressor(settings: &ProducerSettings) -> Result<Compressor, ConfigError> {
    let codec = *settings.compression.value();
    let mut chosen = Compressor::from(codec);
    for Level {
        codec: only,
        level,
        name,
    } in &settings.compression_levels
    {
        let for_codec = only.unwrap_or(codec);
        if for_codec == Compression::None {
            continue;
        }
        let compressor = Compressor::with_level(for_codec, *level).map_err(|error| {
            ConfigError::new(
                name,
                level,
                error.to_string(),
                "choose another, or leave it unset",
            )
        })?;
        if for_codec == codec {
            chosen = compressor;
        }
    }
    Ok(chosen)
}

fn transactional_id(settings: &ProducerSettings) -> Result<(), ConfigError> {
    let Some(id) = settings.transactional_id.value() else {
        return Ok(());
    };
    if id.is_empty() {
        return Err(settings.transactional_id.refuse(
            "an empty id names nobody",
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

/// T-45: what waits for another system's decision has no timeout, so none may be asked for.
fn two_phase_commit(settings: &mut ProducerSettings) -> Result<(), ConfigError> {
    let two_phase = &settings.two_phase_commit;
    if !*two_phase.value() {
        return Ok(());
    }
    if settings.transactional_id.value().is_none() {
        return Err(two_phase.refuse(
            "only transactions can be prepared, and there is no transactional id",
            "set a transactional id, or leave it unset",
        ));
    }
    if settings.transaction_timeout.is_explicit() {
        return Err(settings.transaction_timeout.refuse(
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

/// P-1, P-2: idempotence needs `acks=all` and retries. Asked for, it is kept and the other refused;
/// as a mere default it gives way.
fn idempotence(settings: &mut ProducerSettings) -> Result<(), ConfigError> {
    let idempotence = &settings.enable_idempotence;
    let transactional = settings.transactional_id.value().is_some();
    if !*idempotence.value() {
        return if transactional {
            Err(idempotence.refuse(
                "a transactional id needs idempotence, and it is switched off",
                "leave it unset, or do without the transactional id",
            ))
        } else {
            Ok(())
        };
    }
    let Some(refusal) = conflict_with_idempotence(settings) else {
        return Ok(());
    };
    if transactional || idempotence.is_explicit() {
        return Err(refusal);
    }
    tracing::info!(
        setting = refusal.setting(),
        value = refusal.value(),
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
        return Some(settings.acks.refuse(
            format!("{wanted_by} is set and needs the word of every in-sync replica"),
            format!("set it to all, or do without {wanted_by}"),
        ));
    }
    if *settings.retries.value() == 0 {
        return Some(settings.retries.refuse(
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
        return Err(requests.refuse(
            "brokers recognise a repeated batch among the last 5 of a producer only (P-23)",
            "choose 1..=5, or switch idempotence off",
        ));
    }
    in_range(requests, 1, IN_FLIGHT_IDEMPOTENT_MAX)
}

fn sizes(settings: &mut ProducerSettings) -> Result<(), ConfigError> {
    in_range(&settings.request_bytes_max, 1 << 10, 100 << 20)?;
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
    fits(
        &settings.record_bytes_max,
        request,
        "a record has to fit into a request",
    )?;
    fits(
        &settings.batch_bytes,
        request,
        "a batch has to fit into a request",
    )?;
    let memory = &settings.buffer_memory;
    if *memory.value() < 1 << 10 {
        return Err(memory.refuse("next to nothing fits in", "choose 1024 bytes or more"));
    }
    fits(
        &settings.record_bytes_max,
        memory,
        "a record that never finds room is never sent",
    )?;
    fits(
        &settings.batch_bytes,
        memory,
        "a batch that never finds room is never sent",
    )?;
    if *settings.record_bytes_max.value() == 0 {
        return Err(settings
            .record_bytes_max
            .refuse("no record is that small", "leave it unset"));
    }
    Ok(())
}

fn fits(small: &Setting<usize>, large: &Setting<usize>, reason: &str) -> Result<(), ConfigError> {
    if small.value() <= large.value() {
        return Ok(());
    }
    Err(small.refuse(
        format!("{reason}, and {} is {}", large.name(), large.value()),
        format!("lower it, or raise {}", large.name()),
    ))
}

/// P-4, and for transactions T-72.
fn times(request_timeout: Duration, settings: &mut ProducerSettings) -> Result<(), ConfigError> {
    countable(&settings.linger)?;
    countable(&settings.max_block)?;
    positive(&settings.delivery_timeout)?;
    let least = *settings.linger.value() + request_timeout;
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
        return Err(delivery.refuse(
            format!("one attempt alone may take linger + request_timeout = {least:?} (P-4)"),
            "raise it, or lower request_timeout",
        ));
    }
    if settings.transactional_id.value().is_some()
        && delivery.value() >= settings.transaction_timeout.value()
    {
        tracing::warn!(
            delivery_timeout = ?delivery.value(),
            transaction_timeout = ?settings.transaction_timeout.value(),
            "the coordinator may abort a transaction while a batch of it is still retried (T-72)"
        );
    }
    Ok(())
}
