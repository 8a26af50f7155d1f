//! The checker bites: each of these mistakes, built in on purpose, is found within 200 seeds.
//!
//! `cargo test -p milena-protocol-tests --features _deliberate-bugs --test deliberate_bugs`

use milena_protocol_tests::simulation::{Kind, Plan, Violation, Workload, run};

/// Seeds that a mistake may stay unseen for.
const SEEDS: u64 = 200;

/// All but [`Workload::Produce`].
const TRANSACTIONAL: [Workload; 4] = [
    Workload::Transactions,
    Workload::Copy,
    Workload::Rivals,
    Workload::TwoPhase,
];

/// All but [`Workload::TwoPhase`]; nobody else prepares.
const ONE_PHASE: [Workload; 4] = [
    Workload::Produce,
    Workload::Transactions,
    Workload::Copy,
    Workload::Rivals,
];

/// Looks for a run that a mistake spoils, and that is clean without it.
fn first_found(in_vain: &[Workload], make: impl Fn(bool)) -> Option<(u64, Vec<Violation>)> {
    for seed in 0..SEEDS {
        let plan = Plan::from_seed(seed);
        if in_vain.contains(&plan.workload) {
            continue;
        }
        make(true);
        let violations = run(&plan).violations;
        make(false);
        if !violations.is_empty() {
            let clean = run(&plan).violations;
            assert!(
                clean.is_empty(),
                "seed {seed} fails without the mistake: {clean:?}"
            );
            return Some((seed, violations));
        }
    }
    None
}

/// `in_vain` are workloads that never do what the mistake is about; their seeds only take time.
fn is_found(expected: &[Kind], in_vain: &[Workload], make: impl Fn(bool)) {
    let found = first_found(in_vain, make);
    assert!(found.is_some(), "not found within {SEEDS} seeds");
    let (seed, violations) = found.unwrap_or_default();
    let first: Vec<_> = violations.iter().take(3).map(ToString::to_string).collect();
    println!("found by seed {seed}: {first:#?}");
    assert!(
        violations.iter().any(|v| expected.contains(&v.kind)),
        "seed {seed} shows something else than {expected:?}: {violations:?}"
    );
}

macro_rules! found {
    ($($name:ident: $krate:ident::$bug:ident => [$($kind:ident),+], not in $in_vain:expr;)+) => {
        $(
            #[test]
            fn $name() {
                use $krate::deliberate::{Bug, commit};
                is_found(&[$(Kind::$kind),+], $in_vain, |on| commit(on.then_some(Bug::$bug)));
            }
        )+
    };
}

found! {
    a_batch_cut_anew_for_its_retry_is_found: milena::RebatchOnRetry => [Duplicate, Loss], not in &[];
    a_batch_in_flight_that_is_forgotten_is_found: milena::ForgetInFlight => [Loss, NoProgress], not in &[];
    an_unknown_outcome_told_as_a_failure_is_found: milena::UnknownIsFailed => [AbortedRead], not in &TRANSACTIONAL;
    a_commit_before_the_last_answer_is_found: milena::CommitBeforeLastAck => [Loss, Torn], not in &[Workload::Produce];
    an_epoch_kept_although_a_late_end_may_come_is_found: milena::KeepEpoch => [Loss, Torn, AbortedRead], not in &[Workload::Produce];
    a_position_one_too_far_behind_a_marker_is_found: milena::PositionAfterControl => [Loss], not in &[Workload::Produce];
    an_aborted_index_in_the_wrong_order_is_found: milena::AbortedIndexOrder => [AbortedRead, Loss], not in &[Workload::Produce];
    an_abort_marker_that_is_dropped_is_found: milena_broker::DropAbortMarker => [NoProgress, AbortedRead], not in &[Workload::Produce];
    a_completion_in_the_name_of_another_transaction_is_found: milena::CompleteUnnamed => [Disagreement], not in &ONE_PHASE;
    a_fencing_check_that_is_skipped_is_found: milena_broker::SkipFencing => [Loss, Torn, AbortedRead], not in &[Workload::Produce];
}
