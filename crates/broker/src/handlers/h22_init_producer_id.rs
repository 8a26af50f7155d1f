//! InitProducerId: see [`crate::txn_coordinator`].

use super::{Api, Context, Reply, Subject};
use crate::cluster::nodes::CoordinatorKind;
use crate::txn_coordinator::{self, Initialized};
use kafka_protocol::messages::{
    InitProducerIdRequest, InitProducerIdResponse, ProducerId as WireProducerId,
};
use milena_codec::{ErrorCode, ProducerEpoch, ProducerId, ProducerIdentity};
use std::ops::RangeInclusive;

pub(super) struct InitProducerId;

/// Before this version a fenced producer was told INVALID_PRODUCER_EPOCH.
const TELLS_FENCED_SINCE: i16 = 4;
/// Version 6 is two-phase commit (KIP-939), and told only by a cluster that is set up for it.
const NEWEST: i16 = if cfg!(feature = "two-phase-commit") {
    6
} else {
    5
};

impl Api for InitProducerId {
    type Request = InitProducerIdRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=NEWEST;

    async fn answer(
        context: &Context,
        request: InitProducerIdRequest,
    ) -> Reply<InitProducerIdResponse> {
        Reply::Answer(match init(context, &request) {
            Ok(Initialized { producer, ongoing }) => {
                let ongoing = ongoing.unwrap_or(ProducerIdentity::NONE);
                InitProducerIdResponse::default()
                    .with_producer_id(WireProducerId(producer.producer_id.0))
                    .with_producer_epoch(producer.producer_epoch.0)
                    .with_ongoing_txn_producer_id(WireProducerId(ongoing.producer_id.0))
                    .with_ongoing_txn_producer_epoch(ongoing.producer_epoch.0)
            }
            Err(ErrorCode::ProducerFenced) if context.api_version < TELLS_FENCED_SINCE => {
                Self::refuse(
                    &request,
                    context.api_version,
                    ErrorCode::InvalidProducerEpoch,
                )
            }
            Err(code) => Self::refuse(&request, context.api_version, code),
        })
    }

    fn refuse(
        _request: &InitProducerIdRequest,
        _api_version: i16,
        code: ErrorCode,
    ) -> InitProducerIdResponse {
        InitProducerIdResponse::default()
            .with_error_code(code.code())
            .with_producer_id(WireProducerId(-1))
            .with_producer_epoch(-1)
    }

    fn subject(request: &InitProducerIdRequest) -> Subject {
        Subject {
            transactional_id: request.transactional_id.as_deref().map(ToString::to_string),
            ..Subject::default()
        }
    }
}

fn init(context: &Context, request: &InitProducerIdRequest) -> Result<Initialized, ErrorCode> {
    let stated = ProducerIdentity::new(
        ProducerId(request.producer_id.0),
        ProducerEpoch(request.producer_epoch),
    );
    let expected = match (
        stated.producer_id == ProducerId::NONE,
        stated.producer_epoch == ProducerEpoch::NONE,
    ) {
        (true, true) => None,
        (false, false) => Some(stated),
        (true, false) | (false, true) => return Err(ErrorCode::InvalidRequest),
    };
    let transactional_id = request.transactional_id.as_ref().map(|id| id.as_str());
    context.shared.with(|cluster, now| {
        if let Some(id) = transactional_id.filter(|id| !id.is_empty()) {
            let seat = cluster.seat(CoordinatorKind::Transaction, id);
            seat.check(context.broker_id, now)?;
        }
        cluster.wake_timer();
        let request = txn_coordinator::InitProducerId {
            transactional_id,
            timeout_ms: request.transaction_timeout_ms,
            expected,
            enable_two_phase: request.enable_2_pc,
            keep_prepared: request.keep_prepared_txn,
        };
        cluster.transactions.init_producer_id(&request, now)
    })
}
