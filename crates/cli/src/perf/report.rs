//! What a measurement says, as one JSON line.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::usage::Usage;

/// One measurement. Everything is over the measured part, without the warm-up.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// What was measured: `produce`, `consume` or `transactions`.
    pub(crate) work: &'static str,
    pub(crate) topic: String,
    pub(crate) records: u64,
    /// Keys and values.
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) records_per_s: f64,
    /// Millions of bytes.
    pub(crate) mb_per_s: f64,
    #[serde(flatten)]
    pub(crate) latency: Latency,
    /// User and system time of the whole process.
    pub(crate) cpu_ns_per_record: f64,
    /// The most that was resident at once, in millions of bytes, warm-up included.
    pub(crate) rss_mb: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transactions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transactions_per_s: Option<f64>,
}

/// Percentiles of what `measures` names, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Latency {
    #[serde(rename = "latency_of")]
    pub(crate) measures: &'static str,
    pub(crate) p50_ms: f64,
    pub(crate) p95_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

/// Collects durations; a bounded amount of memory for any number of them.
#[derive(Debug)]
pub(crate) struct Latencies {
    measures: &'static str,
    /// In microseconds. `None` only if the histogram's constants were wrong.
    micros: Option<Histogram<u64>>,
}

impl Latencies {
    /// Three digits, up to an hour; longer ones count as an hour.
    pub(crate) fn of(measures: &'static str) -> Self {
        let hour = 3_600_000_000;
        Self {
            measures,
            micros: Histogram::new_with_bounds(1, hour, 3).ok(),
        }
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        if let Some(histogram) = &mut self.micros {
            histogram.saturating_record(micros);
        }
    }

    pub(crate) fn latency(&self) -> Latency {
        let micros = self.micros.as_ref();
        let at = |quantile| millis(micros.map_or(0, |micros| micros.value_at_quantile(quantile)));
        Latency {
            measures: self.measures,
            p50_ms: at(0.50),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
            max_ms: millis(micros.map_or(0, Histogram::max)),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

/// The measured part, from its first record to the last acknowledgement.
#[derive(Debug)]
pub(crate) struct Measurement {
    started: Instant,
    before: Usage,
}

/// How much was done in the measured part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amount {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    pub(crate) cpu: Duration,
    pub(crate) resident_bytes_max: u64,
}

impl Measurement {
    pub(crate) fn start() -> Self {
        Self {
            before: Usage::now(),
            started: Instant::now(),
        }
    }

    pub(crate) fn finish(self, records: u64, bytes: u64) -> Amount {
        let elapsed = self.started.elapsed();
        let after = Usage::now();
        let cpu = after.cpu.saturating_sub(self.before.cpu);
        let resident_bytes_max = after.resident_bytes_max;
        Amount {
            records,
            bytes,
            elapsed,
            cpu,
            resident_bytes_max,
        }
    }
}

impl Report {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub(crate) fn new(
        work: &'static str,
        topic: &str,
        amount: Amount,
        latencies: &Latencies,
    ) -> Self {
        let Amount {
            records,
            bytes,
            elapsed,
            cpu,
            resident_bytes_max,
        } = amount;
        let seconds = elapsed.as_secs_f64().max(1e-9);
        Self {
            work,
            topic: topic.to_owned(),
            records,
            bytes,
            seconds: round(seconds),
            records_per_s: round(records as f64 / seconds),
            mb_per_s: round(bytes as f64 / 1e6 / seconds),
            latency: latencies.latency(),
            cpu_ns_per_record: round(cpu.as_secs_f64() * 1e9 / (records.max(1) as f64)),
            rss_mb: round(resident_bytes_max as f64 / 1e6),
            transactions: None,
            transactions_per_s: None,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub(crate) fn with_transactions(mut self, transactions: u64) -> Self {
        self.transactions = Some(transactions);
        self.transactions_per_s = Some(round(transactions as f64 / self.seconds.max(1e-9)));
        self
    }
}

/// Three digits after the point.
fn round(figure: f64) -> f64 {
    (figure * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_follow_from_what_was_done() {
        let mut latencies = Latencies::of("acknowledgement");
        for millis in 1..=100 {
            latencies.record(Duration::from_millis(millis));
        }
        let amount = Amount {
            records: 1_000_000,
            bytes: 100_000_000,
            elapsed: Duration::from_secs(2),
            cpu: Duration::from_millis(400),
            resident_bytes_max: 27_000_000,
        };
        let report = Report::new("produce", "t", amount, &latencies).with_transactions(20);
        assert_eq!((report.records_per_s, report.mb_per_s), (500_000.0, 50.0));
        assert_eq!((report.cpu_ns_per_record, report.rss_mb), (400.0, 27.0));
        assert_eq!(report.transactions_per_s, Some(10.0));
        assert!(
            (report.latency.p50_ms - 50.0).abs() < 0.1,
            "{:?}",
            report.latency
        );
        assert!(
            (report.latency.p99_ms - 99.0).abs() < 0.1,
            "{:?}",
            report.latency
        );
    }

    #[test]
    fn a_report_is_one_line_of_json() {
        let amount = Measurement::start().finish(0, 0);
        let report = Report::new("consume", "t", amount, &Latencies::of("poll"));
        let line = serde_json::to_string(&report).unwrap();
        assert!(!line.contains('\n'));
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        for field in [
            "records_per_s",
            "mb_per_s",
            "p50_ms",
            "p95_ms",
            "p99_ms",
            "cpu_ns_per_record",
            "rss_mb",
        ] {
            assert!(read[field].is_number(), "{field} in {line}");
        }
    }
}
