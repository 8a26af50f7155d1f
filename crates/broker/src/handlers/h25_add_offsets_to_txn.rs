//! AddOffsetsToTxn: clients of versions 0 and 1 before they commit offsets in a transaction (T-33).

use super::{Api, Context, Reply, Subject};
use crate::cluster::nodes::{CoordinatorKind, GROUP_TOPIC};
use crate::group_coordinator::GroupCoordinator;
use crate::txn_coordinator::TxnPartition;
use kafka_protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use milena_codec::{ErrorCode, ProducerEpoch, ProducerId, ProducerIdentity};
use std::ops::RangeInclusive;
use std::sync::Arc;

pub(super) struct AddOffsetsToTxn;

/// Before this version a fenced producer was told INVALID_PRODUCER_EPOCH.
const TELLS_FENCED_SINCE: i16 = 2;

impl Api for AddOffsetsToTxn {
    type Request = AddOffsetsToTxnRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=4;

    async fn answer(
        context: &Context,
        request: AddOffsetsToTxnRequest,
    ) -> Reply<AddOffsetsToTxnResponse> {
        let id = request.transactional_id.as_str();
        let producer = ProducerIdentity::new(
            ProducerId(request.producer_id.0),
            ProducerEpoch(request.producer_epoch),
        );
        let added = context.shared.with(|cluster, now| {
            let seat = cluster.seat(CoordinatorKind::Transaction, id);
            seat.check(context.broker_id, now)?;
            cluster.wake_timer();
            let partition = TxnPartition {
                topic: Arc::from(GROUP_TOPIC),
                partition: GroupCoordinator::offsets_partition(&request.group_id),
            };
            let coordinator = &mut cluster.transactions;
            coordinator.add_partitions(id, producer, [partition], now)
        });
        let code = match added {
            Ok(()) => ErrorCode::None,
            Err(ErrorCode::ProducerFenced) if context.api_version < TELLS_FENCED_SINCE => {
                ErrorCode::InvalidProducerEpoch
            }
            Err(code) => code,
        };
        Reply::Answer(AddOffsetsToTxnResponse::default().with_error_code(code.code()))
    }

    fn refuse(_: &AddOffsetsToTxnRequest, _: i16, code: ErrorCode) -> AddOffsetsToTxnResponse {
        AddOffsetsToTxnResponse::default().with_error_code(code.code())
    }

    fn subject(request: &AddOffsetsToTxnRequest) -> Subject {
        Subject {
            transactional_id: Some(request.transactional_id.to_string()),
            group_id: Some(request.group_id.to_string()),
            ..Subject::default()
        }
    }
}
