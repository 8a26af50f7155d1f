//! Members that fall silent at odd moments, and timeouts of zero: found by `operations.rs`.

use super::*;

const STATIC: Joins<'_> = Joins {
    instance_id: Some("i"),
    ..NEW
};

fn is_at_rest(lab: &Lab) -> bool {
    let next = lab.groups.next_deadline();
    next.is_none_or(|next| next > lab.now)
}

/// While it waited in SyncGroup its session ended, which it was excused for; then the rebalance was called off.
#[test]
fn a_static_member_whose_sync_was_called_off_is_given_up_when_it_stays_silent() {
    let mut lab = Lab::new();
    let _leader = lab.waits(NEW);
    let _member = lab.waits(STATIC);
    lab.pass(2);
    let Outcome::Later(ticket) = lab.sync("m2", 1, &[]) else {
        panic!("the leader has not assigned yet");
    };
    lab.heartbeat("m1", 1).unwrap();
    lab.pass(9);
    lab.heartbeat("m1", 1).unwrap();
    lab.pass(2); // The session of m2 has ended by now.
    assert!(lab.group().members.contains_key("m2"), "it waits");
    lab.leave("m1", None);
    let called_off = lab.synced(Outcome::Later(ticket));
    assert_eq!(called_off.0, ErrorCode::RebalanceInProgress);
    lab.pass(9);
    assert!(lab.group().members.contains_key("m2"));
    lab.pass(1);
    assert!(lab.group().is_empty());
}

/// The broker's timer would have spun without end, and let nothing else run.
#[test]
fn a_group_whose_static_members_give_no_time_to_rebalance_lets_the_timer_rest() {
    let mut lab = Lab::new();
    lab.join_done(STATIC);
    let synced = lab.sync("m1", 1, &[]);
    assert_eq!(lab.synced(synced).0, ErrorCode::None);
    lab.rebalance_timeout = Duration::ZERO;
    assert_eq!(lab.join_done(STATIC).generation, 1, "it comes back");
    let _new = lab.waits(NEW);
    lab.leave("m3", None);
    for _ in 0..3 {
        lab.groups.tick(lab.now);
    }
    assert_eq!(lab.state(), ClassicState::PreparingRebalance);
    assert!(is_at_rest(&lab), "{:?}", lab.group());
    lab.pass(12);
    assert!(lab.group().is_empty());
}

#[test]
fn a_group_without_an_initial_delay_does_not_wait_for_more_members() {
    let mut lab = Lab::new();
    let settings = GroupSettings {
        initial_rebalance_delay: Duration::ZERO,
        ..SETTINGS
    };
    lab.groups = GroupCoordinator::new(settings);
    let (first, second) = (lab.waits(NEW), lab.waits(NEW));
    lab.groups.tick(lab.now);
    for ticket in [first, second] {
        assert_eq!(lab.groups.take_join(ticket).unwrap().generation, 1);
    }
    assert!(is_at_rest(&lab));
}

/// G-2, G-30: the name was the other's, and the group had two members of one instance.
#[test]
fn an_id_that_was_given_out_beforehand_takes_nobodys_name() {
    let mut lab = Lab::new();
    let holder = lab.join_done(STATIC);
    let asked = Joins {
        id_required: true,
        ..NEW
    };
    let given = lab.join_done(asked);
    let claims = Joins {
        member_id: &given.member_id,
        ..STATIC
    };
    assert_eq!(lab.join_code(claims), ErrorCode::UnknownServerError);
    let instances: Vec<_> = lab.group().instances.values().cloned().collect();
    assert_eq!(instances, [holder.member_id]);
}

#[test]
fn ids_that_are_given_out_are_no_more_than_the_group_may_have_members() {
    let mut lab = Lab::new();
    let asked = Joins {
        id_required: true,
        ..NEW
    };
    for _ in 0..SETTINGS.members_max {
        assert_eq!(lab.join_code(asked), ErrorCode::MemberIdRequired);
    }
    assert_eq!(lab.join_code(asked), ErrorCode::GroupMaxSizeReached);
    lab.pass(10);
    assert_eq!(lab.join_code(asked), ErrorCode::MemberIdRequired);
}

/// G-56: what was agreed on stays, but nobody had been told of this one; each move left more of them.
#[test]
fn a_new_member_is_not_kept_when_its_coordinator_moves() {
    let mut lab = Lab::settled(1);
    let ticket = lab.waits(NEW);
    lab.groups.unload(|_| true, lab.now);
    let moved = lab.groups.take_join(ticket).unwrap();
    assert_eq!(moved.code, ErrorCode::NotCoordinator);
    let members: Vec<_> = lab.group().members().map(|(id, _)| &**id).collect();
    assert_eq!(members, ["m1"]);
}
