//! What a database decided to commit, against what is visible: the same, in the same order (T-45).

use super::super::database::Commit;
use super::super::journal::{Number, Value};
use super::{Evidence, Kind, Truth, Violation};
use milena::TopicPartition;
use std::collections::BTreeSet;

/// What a database decided in a run.
#[derive(Debug, Default)]
pub(in crate::simulation) struct Decisions {
    /// The transactions that it decides over. It commits some of them; all others are aborted, whoever ends them.
    pub(in crate::simulation) asked: BTreeSet<Number>,
    /// In its order. The next transaction begins when the one before has ended, so this is Kafka's order, too.
    pub(in crate::simulation) commits: Vec<Commit>,
}

pub(super) fn check(evidence: &Evidence, truth: &Truth<'_>, found: &mut Vec<Violation>) {
    let Decisions { asked, commits } = &evidence.decisions;
    let write = |value: Value| {
        let index = usize::try_from(value).ok()?;
        evidence.seen.writes.get(index)
    };
    for (partition, log) in truth.logs {
        let visible = log.visible().map(|(_, value)| value);
        let transaction = |value| write(value).and_then(|write| write.transaction);
        let visible: Vec<Value> = visible
            .filter(|value| transaction(*value).is_some_and(|number| asked.contains(&number)))
            .collect();
        let decided = commits.iter().flat_map(|commit| &commit.values).copied();
        let decided: Vec<Value> = decided
            .filter(|value| write(*value).is_some_and(|write| write.partition == *partition))
            .collect();
        // The last one may not have ended yet.
        let is_under_way = !evidence.complete && decided.starts_with(&visible);
        if visible != decided && !is_under_way {
            found.push(difference(partition, &visible, &decided));
        }
    }
}

fn difference(partition: &TopicPartition, visible: &[Value], decided: &[Value]) -> Violation {
    let without = |all: &[Value], others: &[Value]| -> Vec<Value> {
        let others: BTreeSet<_> = others.iter().collect();
        let mut rest = all.to_vec();
        rest.retain(|value| !others.contains(value));
        rest
    };
    let (more, fewer) = (without(visible, decided), without(decided, visible));
    if more.is_empty() && fewer.is_empty() {
        let evidence = format!(
            "{partition}: {decided:?} were decided in this order, and {visible:?} is visible"
        );
        return Violation::new(Kind::Reorder, evidence);
    }
    let evidence = format!(
        "{partition}: records {more:?} are visible without a decision for it, and {fewer:?} are not in spite of one"
    );
    Violation::new(Kind::Disagreement, evidence)
}
