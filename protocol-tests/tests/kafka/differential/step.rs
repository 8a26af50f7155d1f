//! What a sequence can ask, in terms that mean the same on both brokers.

/// A producer: which of the producer ids met so far, by first appearance, and an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Who {
    /// None stands for an id that no broker has given out.
    pub(super) producer: Option<usize>,
    pub(super) epoch: i16,
}

/// One of the sequence's transactional ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Id(pub(super) usize);

/// One of the sequence's partitions; [`Partition::MISSING`] does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Partition(pub(super) usize);

impl Partition {
    pub(super) const COUNT: usize = 2;
    pub(super) const MISSING: Self = Self(usize::MAX);
}

/// One request.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Init {
        version: i16,
        id: Option<Id>,
        who: Option<Who>,
        timeout_ms: i32,
    },
    Produce(Produce),
    AddPartitions {
        version: i16,
        id: Id,
        who: Who,
        partitions: Vec<Partition>,
        verify_only: bool,
    },
    AddOffsets {
        version: i16,
        id: Id,
        who: Who,
    },
    TxnOffsetCommit {
        version: i16,
        id: Id,
        who: Who,
        partition: Partition,
        offset: i64,
    },
    OffsetCommit {
        version: i16,
        partition: Partition,
        offset: i64,
    },
    EndTxn {
        version: i16,
        id: Id,
        who: Who,
        commit: bool,
    },
    Fetch {
        version: i16,
        partition: Partition,
        offset: i64,
        committed: bool,
    },
    ListOffsets {
        version: i16,
        partition: Partition,
        committed: bool,
        at: At,
    },
    OffsetFetch {
        version: i16,
        stable: bool,
    },
    DescribeProducers(Partition),
    DescribeTransactions(Id),
}

/// A Produce of one batch.
#[derive(Clone, Debug)]
pub(super) struct Produce {
    pub(super) version: i16,
    /// The transactional id in the request.
    pub(super) id: Option<Id>,
    pub(super) who: Option<Who>,
    /// Whether the batch says that it belongs to a transaction.
    pub(super) transactional: bool,
    pub(super) partition: Partition,
    pub(super) sequence: i32,
    pub(super) records: i32,
    /// Of each record, in milliseconds after the sequence's beginning of time.
    pub(super) time: i64,
    pub(super) acks: i16,
}

/// What ListOffsets looks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    Latest,
    Earliest,
    LargestTime,
    /// In milliseconds after the sequence's beginning of time.
    Time(i64),
}

/// What an answer teaches the one who chooses the next step.
#[derive(Clone, Debug)]
pub(super) enum Learnt {
    Nothing,
    /// The producer that has the id from now on.
    Identity(Who),
    /// A batch is there; its first offset.
    Appended(i64),
    /// Ended, and the identity stays as it was.
    Ended,
}

/// An answer in terms that mean the same on both brokers.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// Everything that is compared.
    pub(super) text: String,
    pub(super) learnt: Learnt,
}
