//! Finds a shorter schedule that fails as well.

use super::{Kind, Plan, run};

/// Takes fault after fault out of a plan that fails, for as long as it goes on breaking one of the
/// promises that it broke; at most so many runs.
#[must_use]
pub fn shrink(plan: &Plan, broken: &[Kind], runs_max: usize) -> Plan {
    shrink_while(plan, runs_max, |plan| {
        let violations = run(plan).violations;
        violations
            .iter()
            .any(|violation| broken.contains(&violation.kind))
    })
}

/// As [`shrink`], whatever it is that makes a plan fail. `fails` is asked at most so many times.
fn shrink_while(plan: &Plan, runs_max: usize, mut fails: impl FnMut(&Plan) -> bool) -> Plan {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A plan with ten faults or more.
    fn long() -> Plan {
        let long = |plan: &Plan| plan.schedule.len() >= 10;
        (0..).map(Plan::from_seed).find(long).unwrap()
    }

    fn left(plan: &Plan) -> Vec<usize> {
        plan.faults().map(|(number, _)| number).collect()
    }

    #[test]
    fn a_plan_shrinks_to_the_one_fault_that_matters() {
        let plan = long();
        for culprit in 0..plan.schedule.len() {
            let fails = |plan: &Plan| left(plan).contains(&culprit);
            assert_eq!(left(&shrink_while(&plan, 1_000, fails)), [culprit]);
        }
    }

    #[test]
    fn what_fails_without_any_fault_shrinks_to_none() {
        assert!(left(&shrink_while(&long(), 1_000, |_| true)).is_empty());
    }

    #[test]
    fn a_fault_that_another_one_made_necessary_goes_once_that_one_has_gone() {
        // The later the number the earlier it is tried: 9 can go only when 2 has gone.
        let fails = |plan: &Plan| {
            let left = left(plan);
            left.contains(&5) && (!left.contains(&2) || left.contains(&9))
        };
        assert_eq!(left(&shrink_while(&long(), 1_000, fails)), [5]);
    }

    #[test]
    fn shrinking_keeps_to_its_runs_and_what_it_returns_fails() {
        let plan = long();
        for runs_max in 0..40 {
            let mut runs = 0;
            let fails = |plan: &Plan| left(plan).contains(&3) && left(plan).contains(&8);
            let shortest = shrink_while(&plan, runs_max, |plan| {
                runs += 1;
                fails(plan)
            });
            assert!(runs <= runs_max);
            assert!(fails(&shortest), "{runs_max}: {:?}", left(&shortest));
            assert!(left(&shortest).len() <= plan.schedule.len());
        }
    }

    #[test]
    fn the_same_plan_is_asked_about_in_the_same_order_each_time() {
        let asked = || {
            let mut asked = Vec::new();
            let shortest = shrink_while(&long(), 1_000, |plan| {
                asked.push(left(plan));
                left(plan).iter().sum::<usize>() > 20
            });
            (asked, left(&shortest))
        };
        assert_eq!(asked(), asked());
    }
}
