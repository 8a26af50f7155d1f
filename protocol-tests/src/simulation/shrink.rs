//! Finds a shorter schedule that fails as well.

use super::{Kind, Plan, run};

/// Takes fault after fault out of a plan that fails, for as long as it goes on breaking one of the
/// promises that it broke; at most so many runs.
#[must_use]
pub fn shrink(plan: &Plan, broken: &[Kind], runs_max: usize) -> Plan {
    let fails = |plan: &Plan| {
        let outcome = run(plan);
        outcome
            .violations
            .iter()
            .any(|violation| broken.contains(&violation.kind))
    };
    let mut runs = 0;
    let mut shortest = plan.clone();
    loop {
        let before = shortest.without.len();
        let numbers: Vec<_> = shortest.faults().map(|(number, _)| number).collect();
        for number in numbers.into_iter().rev() {
            if runs >= runs_max {
                return shortest;
            }
            runs += 1;
            let mut shorter = shortest.clone();
            shorter.without.insert(number);
            if fails(&shorter) {
                shortest = shorter;
            }
        }
        if shortest.without.len() == before {
            return shortest;
        }
    }
}
