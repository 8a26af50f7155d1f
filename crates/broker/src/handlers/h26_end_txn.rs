//! EndTxn: see [`crate::txn_coordinator`].

use super::{Api, Context, Reply, Subject};
use crate::cluster::nodes::CoordinatorKind;
use crate::txn_coordinator;
use kafka_protocol::messages::{EndTxnRequest, EndTxnResponse, ProducerId as WireProducerId};
use milena_codec::record::Marker;
use milena_codec::{ErrorCode, ProducerEpoch, ProducerId, ProducerIdentity};
use std::ops::RangeInclusive;

pub(super) struct EndTxn;

/// From this version on the client is of version 2: its epoch is bumped, and the answer tells it.
const BUMPS_EPOCH_SINCE: i16 = 5;
/// Before this version a fenced producer was told INVALID_PRODUCER_EPOCH.
const TELLS_FENCED_SINCE: i16 = 2;

impl Api for EndTxn {
    type Request = EndTxnRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=5;

    async fn answer(context: &Context, request: EndTxnRequest) -> Reply<EndTxnResponse> {
        Reply::Answer(match end(context, &request) {
            Ok(producer) => EndTxnResponse::default()
                .with_producer_id(WireProducerId(producer.producer_id.0))
                .with_producer_epoch(producer.producer_epoch.0),
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

    fn refuse(_: &EndTxnRequest, _: i16, code: ErrorCode) -> EndTxnResponse {
        EndTxnResponse::default()
            .with_error_code(code.code())
            .with_producer_id(WireProducerId(-1))
            .with_producer_epoch(-1)
    }

    fn subject(request: &EndTxnRequest) -> Subject {
        Subject {
            transactional_id: Some(request.transactional_id.to_string()),
            ..Subject::default()
        }
    }
}

fn end(context: &Context, request: &EndTxnRequest) -> Result<ProducerIdentity, ErrorCode> {
    let transactional_id = request.transactional_id.as_str();
    let end = txn_coordinator::EndTxn {
        transactional_id,
        producer: ProducerIdentity::new(
            ProducerId(request.producer_id.0),
            ProducerEpoch(request.producer_epoch),
        ),
        marker: if request.committed {
            Marker::Commit
        } else {
            Marker::Abort
        },
        bumps_epoch: context.api_version >= BUMPS_EPOCH_SINCE,
    };
    context.shared.with(|cluster, now| {
        if !transactional_id.is_empty() {
            let seat = cluster.seat(CoordinatorKind::Transaction, transactional_id);
            seat.check(context.broker_id, now)?;
        }
        cluster.wake_timer();
        cluster.transactions.end(&end, now)
    })
}
