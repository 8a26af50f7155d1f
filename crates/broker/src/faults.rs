//! Scripted trouble: what shall go wrong, for which requests, how often.
//!
//! A script is a condition, an effect and a number of times:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use milena_broker::{ApiKey, Broker, ErrorCode, Loss, Then, When};
//!
//! let broker = Broker::builder().topic("orders", 4).start().await?;
//! // The next EndTxn takes effect, and its answer never arrives.
//! broker.faults().once(When::api(ApiKey::EndTxn), Then::LoseAnswer(Loss::Disconnect));
//! // Partition 2 has no leader for the next three Produce requests to it.
//! let when = When::api(ApiKey::Produce).partition("orders", 2);
//! broker.faults().times(3, when, Then::Answer(ErrorCode::NotLeaderOrFollower));
//! // A Produce that arrives long after its sender gave up.
//! let held = broker.faults().once(When::api(ApiKey::Produce).client("zombie"), Then::Hold);
//! held.applied(1).await;
//! held.release();
//! # Ok(())
//! # }
//! ```
//!
//! Scripts are tried in the order in which they were added; the first that applies takes effect and is
//! used up by one. Trouble that is not about requests has methods on [`Broker`](crate::Broker): moving
//! leaders and coordinators, pausing and stopping brokers, expiring producers.

mod ready;

use crate::handlers::{Call, Subject};
use bytes::Bytes;
use milena_codec::{ApiKey, ErrorCode};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// The scripts of an embedded broker. Clones share them.
#[derive(Clone, Debug)]
pub struct Faults {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    scripts: Mutex<Vec<Script>>,
    /// How many there are, so that a broker without any loses no time.
    count: AtomicUsize,
}

#[derive(Debug)]
struct Script {
    when: When,
    then: Then,
    /// Requests that are let through first.
    skip: u64,
    /// `None`: for ever.
    left: Option<u64>,
    fault: Fault,
}

/// Which requests a script is about. Every condition that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    api_key: Option<i16>,
    broker_id: Option<i32>,
    client_id: Option<String>,
    topic: Option<String>,
    partition: Option<i32>,
    transactional_id: Option<String>,
    group_id: Option<String>,
}

impl When {
    /// Every request.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Requests of one API: `ApiKey::EndTxn`, or its key, which is 26.
    #[must_use]
    pub fn api(api: impl Into<ApiKey>) -> Self {
        Self {
            api_key: Some(api.into().key()),
            ..Self::default()
        }
    }

    /// Only requests that are sent to this broker.
    #[must_use]
    pub fn broker(self, broker_id: i32) -> Self {
        Self {
            broker_id: Some(broker_id),
            ..self
        }
    }

    /// Only requests of clients that call themselves so.
    #[must_use]
    pub fn client(self, client_id: impl Into<String>) -> Self {
        Self {
            client_id: Some(client_id.into()),
            ..self
        }
    }

    /// Only requests about this topic.
    #[must_use]
    pub fn topic(self, topic: impl Into<String>) -> Self {
        Self {
            topic: Some(topic.into()),
            ..self
        }
    }

    /// Only requests about this partition. With [`Then::Answer`], the other partitions of the request are
    /// served where the API has an error code for each partition.
    #[must_use]
    pub fn partition(self, topic: impl Into<String>, partition: i32) -> Self {
        Self {
            partition: Some(partition),
            ..self.topic(topic)
        }
    }

    /// Only requests that name this transactional id.
    #[must_use]
    pub fn transactional_id(self, transactional_id: impl Into<String>) -> Self {
        Self {
            transactional_id: Some(transactional_id.into()),
            ..self
        }
    }

    /// Only requests that name this group.
    #[must_use]
    pub fn group(self, group_id: impl Into<String>) -> Self {
        Self {
            group_id: Some(group_id.into()),
            ..self
        }
    }

    fn holds(&self, facts: &Facts<'_>) -> bool {
        fn wants<T: PartialEq + ?Sized>(wanted: Option<&T>, is: Option<&T>) -> bool {
            wanted.is_none_or(|wanted| is == Some(wanted))
        }
        let subject = facts.subject;
        wants(self.api_key.as_ref(), Some(&facts.api_key))
            && wants(self.broker_id.as_ref(), Some(&facts.broker_id))
            && wants(self.client_id.as_deref(), facts.client_id)
            && wants(
                self.transactional_id.as_deref(),
                subject.transactional_id.as_deref(),
            )
            && wants(self.group_id.as_deref(), subject.group_id.as_deref())
            && (self.topic.is_none()
                || subject
                    .partitions
                    .iter()
                    .any(|(topic, partition)| self.means(topic, *partition)))
    }

    fn means(&self, topic: &str, partition: i32) -> bool {
        self.topic.as_deref() == Some(topic)
            && self.partition.is_none_or(|wanted| wanted == partition)
    }
}

/// What a script does to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Then {
    /// Turn it away with this code, without doing anything.
    Answer(ErrorCode),
    /// Answer these bytes as the body, whatever they are, without doing anything.
    AnswerBytes(Bytes),
    /// Do it and answer it twice: the second frame has the same correlation id.
    AnswerTwice,
    /// Do it, send this many bytes of the answer's frame, and close the connection.
    CutAnswer {
        /// Bytes to send, the 4 length bytes included.
        after: usize,
    },
    /// Do it, and answer this much later.
    DelayAnswer(Duration),
    /// Do it this much later. The connection's later requests wait.
    DelayRequest(Duration),
    /// Keep it until [`Fault::release`], then do it, whether its sender is still there or not: the delayed
    /// EndTxn, the late Produce. The connection's later requests wait.
    Hold,
    /// Do it, and do not answer.
    LoseAnswer(Loss),
    /// Neither do nor answer it.
    LoseRequest(Loss),
}

/// How something gets lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The connection is closed.
    Disconnect,
    /// The connection stays open and nothing more comes on it.
    Silence,
}

/// A script that was added: tells how often it took effect. Dropping it leaves the script in place.
#[derive(Clone, Debug)]
pub struct Fault {
    state: Arc<FaultState>,
}

#[derive(Debug)]
struct FaultState {
    applied: watch::Sender<u64>,
    released: watch::Sender<bool>,
    removed: watch::Sender<bool>,
}

impl Fault {
    fn new() -> Self {
        Self {
            state: Arc::new(FaultState {
                applied: watch::Sender::new(0),
                released: watch::Sender::new(false),
                removed: watch::Sender::new(false),
            }),
        }
    }

    /// How many requests it has taken effect on.
    #[must_use]
    pub fn count(&self) -> u64 {
        *self.state.applied.borrow()
    }

    /// Waits until it has taken effect so many times.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn applied(&self, times: u64) {
        let mut applied = self.state.applied.subscribe();
        // The sender is in `self`, so it cannot be gone.
        let _ = applied.wait_for(|count| *count >= times).await;
    }

    /// Lets go of what [`Then::Hold`] holds, and holds nothing from now on.
    pub fn release(&self) {
        self.state.released.send_replace(true);
    }

    /// Takes the script out, however often it was still to take effect. What it holds stays held.
    pub fn remove(&self) {
        self.state.removed.send_replace(true);
    }

    pub(crate) async fn wait_for_release(&self) {
        let mut released = self.state.released.subscribe();
        let _ = released.wait_for(|released| *released).await;
    }
}

impl Faults {
    pub(crate) fn new() -> Self {
        Self {
            inner: Arc::default(),
        }
    }

    /// For the next request.
    pub fn once(&self, when: When, then: Then) -> Fault {
        self.add(when, then, 0, Some(1))
    }

    /// For the next `times` requests.
    pub fn times(&self, times: u64, when: When, then: Then) -> Fault {
        self.add(when, then, 0, Some(times))
    }

    /// For `times` requests, after `skip` others have been let through.
    pub fn after(&self, skip: u64, times: u64, when: When, then: Then) -> Fault {
        self.add(when, then, skip, Some(times))
    }

    /// For every request, until [`Fault::remove`].
    pub fn every(&self, when: When, then: Then) -> Fault {
        self.add(when, then, 0, None)
    }

    /// Takes all scripts out.
    pub fn clear(&self) {
        let mut scripts = self.lock();
        scripts.clear();
        self.inner.count.store(0, Ordering::Release);
    }

    fn add(&self, when: When, then: Then, skip: u64, left: Option<u64>) -> Fault {
        let fault = Fault::new();
        let mut scripts = self.lock();
        scripts.push(Script {
            when,
            then,
            skip,
            left,
            fault: fault.clone(),
        });
        self.inner.count.store(scripts.len(), Ordering::Release);
        fault
    }

    /// Whether there is any script at all.
    pub(crate) fn any(&self) -> bool {
        self.inner.count.load(Ordering::Acquire) > 0
    }

    /// What shall happen to a request.
    pub(crate) fn plan(&self, facts: &Facts<'_>, call: &dyn Call) -> Plan {
        let mut plan = Plan::default();
        let mut scripts = self.lock();
        for script in scripts.iter_mut() {
            if !script.is_due(facts) {
                continue;
            }
            plan.described.push(script.then.to_string());
            script.fault.state.applied.send_modify(|count| *count += 1);
            match (&script.then, script.when.partition) {
                (Then::Answer(code), Some(_)) if call.is_per_partition() => {
                    let partitions = facts.subject.partitions.iter();
                    let meant =
                        partitions.filter(|(topic, index)| script.when.means(topic, *index));
                    let refused = meant.map(|(topic, index)| (topic.clone(), *index, *code));
                    plan.injected.0.extend(refused);
                }
                (then, _) => {
                    plan.step = Some((then.clone(), script.fault.clone()));
                    break;
                }
            }
        }
        scripts.retain(|script| script.left != Some(0) && !*script.fault.state.removed.borrow());
        self.inner.count.store(scripts.len(), Ordering::Release);
        plan
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Script>> {
        self.inner
            .scripts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Script {
    /// Whether the script takes effect on this request; then it is used up by one.
    fn is_due(&mut self, facts: &Facts<'_>) -> bool {
        let gone = *self.fault.state.removed.borrow() || self.left == Some(0);
        if gone || !self.when.holds(facts) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.left = self.left.map(|left| left.saturating_sub(1));
        true
    }
}

impl std::fmt::Display for Then {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Answer(code) => write!(f, "answer {code}"),
            Self::AnswerBytes(bytes) => write!(f, "answer {} bytes of the script's", bytes.len()),
            Self::AnswerTwice => f.write_str("answer twice"),
            Self::CutAnswer { after } => write!(f, "cut the answer after {after} bytes"),
            Self::DelayAnswer(delay) => write!(f, "answer {delay:?} later"),
            Self::DelayRequest(delay) => write!(f, "do it {delay:?} later"),
            Self::Hold => f.write_str("hold until released"),
            Self::LoseAnswer(loss) => write!(f, "do it and lose the answer ({loss})"),
            Self::LoseRequest(loss) => write!(f, "lose the request ({loss})"),
        }
    }
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Disconnect => "disconnect",
            Self::Silence => "silence",
        })
    }
}

/// What is known of a request before it is carried out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) api_key: i16,
    pub(crate) broker_id: i32,
    pub(crate) client_id: Option<&'a str>,
    pub(crate) subject: &'a Subject,
}

/// What the scripts want of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) injected: Injected,
    pub(crate) step: Option<(Then, Fault)>,
    /// For the history.
    pub(crate) described: Vec<String>,
}

/// Errors to be answered for single partitions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Injected(Vec<(String, i32, ErrorCode)>);

impl Injected {
    /// The code that the script wants for a partition.
    pub(crate) fn for_partition(&self, topic: &str, partition: i32) -> Option<ErrorCode> {
        let meant =
            |(name, index, _): &&(String, i32, ErrorCode)| name == topic && *index == partition;
        self.0.iter().find(meant).map(|(_, _, code)| *code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(subject: &Subject) -> Facts<'_> {
        Facts {
            api_key: 0,
            broker_id: 1,
            client_id: Some("c"),
            subject,
        }
    }

    fn subject() -> Subject {
        Subject {
            partitions: vec![("t".to_owned(), 0), ("t".to_owned(), 3)],
            transactional_id: Some("tx".to_owned()),
            ..Subject::default()
        }
    }

    #[test]
    fn every_condition_must_hold() {
        let subject = subject();
        let holds = |when: When| when.holds(&facts(&subject));
        assert!(holds(When::any()));
        assert!(holds(
            When::api(0)
                .broker(1)
                .client("c")
                .topic("t")
                .transactional_id("tx")
        ));
        assert!(holds(When::any().partition("t", 3)));
        assert!(!holds(When::any().partition("t", 1)));
        assert!(!holds(When::api(1)));
        assert!(!holds(When::api(0).broker(2)));
        assert!(!holds(When::api(0).client("d")));
        assert!(!holds(When::api(0).group("g")));
    }

    #[test]
    fn a_script_lets_some_through_takes_effect_and_is_used_up() {
        let subject = subject();
        let mut script = Script {
            when: When::any(),
            then: Then::Hold,
            skip: 1,
            left: Some(2),
            fault: Fault::new(),
        };
        let due: Vec<_> = (0..5).map(|_| script.is_due(&facts(&subject))).collect();
        assert_eq!(due, [false, true, true, false, false]);
    }
}
