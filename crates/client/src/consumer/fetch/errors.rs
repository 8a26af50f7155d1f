//! What an error code asks of the reader, for each of the three requests that reading needs.

use milena_codec::ErrorCode;
use milena_connection::judge;
use milena_connection::judgement::ReadMeaning;

/// What to do about the error of one partition in a Fetch answer (§3.6 of the rules).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchAction {
    /// Ask again after a pause.
    Retry,
    /// What is known of the partition's leader may be old; ask again after a refresh. `replica` says
    /// that the code speaks about the replica that answered, so a preferred one is given up (R-61).
    Refresh { replica: bool },
    /// The offset is not in the log of the replica that answered (§3.7).
    OutOfRange,
    /// Tell the user.
    Report,
}

/// The action for a code other than `NONE`.
pub(crate) fn fetch_action(code: ErrorCode) -> FetchAction {
    match judge(code).read {
        ReadMeaning::Replica => FetchAction::Refresh { replica: true },
        ReadMeaning::Topic | ReadMeaning::TopicId => FetchAction::Refresh { replica: false },
        // UNKNOWN_LEADER_EPOCH: we are ahead of the broker, which learns of the new leader on its own.
        ReadMeaning::Passing => FetchAction::Retry,
        ReadMeaning::OutOfRange => FetchAction::OutOfRange,
        // TOPIC_AUTHORIZATION_FAILED and CORRUPT_MESSAGE among them; OFFSET_MOVED_TO_TIERED_STORAGE
        // is for followers only.
        ReadMeaning::LookupPassing | ReadMeaning::NoOffset | ReadMeaning::Report => {
            FetchAction::Report
        }
    }
}

/// What to do about the error of one partition in a ListOffsets or OffsetForLeaderEpoch answer
/// (R-45, R-74).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookupAction {
    /// Ask again after a pause and a metadata refresh.
    Refresh,
    /// The answer is "no such offset".
    Nothing,
    /// Tell the user.
    Report,
}

/// The action for a code of ListOffsets other than `NONE` (R-45).
pub(crate) fn list_offsets_action(code: ErrorCode) -> LookupAction {
    match judge(code).read {
        ReadMeaning::LookupPassing
        | ReadMeaning::Passing
        | ReadMeaning::Replica
        | ReadMeaning::Topic => LookupAction::Refresh,
        // The log's format is too old to be searched by time: there is no such offset.
        ReadMeaning::NoOffset => LookupAction::Nothing,
        ReadMeaning::OutOfRange | ReadMeaning::Report | ReadMeaning::TopicId => {
            LookupAction::Report
        }
    }
}

/// The action for a code of OffsetForLeaderEpoch other than `NONE` (R-74). None is taken for a response
/// that could move the position; what does not pass by itself is reported, or the partition would
/// stand still in silence (L-30).
pub(crate) fn epoch_end_action(code: ErrorCode) -> LookupAction {
    match judge(code).read {
        ReadMeaning::LookupPassing
        | ReadMeaning::Passing
        | ReadMeaning::Replica
        | ReadMeaning::Topic
        | ReadMeaning::TopicId => LookupAction::Refresh,
        ReadMeaning::NoOffset | ReadMeaning::OutOfRange | ReadMeaning::Report => {
            LookupAction::Report
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    /// Every code with its action in all three requests, except those that are only reported: the table of §3.6, R-45 and R-74 as one readable snapshot.
    #[test]
    fn the_action_of_every_code() {
        let mut table = String::new();
        let mut others = 0;
        for &code in ErrorCode::ALL {
            // R-63: a position is reset for one code only.
            assert_eq!(
                fetch_action(code) == FetchAction::OutOfRange,
                code == ErrorCode::OffsetOutOfRange
            );
            let row = (
                fetch_action(code),
                list_offsets_action(code),
                epoch_end_action(code),
            );
            if row
                == (
                    FetchAction::Report,
                    LookupAction::Report,
                    LookupAction::Report,
                )
            {
                others += 1;
            } else {
                let (fetch, list, epoch) = row;
                let fetch = format!("{fetch:?}");
                let list = format!("{list:?}");
                writeln!(
                    table,
                    "{:<30} | {fetch:<26} | {list:<7} | {epoch:?}",
                    code.name()
                )
                .unwrap();
            }
        }
        writeln!(table, "{others} others: only Report").unwrap();
        insta::assert_snapshot!(table, @r"
        UNKNOWN_SERVER_ERROR           | Retry                      | Refresh | Refresh
        OFFSET_OUT_OF_RANGE            | OutOfRange                 | Report  | Report
        UNKNOWN_TOPIC_OR_PARTITION     | Refresh { replica: false } | Refresh | Refresh
        LEADER_NOT_AVAILABLE           | Report                     | Refresh | Refresh
        NOT_LEADER_OR_FOLLOWER         | Refresh { replica: true }  | Refresh | Refresh
        REQUEST_TIMED_OUT              | Report                     | Refresh | Refresh
        REPLICA_NOT_AVAILABLE          | Refresh { replica: true }  | Refresh | Refresh
        UNSUPPORTED_FOR_MESSAGE_FORMAT | Report                     | Nothing | Report
        KAFKA_STORAGE_ERROR            | Refresh { replica: true }  | Refresh | Refresh
        FENCED_LEADER_EPOCH            | Refresh { replica: true }  | Refresh | Refresh
        UNKNOWN_LEADER_EPOCH           | Retry                      | Refresh | Refresh
        OFFSET_NOT_AVAILABLE           | Refresh { replica: true }  | Refresh | Refresh
        UNKNOWN_TOPIC_ID               | Refresh { replica: false } | Report  | Refresh
        INCONSISTENT_TOPIC_ID          | Refresh { replica: false } | Report  | Refresh
        124 others: only Report
        ");
    }
}
