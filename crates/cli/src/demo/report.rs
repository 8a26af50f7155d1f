//! The end of the day: a table and a verdict.

use std::time::Duration;

use super::auditor::{Auditor, Fate};
use super::ledger::Bank;
use super::storm::{self, Tally};
use super::teller::Day;
use crate::output::table;
use crate::perf::report::Latencies;

/// Violations printed in full; more are only counted.
const VIOLATIONS_SHOWN: usize = 10;

/// What happened on both sides of the counter.
#[derive(Debug)]
pub(crate) struct DayEnd<'a> {
    pub(crate) bank: Bank,
    pub(crate) days: &'a [Day],
    pub(crate) auditor: &'a Auditor,
    /// Offsets that the reader passed: entries, hidden entries and markers.
    pub(crate) offsets: i64,
    pub(crate) elapsed: Duration,
    /// What went wrong on purpose; `None` if nothing was to.
    pub(crate) faults: Option<Tally>,
}

impl DayEnd<'_> {
    fn count(&self, fate: Fate) -> usize {
        let fates = self.days.iter().flat_map(|day| day.fates.values());
        fates.filter(|found| **found == fate).count()
    }

    /// Two columns: what, and how many.
    pub(crate) fn table(&self) -> String {
        let on_purpose: u64 = self.days.iter().map(|day| day.aborted_on_purpose).sum();
        let aborted = self.count(Fate::Aborted) as u64;
        let entries = self.auditor.entries();
        let hidden = u64::try_from(self.offsets)
            .unwrap_or(0)
            .saturating_sub(entries);
        let mut latencies = Latencies::of("transaction");
        for commit in self.days.iter().flat_map(|day| &day.commits) {
            latencies.record(*commit);
        }
        let latency = latencies.latency();
        let seconds = self.elapsed.as_secs_f64().max(1e-9);
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let per_second = (self.count(Fate::Committed) as f64 + aborted as f64) / seconds;
        let rows = [
            (
                "transfers committed",
                self.count(Fate::Committed).to_string(),
            ),
            ("transfers aborted on purpose", on_purpose.to_string()),
            (
                "transfers aborted after a failure",
                (aborted.saturating_sub(on_purpose)).to_string(),
            ),
            (
                "transfers with unknown outcome",
                self.count(Fate::Unknown).to_string(),
            ),
            (
                "transfers seen whole by the reader",
                self.auditor.settled().to_string(),
            ),
            ("entries seen by the reader", entries.to_string()),
            ("entries and markers hidden from it", hidden.to_string()),
            ("money in the bank at first", self.bank.total().to_string()),
            (
                "money in the bank at last",
                self.auditor.total().to_string(),
            ),
            ("transactions per second", format!("{per_second:.0}")),
            (
                "commit, milliseconds, median",
                format!("{:.2}", latency.p50_ms),
            ),
            (
                "commit, milliseconds, 99 %",
                format!("{:.2}", latency.p99_ms),
            ),
        ];
        let last = ("violations", self.auditor.violations().len().to_string());
        let faults = self.faults.as_ref().map(storm::rows).unwrap_or_default();
        let rows: Vec<_> = rows
            .into_iter()
            .chain(faults)
            .chain([last])
            .map(|(what, count)| vec![what.to_owned(), count])
            .collect();
        table(&["THE BANK", ""], &rows)
    }

    /// The violations in words, the first ones.
    pub(crate) fn violations(&self) -> Vec<String> {
        let violations = self.auditor.violations();
        let mut lines: Vec<_> = violations
            .iter()
            .take(VIOLATIONS_SHOWN)
            .map(ToString::to_string)
            .collect();
        if violations.len() > VIOLATIONS_SHOWN {
            lines.push(format!("and {} more", violations.len() - VIOLATIONS_SHOWN));
        }
        lines
    }
}
