//! Faults for what authors of tests ask most often.

use super::{Fault, Faults, Loss, Then, When};
use milena_codec::{ApiKey, ErrorCode};
use std::time::Duration;

/// Faults ready made, each with the question that it answers.
impl Faults {
    /// *Does a record arrive twice if its acknowledgement is lost?* The next Produce to the topic is carried out, and its
    /// connection closed without a response. An idempotent producer sends the batch again and it is there once.
    pub fn lose_produce_response(&self, topic: &str) -> Fault {
        let when = When::api(ApiKey::Produce).topic(topic);
        self.once(when, Then::LoseAnswer(Loss::Disconnect))
    }

    /// *What does my application do when a write is rejected?* The next `times` Produce requests to the topic get this
    /// error: NOT_ENOUGH_REPLICAS and NOT_LEADER_OR_FOLLOWER are repeated by every client, TOPIC_AUTHORIZATION_FAILED,
    /// MESSAGE_TOO_LARGE and INVALID_RECORD reach the application.
    pub fn reject_produce(&self, topic: &str, code: ErrorCode, times: u64) -> Fault {
        self.times(
            times,
            When::api(ApiKey::Produce).topic(topic),
            Then::Answer(code),
        )
    }

    /// *What does my consumer do when it cannot read?* The next `times` fetches from the topic get this error:
    /// OFFSET_OUT_OF_RANGE makes it reset its position, TOPIC_AUTHORIZATION_FAILED reaches the application.
    pub fn reject_fetch(&self, topic: &str, code: ErrorCode, times: u64) -> Fault {
        self.times(
            times,
            When::api(ApiKey::Fetch).topic(topic),
            Then::Answer(code),
        )
    }

    /// *Do I know whether my transaction was committed?* The next commit or abort of the id takes effect, and its connection
    /// is closed without a response.
    pub fn lose_commit_response(&self, transactional_id: &str) -> Fault {
        let when = When::api(ApiKey::EndTxn).transactional_id(transactional_id);
        self.once(when, Then::LoseAnswer(Loss::Disconnect))
    }

    /// *… and when it never got there?* The next commit or abort of the id is lost on its way. To the client it looks the
    /// same as [`lose_commit_response`](Self::lose_commit_response).
    pub fn lose_commit_request(&self, transactional_id: &str) -> Fault {
        let when = When::api(ApiKey::EndTxn).transactional_id(transactional_id);
        self.once(when, Then::LoseRequest(Loss::Disconnect))
    }

    /// *What happens to records in flight during a rebalance?* The group's next heartbeat says that it rebalances, so that
    /// a member of a classic group gives up its partitions and joins again.
    pub fn rebalance(&self, group_id: &str) -> Fault {
        let when = When::api(ApiKey::Heartbeat).group(group_id);
        self.once(when, Then::Answer(ErrorCode::RebalanceInProgress))
    }

    /// *Do I process a record again when its offset could not be committed?* The next `times` commits of the group get this
    /// error: ILLEGAL_GENERATION and UNKNOWN_MEMBER_ID are those of a member that was too slow.
    pub fn reject_offset_commit(&self, group_id: &str, code: ErrorCode, times: u64) -> Fault {
        let when = When::api(ApiKey::OffsetCommit).group(group_id);
        self.times(times, when, Then::Answer(code))
    }

    /// *Are my timeouts right?* Every response of a broker comes this much later, until [`Fault::remove`].
    pub fn slow_down(&self, broker_id: i32, delay: Duration) -> Fault {
        self.every(When::any().broker(broker_id), Then::DelayAnswer(delay))
    }

    /// *Does my client come back after a network failure?* The next `times` requests, whatever they are, are lost with
    /// their connections.
    pub fn disconnect(&self, times: u64) -> Fault {
        self.times(times, When::any(), Then::LoseRequest(Loss::Disconnect))
    }

    /// *Does a zombie do harm?* The next Produce of this client is held until [`Fault::release`], and then carried out even
    /// if the client has gone: start its successor in between. [`Fault::applied`] waits until it is held.
    pub fn hold_produce(&self, client_id: &str) -> Fault {
        self.once(When::api(ApiKey::Produce).client(client_id), Then::Hold)
    }
}
