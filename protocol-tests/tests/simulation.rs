//! The simulation itself: that a seed is a run, and that runs are clean.
//!
//! Many more seeds run in `.ci/run simulation`; see `cargo run -p milena-protocol-tests --bin simulate -- --help`.

use milena_protocol_tests::simulation::{Plan, Takeovers, Workload, run};

/// Without this, a failure found in the night would be gone in the morning.
#[test]
fn a_seed_gives_the_same_run_to_the_byte() {
    for seed in 0..12 {
        let plan = Plan::from_seed(seed);
        let (first, second) = (run(&plan), run(&plan));
        assert!(first.events > 100, "seed {seed}: {} events", first.events);
        let (first, second) = (first.history(), second.history());
        let differs = first.lines().zip(second.lines()).find(|(a, b)| a != b);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.len(), second.len(), "seed {seed}");
    }
}

/// T-45: a run in which nobody takes anything over shows nothing.
#[cfg(feature = "two-phase-commit")]
#[test]
fn runs_of_two_phase_commit_have_everything_in_them_that_can_go_wrong() {
    let plans = (0..60).map(Plan::from_seed);
    let plans = plans.filter(|plan| plan.workload == Workload::TwoPhase);
    let mut takeovers = Takeovers::default();
    for plan in plans {
        takeovers += run(&plan).takeovers;
    }
    let Takeovers {
        committed,
        aborted,
        late_ends,
        late_decisions,
        ..
    } = takeovers;
    let rarest = committed.min(aborted).min(late_ends).min(late_decisions);
    assert!(rarest > 0, "{takeovers}");
}

#[test]
fn different_seeds_are_different_runs() {
    let history = |seed| run(&Plan::from_seed(seed)).history();
    assert_ne!(history(1), history(2));
}

#[test]
fn a_plan_without_some_of_its_faults_says_so_in_its_command() {
    let plan = Plan::from_seed(5).without([1, 3]);
    assert!(plan.command().ends_with("--seed 5 --without 1,3"));
    assert!(plan.faults().all(|(number, _)| number != 1 && number != 3));
}
