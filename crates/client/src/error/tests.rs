use super::*;

fn cause() -> Cause {
    Arc::new(std::io::Error::other("reset"))
}

fn refused(code: ErrorCode) -> Error {
    Error::broker(code, ApiKey::Produce, Some(1))
}

/// At least one error of every variant, and of every way its fields decide the class.
fn every_variant() -> Vec<Error> {
    let topic: Arc<str> = "orders".into();
    let elapsed = Duration::from_secs(120);
    let inner = || Arc::new(refused(ErrorCode::NotEnoughReplicas));
    let timeout = |reached_the_wire| Error::DeliveryTimeout {
        topic: "orders".into(),
        partition: 3,
        elapsed,
        reached_the_wire,
        cause: Some(inner()),
    };
    let mut errors = vec![
        Error::BufferFull {
            bytes: 10,
            buffer_memory: 32,
            waited: elapsed,
            setting: "buffer_memory".into(),
            cause: None,
        },
        Error::Closed {
            what: "the producer",
        },
        ConfigError::new("acks", "2", "Kafka knows 0, 1 and all", "use one of them").into(),
        Error::CorruptRecords {
            topic: topic.clone(),
            partition: 3,
            offset: 7,
            cause: cause(),
        },
        timeout(true),
        timeout(false),
        Error::Fatal { cause: inner() },
        Error::Fenced {
            transactional_id: "orders-1".into(),
            cause: Some(inner()),
        },
        Error::LogTruncated {
            topic: topic.clone(),
            partition: 3,
            position: 9,
            diverging_offset: Some(5),
        },
        Error::Malformed {
            request: ApiKey::Produce,
            broker: None,
            cause: cause(),
        },
        Error::misuse("begin was called inside a transaction"),
        Error::OffsetOutOfRange {
            topic: topic.clone(),
            partition: 3,
            offset: 9,
            log_start_offset: Some(1),
            high_watermark: None,
        },
        Error::OutcomeUnknown {
            operation: "the commit".into(),
            cause: None,
        },
        Error::RecordTooLarge {
            bytes: 2,
            bytes_max: 1,
            setting: "record_bytes_max".into(),
        },
        Error::Timeout {
            operation: "learning orders".into(),
            elapsed,
            cause: Some(inner()),
        },
        Error::TransactionAbortable { cause: inner() },
        Error::TransactionAborted,
        Error::Transport {
            request: Some(ApiKey::Metadata),
            address: None,
            sent: false,
            cause: cause(),
        },
    ];
    for code in ErrorCode::ALL
        .iter()
        .copied()
        .chain([ErrorCode::from(4711)])
    {
        errors.push(refused(code));
        errors.push(Error::broker(code, ApiKey::Metadata, None));
        errors.push(Error::partition(
            code,
            ApiKey::EndTxn,
            None,
            topic.clone(),
            0,
        ));
    }
    errors
}

#[test]
fn the_four_classes_are_disjoint_for_every_variant() {
    for error in every_variant() {
        let classes = [
            error.is_retriable(),
            error.is_abortable(),
            error.is_fatal(),
            error.is_outcome_unknown(),
        ];
        assert!(
            classes.iter().filter(|held| **held).count() <= 1,
            "{error}: {classes:?}"
        );
    }
}

#[test]
fn a_delivery_that_reached_the_wire_is_unknown_and_one_that_did_not_is_retriable() {
    for error in every_variant() {
        if let Error::DeliveryTimeout {
            reached_the_wire, ..
        } = &error
        {
            assert_eq!(error.is_outcome_unknown(), *reached_the_wire);
            assert_eq!(error.is_retriable(), !*reached_the_wire);
        }
    }
}

#[test]
fn fenced_is_fatal_and_not_abortable() {
    let fenced = Error::Fenced {
        transactional_id: "orders-1".into(),
        cause: None,
    };
    assert!(fenced.is_fenced() && fenced.is_fatal() && !fenced.is_abortable());
    assert!(fenced.clone().into_abortable().is_fenced());
    assert!(fenced.into_fatal().is_fenced());
}

#[test]
fn whatever_spoils_a_transaction_becomes_abortable_unless_it_ended_the_producer() {
    for error in every_variant() {
        let was_fatal = error.is_fatal() && !matches!(error, Error::Broker { .. });
        let spoiled = error.into_abortable();
        assert_eq!(spoiled.is_fatal(), was_fatal, "{spoiled:?}");
        assert_eq!(spoiled.is_abortable(), !was_fatal, "{spoiled:?}");
    }
}

#[test]
fn display_prints_its_own_level_and_source_the_cause() {
    let error = refused(ErrorCode::InvalidProducerEpoch).into_abortable();
    assert_eq!(error.to_string(), "the transaction can only be aborted");
    let source = std::error::Error::source(&error).map(ToString::to_string);
    assert_eq!(
        source.as_deref(),
        Some("broker 1 responded to Produce with INVALID_PRODUCER_EPOCH (47)")
    );
    assert_eq!(error.code(), Some(ErrorCode::InvalidProducerEpoch));
}

#[test]
fn a_partition_answer_names_request_broker_topic_and_partition() {
    let code = ErrorCode::NotEnoughReplicas;
    let error = Error::partition(code, ApiKey::Produce, Some(2), "orders".into(), 3);
    assert_eq!(
        error.to_string(),
        "broker 2 responded to Produce for orders-3 with NOT_ENOUGH_REPLICAS (19)"
    );
}

/// A result of a delivery carries this on every record's path.
#[test]
fn the_error_stays_small() {
    assert!(size_of::<Error>() <= 96, "{}", size_of::<Error>());
}
