//! One broker asks another: the leader of a partition asks the transaction's coordinator whether a
//! transactional append may be, before the first one of each transaction (KIP-890).

use super::Cluster;
use super::nodes::CoordinatorKind;
use crate::Time;
use crate::txn_coordinator::TxnPartition;
use milena_codec::{ErrorCode, ProducerIdentity};

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Verification<'a> {
    pub(crate) transactional_id: &'a str,
    pub(crate) producer: ProducerIdentity,
    pub(crate) partitions: Vec<TxnPartition>,
    /// The partitions become part of the transaction: clients of version 2. Otherwise they must be already.
    pub(crate) adds: bool,
    /// The client understands TRANSACTION_ABORTABLE.
    pub(crate) tells_abortable: bool,
}

/// A code for each partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verified(pub(crate) Vec<ErrorCode>);

impl Cluster {
    /// Asks the transaction's coordinator, wherever it is. The codes are those that a broker makes of its answer,
    /// before they are translated for the API at hand.
    pub(crate) fn verify(&mut self, asked: Verification<'_>, now: Time) -> Verified {
        let count = asked.partitions.len();
        let codes = self.ask_coordinator(asked, now);
        let translate = |code| {
            if code == ErrorCode::ProducerFenced {
                // Here it never means the end of the instance (T-70).
                ErrorCode::InvalidProducerEpoch
            } else {
                code
            }
        };
        Verified(match codes {
            Ok(codes) => codes.into_iter().map(translate).collect(),
            Err(code) => vec![translate(code); count],
        })
    }

    fn ask_coordinator(
        &mut self,
        asked: Verification<'_>,
        now: Time,
    ) -> Result<Vec<ErrorCode>, ErrorCode> {
        let id = asked.transactional_id;
        let seat = self.seat(CoordinatorKind::Transaction, id);
        match seat.broker_id {
            None => return Err(ErrorCode::CoordinatorNotAvailable),
            Some(broker_id) if !self.is_active(broker_id) => {
                return Err(ErrorCode::NetworkException);
            }
            Some(broker_id) => seat.check(broker_id, now)?,
        }
        self.wake.timer = true;
        let (coordinator, count) = (&mut self.transactions, asked.partitions.len());
        if asked.adds {
            coordinator.add_partitions(id, asked.producer, asked.partitions, now)?;
            return Ok(vec![ErrorCode::None; count]);
        }
        let members = coordinator.verify_partitions(id, asked.producer, &asked.partitions)?;
        let code = |member| match (member, asked.tells_abortable) {
            (true, _) => ErrorCode::None,
            (false, true) => ErrorCode::TransactionAbortable,
            (false, false) => ErrorCode::InvalidTxnState,
        };
        Ok(members.into_iter().map(code).collect())
    }
}
