//! Consumer groups, heartbeat by heartbeat (groups.md 4.4).

use super::super::commit::{Committer, ToCommit};
use super::super::offsets::OffsetKey;
use super::super::operations::consumer::heartbeat;
use super::super::{Group, GroupCoordinator};
use super::*;

const SECOND: Duration = Duration::from_secs(1);
const SETTINGS: GroupSettings = GroupSettings {
    initial_rebalance_delay: SECOND,
    session_timeout_min: SECOND,
    session_timeout_max: SECOND,
    new_member_timeout: SECOND,
    members_max: 3,
    groups_max: 2,
    consumer_heartbeat_interval: Duration::from_secs(5),
    consumer_session_timeout: Duration::from_secs(45),
    consumer_assignment_interval: Duration::ZERO,
    metadata_bytes_max: 100,
};

#[derive(Default)]
struct Catalog(BTreeMap<&'static str, i32>);

impl Topics for Catalog {
    fn find(&self, name: &str) -> Option<(Uuid, i32)> {
        Some((id_of(name), *self.0.get(name)?))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().copied()
    }
}

fn id_of(name: &str) -> Uuid {
    let first = name.bytes().next().unwrap_or_default();
    Uuid::from_u128(u128::from(first))
}

struct Lab {
    groups: GroupCoordinator,
    topics: Catalog,
    host: Arc<str>,
    now: Time,
}

type Answer = Result<(i32, Option<Vec<i32>>), ErrorCode>;
const FENCED: Answer = Err(ErrorCode::FencedMemberEpoch);

impl Lab {
    /// A topic `t` with so many partitions.
    fn new(partitions: i32) -> Self {
        Self {
            groups: GroupCoordinator::new(SETTINGS),
            topics: Catalog(BTreeMap::from([("t", partitions)])),
            host: Arc::from("/memory"),
            now: Time::from_unix_millis(1_000_000),
        }
    }

    fn request<'a>(&'a self, member_id: &'a str, member_epoch: i32) -> Heartbeat<'a> {
        Heartbeat {
            fresh_member_id: Arc::from("fresh"),
            ..heartbeat(&self.host, member_id, None, member_epoch)
        }
    }

    fn joining<'a>(&'a self, member_id: &'a str, topics: &[&str]) -> Heartbeat<'a> {
        Heartbeat {
            rebalance_timeout: Some(10 * SECOND),
            subscribed: Some(topics.iter().map(|name| Arc::from(*name)).collect()),
            owned: Some(Partitions::new()),
            ..self.request(member_id, 0)
        }
    }

    fn send(
        groups: &mut GroupCoordinator,
        request: &Heartbeat<'_>,
        topics: &Catalog,
        now: Time,
    ) -> Answer {
        let answer = groups.consumer_heartbeat(request, topics, now)?;
        let assigned = answer.assignment.map(|partitions| {
            let partitions = partitions.into_values().flatten();
            partitions.collect()
        });
        Ok((answer.member_epoch, assigned))
    }

    fn ask(&mut self, change: impl for<'a> FnOnce(&'a Self) -> Heartbeat<'a>) -> Answer {
        let mut groups = std::mem::replace(&mut self.groups, GroupCoordinator::new(SETTINGS));
        let answer = Self::send(&mut groups, &change(self), &self.topics, self.now);
        self.groups = groups;
        answer
    }

    fn join(&mut self, member_id: &str) -> Answer {
        self.ask(|lab| {
            Heartbeat {
                member_id: "",
                ..lab.joining("", &["t"])
            }
            .named(member_id)
        })
    }

    fn heartbeat(&mut self, member_id: &str, epoch: i32) -> Answer {
        self.ask(|lab| lab.request("", epoch).named(member_id))
    }

    /// A heartbeat that tells what the member owns of `t`.
    fn owning(&mut self, member_id: &str, epoch: i32, partitions: &[i32]) -> Answer {
        let owned = Partitions::from([(id_of("t"), partitions.iter().copied().collect())]);
        self.ask(|lab| Heartbeat {
            owned: Some(owned),
            ..lab.request("", epoch).named(member_id)
        })
    }

    fn pass(&mut self, seconds: u32) {
        self.now = self.now + seconds * SECOND;
        self.groups.tick(self.now);
    }

    fn group(&self) -> &ConsumerGroup {
        match self.groups.group("g") {
            Some(Group::Consumer(group)) => group,
            other => panic!("not a consumer group: {other:?}"),
        }
    }

    fn commit(&mut self, epoch: i32, partition: i32, api_version: i16) -> Result<(), ErrorCode> {
        let committer = Committer {
            group_id: "g",
            member_id: "a",
            instance_id: None,
            generation: epoch,
        };
        let commit = ToCommit {
            key: OffsetKey {
                topic: Arc::from("t"),
                partition,
            },
            topic_id: id_of("t"),
            offset: 1,
            leader_epoch: -1,
            metadata: String::new(),
        };
        let now = self.now;
        let codes = self
            .groups
            .commit(&committer, vec![commit], api_version, now)?;
        assert_eq!(codes, [ErrorCode::None]);
        Ok(())
    }
}

impl<'a> Heartbeat<'a> {
    /// The same of another member; ids in these tests are as good as static.
    fn named(self, member_id: &str) -> Heartbeat<'a> {
        const IDS: [&str; 5] = ["a", "b", "c", "d", ""];
        let member_id = IDS.into_iter().find(|id| *id == member_id);
        Heartbeat {
            member_id: member_id.expect("one of the known ids"),
            ..self
        }
    }
}

/// As measured: the first epoch is 2, and what was acknowledged is not told again.
#[test]
fn the_first_member_gets_everything_at_once() {
    let mut lab = Lab::new(2);
    assert_eq!(lab.join("a"), Ok((2, Some(vec![0, 1]))));
    assert_eq!(lab.owning("a", 2, &[0, 1]), Ok((2, None)));
    assert_eq!(lab.group().state(), ConsumerState::Stable);
}

/// As measured, G-51, G-52, G-53, G-55.
#[test]
fn wrong_epochs_are_fenced_and_strangers_unknown() {
    let mut lab = Lab::new(1);
    lab.join("a").unwrap();
    assert_eq!(lab.heartbeat("a", 3), FENCED);
    assert_eq!(lab.heartbeat("a", 1), FENCED);
    assert_eq!(lab.owning("a", 1, &[0]), FENCED);
    assert_eq!(lab.heartbeat("b", 2), Err(ErrorCode::UnknownMemberId));
    assert_eq!(lab.heartbeat("a", -1), Ok((-1, None)));
    assert_eq!(lab.heartbeat("a", -1), Err(ErrorCode::UnknownMemberId));
    let unknown_group = lab.ask(|lab| Heartbeat {
        group_id: "h",
        ..lab.request("a", 2)
    });
    assert_eq!(unknown_group, Err(ErrorCode::GroupIdNotFound));
}

/// G-46: a partition has a new owner only after the old one has let go.
#[test]
fn a_partition_moves_only_after_it_was_given_up() {
    let mut lab = Lab::new(2);
    lab.join("a").unwrap();
    assert_eq!(lab.join("b"), Ok((3, Some(vec![]))));
    assert_eq!(
        lab.heartbeat("a", 2),
        Ok((2, Some(vec![0]))),
        "in its old epoch"
    );
    assert_eq!(lab.heartbeat("b", 3), Ok((3, None)), "still nothing");
    assert_eq!(lab.group().state(), ConsumerState::Reconciling);
    assert_eq!(
        lab.heartbeat("a", 2),
        Ok((2, None)),
        "it says nothing of what it owns"
    );
    assert_eq!(
        lab.owning("a", 2, &[0, 1]),
        Ok((2, None)),
        "it owns it still"
    );
    assert_eq!(lab.owning("a", 2, &[0]), Ok((3, None)), "let go");
    assert_eq!(lab.heartbeat("b", 3), Ok((3, Some(vec![1]))));
    assert_eq!(lab.group().state(), ConsumerState::Stable);
}

/// G-50.
#[test]
fn who_does_not_let_go_in_time_is_fenced() {
    let mut lab = Lab::new(2);
    lab.join("a").unwrap();
    lab.join("b").unwrap();
    lab.heartbeat("a", 2).unwrap();
    for _ in 0..3 {
        lab.pass(3);
        lab.heartbeat("a", 2).unwrap();
    }
    lab.pass(1);
    assert_eq!(lab.heartbeat("a", 2), Err(ErrorCode::UnknownMemberId));
    assert_eq!(lab.heartbeat("b", 3), Ok((4, Some(vec![0, 1]))));
}

/// G-51: the answer with the new epoch was lost.
#[test]
fn the_previous_epoch_is_good_with_what_was_assigned() {
    let mut lab = Lab::new(2);
    lab.join("a").unwrap();
    lab.join("b").unwrap();
    lab.heartbeat("a", 2).unwrap();
    assert_eq!(lab.owning("a", 2, &[0]), Ok((3, None)));
    assert_eq!(lab.owning("a", 2, &[0]), Ok((3, None)), "once more");
    assert_eq!(lab.owning("a", 2, &[0, 1]), FENCED, "more than it has");
}

#[test]
fn a_silent_member_is_given_up_after_its_session() {
    let mut lab = Lab::new(2);
    lab.join("a").unwrap();
    lab.pass(44);
    lab.heartbeat("a", 2).unwrap();
    lab.pass(44);
    lab.heartbeat("a", 2).unwrap();
    lab.pass(45);
    assert_eq!(lab.heartbeat("a", 2), Err(ErrorCode::UnknownMemberId));
    assert_eq!(lab.group().state(), ConsumerState::Empty);
}

/// G-40, G-52.
#[test]
fn a_fenced_member_joins_again_under_its_id() {
    let mut lab = Lab::new(2);
    lab.join("a").unwrap();
    assert_eq!(lab.heartbeat("a", 9), FENCED);
    assert_eq!(lab.join("a"), Ok((2, Some(vec![0, 1]))));
}

#[test]
fn new_partitions_and_topics_are_assigned_at_the_next_heartbeat() {
    let mut lab = Lab::new(1);
    lab.join("a").unwrap();
    lab.topics.0.insert("t", 3);
    assert_eq!(lab.heartbeat("a", 2), Ok((3, Some(vec![0, 1, 2]))));
    lab.topics.0.insert("u", 1);
    assert_eq!(
        lab.heartbeat("a", 3),
        Ok((3, None)),
        "it does not want that one"
    );
    let both = lab.ask(|lab| Heartbeat {
        subscribed: Some(BTreeSet::from([Arc::from("t"), Arc::from("u")])),
        ..lab.request("a", 3)
    });
    assert_eq!(both, Ok((4, Some(vec![0, 1, 2, 0]))));
}

/// KIP-848: the broker looks up what matches.
#[test]
fn topics_that_match_an_expression_are_assigned_as_they_come() {
    let mut lab = Lab::new(1);
    lab.topics.0.insert("u", 1);
    let joined = lab.ask(|lab| Heartbeat {
        subscribed: None,
        regex: Some("[tv]"),
        ..lab.joining("a", &[])
    });
    assert_eq!(joined, Ok((2, Some(vec![0]))), "t, and not u");
    lab.topics.0.insert("v", 2);
    assert_eq!(lab.heartbeat("a", 2), Ok((3, Some(vec![0, 0, 1]))));
    let refused = lab.ask(|lab| Heartbeat {
        regex: Some("("),
        ..lab.request("a", 3)
    });
    assert_eq!(refused, Err(ErrorCode::InvalidRegularExpression));
    let both = lab.ask(|lab| Heartbeat {
        subscribed: Some(BTreeSet::from([Arc::from("u")])),
        regex: Some("v"),
        ..lab.request("a", 3)
    });
    assert_eq!(
        both,
        Ok((3, Some(vec![0, 1]))),
        "t has to be given up first"
    );
}

/// G-53, KIP-345.
#[test]
fn a_static_member_that_left_for_a_moment_finds_its_partitions() {
    let mut lab = Lab::new(2);
    let fixed = |lab: &mut Lab, member_id: &str, epoch| {
        lab.ask(|lab| {
            let request = if epoch == 0 {
                lab.joining("", &["t"])
            } else {
                lab.request("", epoch)
            };
            Heartbeat {
                instance_id: Some("seat"),
                ..request.named(member_id)
            }
        })
    };
    assert_eq!(fixed(&mut lab, "a", 0), Ok((2, Some(vec![0, 1]))));
    assert_eq!(
        fixed(&mut lab, "b", 0),
        Err(ErrorCode::UnreleasedInstanceId)
    );
    assert_eq!(fixed(&mut lab, "a", -2), Ok((-2, None)));
    assert_eq!(fixed(&mut lab, "b", 0), Ok((2, Some(vec![0, 1]))));
    assert_eq!(fixed(&mut lab, "a", 2), Err(ErrorCode::FencedInstanceId));
}

/// G-41.
#[test]
fn a_join_must_say_everything() {
    let mut lab = Lab::new(1);
    let invalid = Err(ErrorCode::InvalidRequest);
    let answer = lab.ask(|lab| Heartbeat {
        rebalance_timeout: None,
        ..lab.joining("a", &["t"])
    });
    assert_eq!(answer, invalid);
    let answer = lab.ask(|lab| Heartbeat {
        owned: None,
        ..lab.joining("a", &["t"])
    });
    assert_eq!(answer, invalid);
    let answer = lab.ask(|lab| Heartbeat {
        subscribed: None,
        ..lab.joining("a", &["t"])
    });
    assert_eq!(answer, invalid);
    assert_eq!(lab.ask(|lab| lab.joining("", &["t"])), invalid, "no id");
    let answer = lab.ask(|lab| Heartbeat {
        assignor: Some("mine"),
        ..lab.joining("a", &["t"])
    });
    assert_eq!(answer, Err(ErrorCode::UnsupportedAssignor));
    let answer = lab.ask(|lab| Heartbeat {
        makes_its_id: false,
        ..lab.joining("", &["t"])
    });
    assert_eq!(
        answer,
        Ok((2, Some(vec![0]))),
        "older members are given one"
    );
}

/// G-60, G-64 as measured.
#[test]
fn commits_need_a_current_epoch_or_one_since_the_assignment() {
    let mut lab = Lab::new(2);
    lab.join("a").unwrap();
    assert_eq!(lab.commit(2, 0, 9), Ok(()));
    assert_eq!(lab.commit(2, 0, 8), Err(ErrorCode::UnsupportedVersion));
    assert_eq!(lab.commit(1, 0, 9), Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(lab.commit(3, 0, 9), Err(ErrorCode::StaleMemberEpoch));
    lab.join("b").unwrap();
    lab.heartbeat("a", 2).unwrap();
    assert_eq!(lab.owning("a", 2, &[0]), Ok((3, None)));
    assert_eq!(lab.commit(2, 0, 9), Ok(()), "assigned since epoch 2");
    assert_eq!(
        lab.commit(2, 1, 9),
        Err(ErrorCode::StaleMemberEpoch),
        "given up"
    );
    assert_eq!(lab.groups.check_fetch("g", Some("a"), 3), Ok(()));
    let stale = lab.groups.check_fetch("g", Some("a"), 2);
    assert_eq!(stale, Err(ErrorCode::StaleMemberEpoch));
    let unknown = lab.groups.check_fetch("g", Some("x"), 3);
    assert_eq!(unknown, Err(ErrorCode::UnknownMemberId));
    assert_eq!(lab.groups.check_fetch("g", None, -1), Ok(()));
}

mod assignors {
    use super::super::assign::assign;
    use super::*;

    fn member(subscribed: &[&str], instance_id: Option<&str>) -> ConsumerMember {
        ConsumerMember {
            instance_id: instance_id.map(Arc::from),
            rack_id: None,
            client_id: Arc::from("c"),
            client_host: Arc::from("h"),
            named: BTreeSet::new(),
            pattern: None,
            subscribed: subscribed.iter().map(|name| Arc::from(*name)).collect(),
            assignor: None,
            rebalance_timeout: SECOND,
            epoch: 1,
            previous_epoch: 1,
            state: MemberState::Stable,
            assigned: OwnedPartitions::new(),
            revoking: OwnedPartitions::new(),
            session_until: Time::ZERO,
            revoke_until: None,
        }
    }

    fn topics(list: &[(&str, i32)]) -> BTreeMap<Arc<str>, (Uuid, i32)> {
        let topics = list.iter();
        topics
            .map(|(name, count)| (Arc::from(*name), (id_of(name), *count)))
            .collect()
    }

    fn of(target: &BTreeMap<MemberId, Partitions>, member: &str, topic: &str) -> Vec<i32> {
        let partitions = target[member].get(&id_of(topic));
        partitions.into_iter().flatten().copied().collect()
    }

    #[test]
    fn ranges_are_contiguous_and_the_first_get_the_rest() {
        let members = BTreeMap::from([
            (Arc::from("x"), member(&["t", "u"], None)),
            (Arc::from("y"), member(&["t"], Some("2"))),
            (Arc::from("z"), member(&["t", "u"], Some("1"))),
        ]);
        let target = assign(
            "range",
            &members,
            &topics(&[("t", 7), ("u", 3)]),
            &BTreeMap::new(),
        );
        assert_eq!(of(&target, "z", "t"), [0, 1, 2]);
        assert_eq!(of(&target, "y", "t"), [3, 4]);
        assert_eq!(of(&target, "x", "t"), [5, 6]);
        assert_eq!(of(&target, "z", "u"), [0, 1]);
        assert_eq!(of(&target, "x", "u"), [2]);
    }

    #[test]
    fn uniform_is_even_and_moves_little() {
        let two = BTreeMap::from([
            (Arc::from("x"), member(&["t"], None)),
            (Arc::from("y"), member(&["t"], None)),
        ]);
        let first = assign("uniform", &two, &topics(&[("t", 6)]), &BTreeMap::new());
        assert_eq!(of(&first, "x", "t").len(), 3);
        let mut three = two.clone();
        three.insert(Arc::from("z"), member(&["t"], None));
        let second = assign("uniform", &three, &topics(&[("t", 6)]), &first);
        for (name, before) in [("x", of(&first, "x", "t")), ("y", of(&first, "y", "t"))] {
            let after = of(&second, name, "t");
            assert_eq!(after.len(), 2);
            assert!(after.iter().all(|partition| before.contains(partition)));
        }
        assert_eq!(of(&second, "z", "t").len(), 2);
    }

    #[test]
    fn uniform_respects_subscriptions() {
        let members = BTreeMap::from([
            (Arc::from("x"), member(&["t", "u"], None)),
            (Arc::from("y"), member(&["u"], None)),
        ]);
        let target = assign(
            "uniform",
            &members,
            &topics(&[("t", 3), ("u", 3)]),
            &BTreeMap::new(),
        );
        assert_eq!(of(&target, "x", "t"), [0, 1, 2]);
        assert_eq!(of(&target, "y", "u"), [0, 1, 2]);
        assert_eq!(of(&target, "y", "t"), [0; 0]);
    }
}

/// G-53, found by `operations.rs`: the first name stayed its own for ever, and nobody could join under it.
#[test]
fn a_member_that_comes_under_another_name_frees_the_first() {
    let mut lab = Lab::new(2);
    let joins = |lab: &mut Lab, member_id, instance_id| {
        lab.ask(|lab| {
            let joining = Heartbeat {
                instance_id: Some(instance_id),
                ..lab.joining("", &["t"])
            };
            joining.named(member_id)
        })
    };
    joins(&mut lab, "a", "first").unwrap();
    joins(&mut lab, "a", "second").unwrap();
    lab.pass(45);
    assert!(lab.group().is_empty());
    assert!(joins(&mut lab, "b", "first").is_ok());
}
