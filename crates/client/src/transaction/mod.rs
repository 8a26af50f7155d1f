//! The life of a transactional id, as a pure machine.
//!
//! [`TransactionMachine`] decides; it owns no socket, no clock and no source of chance. The application
//! and the sender of batches tell it what happens, its driver sends what [`poll`] says and brings back
//! the answers, and what others have to know comes out of [`poll_event`]. After every input: drain
//! both until there is nothing more.
//!
//! ```text
//!                 init                answered                 begin
//! Uninitialized ────────► Initializing ────────► Ready ─────────────────────────┐
//!       ▲                      │                   ▲                            ▼
//!       └──────────────────────┘                   │                      InTransaction ──┐
//!               not allowed                        │                       │     │        │ something
//!                                                  │                 commit│     │abort   │ failed
//!                                       next one   │                       ▼     │        ▼
//!                                       may begin  ├───────────────── Committing │  AbortableError
//!                                                  │                    │        │        │
//!                                                  │  proved not applied│        │        │ abort
//!                                                  │       (then abort) └────────┼──────► │
//!                                                  │                             ▼        │
//!                                                  └───────────────────────── Aborting ◄──┘
//!
//! Two-phase commit (KIP-939): InTransaction ──► Preparing ──► Prepared ──► Committing or Aborting, and from
//! Initializing to Prepared where an older instance's transaction was kept; see `two_phase`.
//!
//! any of them ──► Fenced   a newer producer has the transactional id
//!             ──► Fatal    nothing more can be done
//!             ──► Closed   by its owner
//!
//! Committing and Aborting go through these steps:
//!
//!   Settling ──────► Asking ──────────────► RaisingEpoch ──► done
//!   until every      EndTxn, repeated       InitProducerId, only where a late request
//!   batch and every  until the outcome      of this transaction could otherwise be
//!   registration     is known               taken for one of the next, or the protocol
//!   is definite        │      ▲             changes (T-62, T-65, T-80 to T-85)
//!     │                ▼      │                ▲
//!     │              FindingOut                │
//!     │              DescribeTransactions,     │
//!     │              after INVALID_TXN_STATE   │
//!     └────────────────────────────────────────┘
//!       nothing reached the coordinator: no EndTxn (T-52, T-53, L-1)
//! ```
//!
//! What must never happen, and where it is prevented:
//!
//! - two requests of one id at the transaction coordinator (T-30): one [slot](slot::RequestSlot) for it;
//! - EndTxn while anything of the transaction is unanswered (T-34): [`Step::Settling`];
//! - the other direction after an EndTxn whose fate is unknown (T-64, L-2): a pending commit admits
//!   nothing but itself, and it fails only on proof;
//! - a late request of one transaction taking effect in the next (T-65, KAFKA-17754): the epoch is raised
//!   between them, by EndTxn itself under `transaction.version` 2;
//! - sequences that start again under an old epoch (P-26): [`Event::IdentityChanged`] comes only with
//!   an identity that differs;
//! - a prepared transaction ending otherwise than its owner says (T-45): a drop, a close and a refused commit
//!   leave it to the coordinator;
//! - anyone hearing of a terminal state before it holds (L-8): events are queued after the change;
//! - a fenced producer sending again (T-75): no request is wanted in a terminal state.
//!
//! Where the specification leaves a choice, or the reference client is less strict, the place says so.
//! In short: a commit that is refused with INVALID_TXN_STATE is looked up, not believed (L-25); an internal
//! error of EndTxn is repeated, not fatal (T-67); 47 and 90 of the first protocol are told apart by
//! InitProducerId with the old epoch (T-71), and so are not fatal before; errors of TxnOffsetCommit that an
//! abort can mend are abortable; a commit that is known to be durable succeeds even if the epoch cannot be
//! raised afterwards.
//!
//! One thing cannot be prevented: a copy of the very first InitProducerId that is processed late raises the
//! epoch, because it names none, and so fences the producer it was meant for. Where one had no response, the cause of
//! the fence says that it may be that.
//!
//! [`poll`]: TransactionMachine::poll
//! [`poll_event`]: TransactionMachine::poll_event
//! [`Step::Settling`]: state::Step::Settling

mod answers;
mod asking;
pub(crate) mod calls;
mod causes;
mod change;
mod ending;
mod errors;
mod handle;
mod machine;
mod offsets;
mod open;
#[cfg(any(test, feature = "_fuzzing"))]
pub(crate) mod operations;
mod outcome;
mod pause;
#[cfg(feature = "two-phase-commit")]
mod prepared;
mod request;
mod retry;
mod sender;
pub(crate) mod session;
mod slot;
mod state;
mod two_phase;
mod version;

pub use handle::{OwnedTransaction, Transaction, TransactionalProducer};
pub(crate) use machine::{TransactionConfig, TransactionMachine};
#[cfg(feature = "two-phase-commit")]
pub use prepared::{ParsePreparedTransactionError, PreparedTransaction};
pub(crate) use request::{
    Api, BatchOutcome, Body, Call, CoordinatorKind, DescribedState, DescribedTransaction, Event,
    Initialized, NotSent, Output, Reply, Request, Response, SenderStatus,
};

#[cfg(any(test, feature = "_fuzzing"))]
pub(crate) use request::MaySend;
#[cfg(test)]
pub(crate) use state::Attachment;
pub use state::TransactionOutcome;
pub(crate) use state::{Close, Direction, Operation, State, TwoPhase};
pub(crate) use version::ClusterFacts;
#[cfg(any(test, feature = "_fuzzing"))]
pub(crate) use version::TransactionVersion;

#[cfg(test)]
pub(crate) mod tests;
