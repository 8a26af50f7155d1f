//! Classic groups, member by member (groups.md 4.1 to 4.3).

mod timeouts;

use super::super::commit::ToCommit;
use super::super::offsets::{Fetched, OffsetKey};
use super::super::{Group, GroupCoordinator, GroupSettings, Outcome};
use super::*;
use milena_codec::{ProducerEpoch, ProducerId, ProducerIdentity};
use uuid::Uuid;

const SECOND: Duration = Duration::from_secs(1);
const SETTINGS: GroupSettings = GroupSettings {
    initial_rebalance_delay: SECOND,
    session_timeout_min: SECOND,
    session_timeout_max: Duration::from_secs(100),
    new_member_timeout: Duration::from_secs(60),
    members_max: 3,
    groups_max: 2,
    consumer_heartbeat_interval: SECOND,
    consumer_session_timeout: SECOND,
    consumer_assignment_interval: SECOND,
    metadata_bytes_max: 4,
};

struct Lab {
    groups: GroupCoordinator,
    now: Time,
    names: u32,
    rebalance_timeout: Duration,
}

/// How a member joins.
#[derive(Clone, Copy)]
struct Joins<'a> {
    member_id: &'a str,
    instance_id: Option<&'a str>,
    protocols: &'a [&'a str],
    id_required: bool,
}

const NEW: Joins<'_> = Joins {
    member_id: "",
    instance_id: None,
    protocols: &["range"],
    id_required: false,
};

impl Lab {
    fn new() -> Self {
        Self {
            groups: GroupCoordinator::new(SETTINGS),
            now: Time::from_unix_millis(1_000_000),
            names: 0,
            rebalance_timeout: 30 * SECOND,
        }
    }

    fn join(&mut self, joins: Joins<'_>) -> Outcome<JoinAnswer> {
        self.names += 1;
        let host: Arc<str> = Arc::from("/memory");
        let protocols = joins.protocols.iter();
        let request = JoinGroup {
            group_id: "g",
            member_id: joins.member_id,
            instance_id: joins.instance_id,
            client_id: "c",
            client_host: &host,
            session_timeout: 10 * SECOND,
            rebalance_timeout: self.rebalance_timeout,
            protocol_type: "consumer",
            protocols: protocols
                .map(|name| (Arc::from(*name), Bytes::from_static(b"meta")))
                .collect(),
            id_required: joins.id_required,
            may_skip_assignment: true,
            fresh_member_id: Arc::from(format!("m{}", self.names)),
        };
        self.groups.join(request, self.now)
    }

    /// Joins as a rebalance that is over by now shows it.
    fn join_done(&mut self, joins: Joins<'_>) -> JoinAnswer {
        match self.join(joins) {
            Outcome::Now(answer) => answer,
            Outcome::Later(ticket) => {
                self.pass(1);
                self.groups.take_join(ticket).expect("the join is over")
            }
        }
    }

    fn join_code(&mut self, joins: Joins<'_>) -> ErrorCode {
        self.join_done(joins).code
    }

    fn waits(&mut self, joins: Joins<'_>) -> Ticket {
        match self.join(joins) {
            Outcome::Later(ticket) => ticket,
            Outcome::Now(answer) => panic!("not at once: {answer:?}"),
        }
    }

    fn sync(
        &mut self,
        member_id: &str,
        generation: i32,
        assignments: &[(&str, &'static str)],
    ) -> Outcome<SyncAnswer> {
        let assignments = assignments.iter();
        let request = SyncGroup {
            group_id: "g",
            member_id,
            instance_id: None,
            generation,
            protocol_type: Some("consumer"),
            protocol: Some("range"),
            assignments: assignments
                .map(|(id, bytes)| (Arc::from(*id), Bytes::from_static(bytes.as_bytes())))
                .collect(),
        };
        self.groups.sync(request, self.now)
    }

    fn synced(&mut self, outcome: Outcome<SyncAnswer>) -> (ErrorCode, Bytes) {
        let answer = match outcome {
            Outcome::Now(answer) => answer,
            Outcome::Later(ticket) => self.groups.take_sync(ticket).expect("synced"),
        };
        (answer.code, answer.assignment)
    }

    /// A group of these members, in order, all of them settled; the first leads.
    fn settled(members: usize) -> Self {
        let mut lab = Self::new();
        let tickets: Vec<_> = (0..members).map(|_| lab.waits(NEW)).collect();
        lab.pass(2);
        for ticket in tickets {
            let answer = lab.groups.take_join(ticket).expect("joined");
            assert_eq!((answer.code, answer.generation), (ErrorCode::None, 1));
        }
        for member in (1..=members).rev() {
            let outcome = lab.sync(&format!("m{member}"), 1, &[("m1", "one"), ("m2", "two")]);
            if member == 1 {
                assert_eq!(
                    lab.synced(outcome),
                    (ErrorCode::None, Bytes::from_static(b"one"))
                );
            }
        }
        assert_eq!(lab.state(), ClassicState::Stable);
        lab
    }

    fn pass(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.now = self.now + SECOND;
            self.groups.tick(self.now);
        }
    }

    fn heartbeat(&mut self, member_id: &str, generation: i32) -> Result<(), ErrorCode> {
        self.groups
            .heartbeat("g", member_id, None, generation, self.now)
    }

    fn leave(&mut self, member_id: &str, instance_id: Option<&str>) -> Vec<ErrorCode> {
        let leaver = Leaver {
            member_id,
            instance_id,
        };
        self.groups
            .leave("g", &[leaver], self.now)
            .expect("a group")
    }

    fn group(&self) -> &ClassicGroup {
        match self.groups.group("g") {
            Some(Group::Classic(group)) => group,
            other => panic!("not a classic group: {other:?}"),
        }
    }

    fn state(&self) -> ClassicState {
        self.group().state()
    }

    fn commit(&mut self, committer: (&str, i32), offset: i64) -> Result<(), ErrorCode> {
        self.commit_for("g", committer, offset, 8)
    }

    fn commit_for(
        &mut self,
        group_id: &str,
        (member_id, generation): (&str, i32),
        offset: i64,
        api_version: i16,
    ) -> Result<(), ErrorCode> {
        let committer = Committer {
            group_id,
            member_id,
            instance_id: None,
            generation,
        };
        let now = self.now;
        let codes = self
            .groups
            .commit(&committer, vec![to_commit(offset)], api_version, now)?;
        assert_eq!(codes, [ErrorCode::None]);
        Ok(())
    }

    fn commit_in_transaction(
        &mut self,
        (member_id, generation): (&str, i32),
        instance_id: Option<&str>,
    ) -> Result<(), ErrorCode> {
        let committer = Committer {
            group_id: "g",
            member_id,
            instance_id,
            generation,
        };
        let producer = ProducerIdentity::new(ProducerId(1), ProducerEpoch(0));
        let commits = vec![to_commit(7)];
        let codes = self
            .groups
            .commit_in_transaction(&committer, producer, commits)?;
        assert_eq!(codes, [ErrorCode::None]);
        Ok(())
    }
}

fn key() -> OffsetKey {
    OffsetKey {
        topic: Arc::from("t"),
        partition: 0,
    }
}

fn to_commit(offset: i64) -> ToCommit {
    ToCommit {
        key: key(),
        topic_id: Uuid::nil(),
        offset,
        leader_epoch: -1,
        metadata: String::new(),
    }
}

#[test]
fn those_who_join_in_time_are_one_generation_and_the_first_one_leads() {
    let mut lab = Lab::new();
    let first = lab.waits(NEW);
    let second = lab.waits(NEW);
    assert_eq!(lab.groups.take_join(first), None);
    lab.pass(2);
    let (first, second) = (
        lab.groups.take_join(first).unwrap(),
        lab.groups.take_join(second).unwrap(),
    );
    assert_eq!((first.generation, second.generation), (1, 1));
    assert_eq!(first.leader.as_deref(), Some("m1"));
    assert_eq!((first.members.len(), second.members.len()), (2, 0));
    assert_eq!(first.protocol.as_deref(), Some("range"));

    let follower = lab.sync("m2", 1, &[]);
    let Outcome::Later(ticket) = follower else {
        panic!("the leader has not assigned yet");
    };
    assert_eq!(lab.groups.take_sync(ticket), None);
    let leader = lab.sync("m1", 1, &[("m2", "two")]);
    assert_eq!(
        lab.synced(leader),
        (ErrorCode::None, Bytes::new()),
        "it forgot itself"
    );
    assert_eq!(lab.synced(Outcome::Later(ticket)).1, "two");
    let again = lab.sync("m2", 1, &[]);
    assert_eq!(lab.synced(again).1, "two");
}

/// G-2, KIP-394.
#[test]
fn a_member_without_an_id_has_to_come_again_with_the_one_it_is_given() {
    let mut lab = Lab::new();
    let asked = Joins {
        id_required: true,
        ..NEW
    };
    let answer = lab.join_done(asked);
    assert_eq!(answer.code, ErrorCode::MemberIdRequired);
    let comes_again = Joins {
        member_id: &answer.member_id,
        ..asked
    };
    assert_eq!(lab.join_code(comes_again), ErrorCode::None);
    let unknown = Joins {
        member_id: "from-nowhere",
        ..asked
    };
    assert_eq!(lab.join_code(unknown), ErrorCode::UnknownMemberId);
}

#[test]
fn a_given_id_that_does_not_come_back_holds_nobody_up_for_long() {
    let mut lab = Lab::settled(1);
    let pending = Joins {
        id_required: true,
        ..NEW
    };
    assert_eq!(lab.join_code(pending), ErrorCode::MemberIdRequired);
    let rejoins = Joins {
        member_id: "m1",
        ..NEW
    };
    let ticket = lab.waits(rejoins);
    assert_eq!(lab.groups.take_join(ticket), None, "somebody is expected");
    lab.pass(11);
    assert_eq!(lab.groups.take_join(ticket).unwrap().generation, 2);
}

#[test]
fn a_new_member_makes_the_others_join_again() {
    let mut lab = Lab::settled(2);
    assert_eq!(lab.heartbeat("m1", 1), Ok(()));
    let third = lab.waits(NEW);
    assert_eq!(lab.heartbeat("m1", 1), Err(ErrorCode::RebalanceInProgress));
    let early = lab.sync("m1", 1, &[]);
    assert_eq!(lab.synced(early).0, ErrorCode::RebalanceInProgress);
    let first = lab.waits(Joins {
        member_id: "m1",
        ..NEW
    });
    let second = lab.waits(Joins {
        member_id: "m2",
        ..NEW
    });
    for ticket in [first, second, third] {
        assert_eq!(lab.groups.take_join(ticket).unwrap().generation, 2);
    }
    assert_eq!(lab.heartbeat("m1", 1), Err(ErrorCode::IllegalGeneration));
}

#[test]
fn who_does_not_join_in_time_is_left_behind() {
    let mut lab = Lab::settled(2);
    let third = lab.waits(NEW);
    lab.waits(Joins {
        member_id: "m2",
        ..NEW
    });
    // m1 led and is only heard from.
    for _ in 0..30 {
        lab.heartbeat("m1", 1).unwrap_err();
        lab.pass(1);
    }
    let answer = lab.groups.take_join(third).unwrap();
    assert_eq!(
        (answer.generation, answer.leader.as_deref()),
        (2, Some("m2"))
    );
    assert_eq!(lab.heartbeat("m1", 2), Err(ErrorCode::UnknownMemberId));
}

#[test]
fn a_silent_member_is_given_up_and_a_waiting_one_is_not() {
    let mut lab = Lab::settled(2);
    for _ in 0..9 {
        lab.pass(1);
        lab.heartbeat("m1", 1).unwrap();
    }
    lab.pass(1);
    assert_eq!(lab.heartbeat("m1", 1), Err(ErrorCode::RebalanceInProgress));
    assert_eq!(lab.heartbeat("m2", 1), Err(ErrorCode::UnknownMemberId));
    let answer = lab.join_done(Joins {
        member_id: "m1",
        ..NEW
    });
    assert_eq!(answer.generation, 2);
}

#[test]
fn who_does_not_ask_for_its_assignment_is_left_behind() {
    let mut lab = Lab::new();
    let first = lab.waits(NEW);
    lab.waits(NEW);
    lab.pass(2);
    assert!(lab.groups.take_join(first).is_some());
    let outcome = lab.sync("m1", 1, &[("m1", "one")]);
    assert_eq!(lab.synced(outcome).0, ErrorCode::None);
    for _ in 0..31 {
        let _ = lab.heartbeat("m1", 1);
        let _ = lab.heartbeat("m2", 1);
        lab.pass(1);
    }
    assert_eq!(lab.state(), ClassicState::PreparingRebalance);
    assert_eq!(lab.heartbeat("m2", 1), Err(ErrorCode::UnknownMemberId));
}

#[test]
fn a_leaving_member_makes_the_others_join_again_and_the_last_one_empties_the_group() {
    let mut lab = Lab::settled(2);
    assert_eq!(lab.leave("m9", None), [ErrorCode::UnknownMemberId]);
    assert_eq!(lab.leave("m1", None), [ErrorCode::None]);
    assert_eq!(lab.heartbeat("m2", 1), Err(ErrorCode::RebalanceInProgress));
    assert_eq!(lab.leave("m2", None), [ErrorCode::None]);
    assert_eq!(lab.state(), ClassicState::Empty);
    lab.groups.delete("g").unwrap();
    assert_eq!(lab.groups.delete("g"), Err(ErrorCode::GroupIdNotFound));
}

#[test]
fn protocols_must_have_one_in_common_and_the_favourite_wins() {
    let mut lab = Lab::new();
    let protocols = |names| Joins {
        protocols: names,
        ..NEW
    };
    let first = lab.waits(protocols(&["a", "b", "c"]));
    lab.waits(protocols(&["c", "b"]));
    lab.waits(protocols(&["c", "b"]));
    assert_eq!(
        lab.join_code(protocols(&["a"])),
        ErrorCode::GroupMaxSizeReached
    );
    lab.pass(2);
    let answer = lab.groups.take_join(first).unwrap();
    assert_eq!(answer.protocol.as_deref(), Some("c"));
    let mut lab = Lab::settled(1);
    assert_eq!(
        lab.join_code(protocols(&["other"])),
        ErrorCode::InconsistentGroupProtocol
    );
    assert_eq!(
        lab.join_code(protocols(&[])),
        ErrorCode::InconsistentGroupProtocol
    );
}

/// G-30, D-91.
#[test]
fn a_static_member_comes_back_under_a_new_id_and_fences_the_old_one() {
    let mut lab = Lab::new();
    let fixed = Joins {
        instance_id: Some("seat"),
        ..NEW
    };
    let answer = lab.join_done(fixed);
    assert_eq!((&*answer.member_id, answer.generation), ("m1", 1));
    let outcome = lab.sync("m1", 1, &[("m1", "one")]);
    lab.synced(outcome);
    let back = lab.join_done(fixed);
    assert_eq!(
        (&*back.member_id, back.generation),
        ("m2", 1),
        "no rebalance"
    );
    assert_eq!(back.leader.as_deref(), Some("m2"));
    assert!(back.skip_assignment);
    let outcome = lab.sync("m2", 1, &[]);
    assert_eq!(lab.synced(outcome).1, "one");
    let old = lab.groups.heartbeat("g", "m1", Some("seat"), 1, lab.now);
    assert_eq!(old, Err(ErrorCode::FencedInstanceId));
    assert_eq!(lab.heartbeat("m1", 1), Err(ErrorCode::UnknownMemberId));
    assert_eq!(lab.leave("", Some("seat")), [ErrorCode::None]);
}

#[test]
fn a_retried_join_takes_the_place_of_the_first() {
    let mut lab = Lab::settled(2);
    let rejoins = Joins {
        member_id: "m1",
        ..NEW
    };
    let lost = lab.waits(rejoins);
    let retried = lab.waits(rejoins);
    assert_eq!(
        lab.groups.take_join(lost).unwrap().code,
        ErrorCode::RebalanceInProgress
    );
    lab.waits(Joins {
        member_id: "m2",
        ..NEW
    });
    assert_eq!(lab.groups.take_join(retried).unwrap().generation, 2);
}

#[test]
fn bounds_are_kept() {
    let mut lab = Lab::settled(3);
    assert_eq!(lab.join_code(NEW), ErrorCode::GroupMaxSizeReached);
    lab.commit_for("h", ("", -1), 1, 8).unwrap();
    let full = lab.commit_for("i", ("", -1), 1, 8);
    assert_eq!(full, Err(ErrorCode::CoordinatorNotAvailable));
}

/// 4.5 of groups.md.
#[test]
fn only_members_of_the_generation_may_commit() {
    let mut lab = Lab::settled(1);
    assert_eq!(lab.commit(("m1", 1), 5), Ok(()));
    assert_eq!(lab.commit(("m1", 2), 5), Err(ErrorCode::IllegalGeneration));
    assert_eq!(
        lab.commit(("nobody", 1), 5),
        Err(ErrorCode::UnknownMemberId)
    );
    assert_eq!(lab.commit(("", -1), 5), Err(ErrorCode::UnknownMemberId));
    let fetched = lab.groups.fetch_offset("g", &key(), true);
    assert!(matches!(fetched, Fetched::Committed(committed) if committed.offset == 5));
    lab.leave("m1", None);
    lab.pass(31);
    assert_eq!(
        lab.commit(("", -1), 6),
        Ok(()),
        "nobody is left to be in the way"
    );
    let unknown = lab.commit_for("h", ("m1", 1), 5, 8);
    assert_eq!(unknown, Err(ErrorCode::IllegalGeneration));
    let unknown = lab.commit_for("h", ("m1", 1), 5, 9);
    assert_eq!(unknown, Err(ErrorCode::GroupIdNotFound));
}

/// 4.7 of groups.md, as measured, T-56, T-57.
#[test]
fn a_transaction_is_fenced_by_generation_and_member_if_it_names_them() {
    let mut lab = Lab::settled(1);
    assert_eq!(lab.commit_in_transaction(("m1", 1), None), Ok(()));
    let wrong = lab.commit_in_transaction(("m1", 2), None);
    assert_eq!(wrong, Err(ErrorCode::IllegalGeneration));
    for (member, instance) in [("nobody", None), ("", None), ("m1", Some("other"))] {
        let unknown = lab.commit_in_transaction((member, 1), instance);
        assert_eq!(unknown, Err(ErrorCode::UnknownMemberId));
    }
    assert_eq!(
        lab.commit_in_transaction(("", -1), None),
        Ok(()),
        "unfenced"
    );
    let mut lab = Lab::new();
    let unknown = lab.commit_in_transaction(("m1", 1), None);
    assert_eq!(unknown, Err(ErrorCode::IllegalGeneration));
}

#[test]
fn too_much_metadata_is_refused_for_its_partition_alone() {
    let mut lab = Lab::new();
    let committer = Committer {
        group_id: "g",
        member_id: "",
        instance_id: None,
        generation: -1,
    };
    let long = ToCommit {
        metadata: "12345".to_owned(),
        ..to_commit(1)
    };
    let commits = vec![long, to_commit(2)];
    let codes = lab.groups.commit(&committer, commits, 8, lab.now).unwrap();
    assert_eq!(codes, [ErrorCode::OffsetMetadataTooLarge, ErrorCode::None]);
}

#[test]
fn when_the_seat_moves_those_who_wait_are_sent_on() {
    let mut lab = Lab::settled(2);
    let ticket = lab.waits(Joins {
        member_id: "m1",
        ..NEW
    });
    lab.groups.unload(|_| true, lab.now);
    assert_eq!(
        lab.groups.take_join(ticket).unwrap().code,
        ErrorCode::NotCoordinator
    );
    let first = lab.waits(Joins {
        member_id: "m1",
        ..NEW
    });
    lab.waits(Joins {
        member_id: "m2",
        ..NEW
    });
    assert_eq!(lab.groups.take_join(first).unwrap().generation, 2);
}
