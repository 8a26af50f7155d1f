//! A request and its answer, as a line of the timeline.

use std::fmt::{self, Write as _};
use std::time::Duration;

use milena_codec::{ErrorCode, schema};

use super::facts::{Facts, PartitionFacts};

/// A request and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// When the request came by, since the trace began.
    pub(crate) at: Duration,
    /// How long the answer took.
    pub(crate) took: Option<Duration>,
    /// Counts connections.
    pub(crate) connection: u64,
    pub(crate) client_id: String,
    /// `broker 3`, or an address.
    pub(crate) broker: String,
    pub(crate) api_key: i16,
    pub(crate) api_version: i16,
    pub(crate) asked: Facts,
    /// `None`: the connection ended first, or an answer is never sent.
    pub(crate) answered: Option<Facts>,
}

impl Exchange {
    pub(crate) fn api(&self) -> &'static str {
        schema::api_name(self.api_key).unwrap_or("unknown API")
    }

    /// What was asked, in words.
    pub(crate) fn question(&self) -> String {
        words(&self.asked)
    }

    /// What was answered, in words; nothing for a plain success.
    pub(crate) fn answer(&self) -> String {
        match &self.answered {
            None => "no answer".to_owned(),
            Some(facts) => {
                let said = words(facts);
                match (said.is_empty(), self.is_refused()) {
                    (true, _) => "ok".to_owned(),
                    (false, true) => said,
                    (false, false) => format!("ok, {said}"),
                }
            }
        }
    }

    /// Whether any error was answered.
    pub(crate) fn is_refused(&self) -> bool {
        self.answered.as_ref().is_some_and(|facts| {
            facts.error != 0
                || facts
                    .partitions
                    .iter()
                    .any(|partition| partition.error != 0)
        })
    }

    /// Whether it went through: answered, and without an error.
    pub(crate) fn is_done(&self) -> bool {
        self.answered.is_some() && !self.is_refused()
    }

    /// The producer as the broker last told it, or else as the client said.
    pub(crate) fn producer(&self) -> Option<(i64, i64)> {
        let of = |facts: &Facts| Some((facts.producer_id?, facts.producer_epoch?));
        let told = self
            .answered
            .as_ref()
            .and_then(of)
            .filter(|(id, _)| *id >= 0);
        told.or_else(|| of(&self.asked))
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>10.3} ms  #{:<3} {} > {}  {} v{}",
            self.at.as_secs_f64() * 1e3,
            self.connection,
            self.client_id,
            self.broker,
            self.api(),
            self.api_version
        )?;
        let question = self.question();
        if !question.is_empty() {
            write!(f, "  {question}")?;
        }
        write!(f, "  ->  {}", self.answer())?;
        if let Some(took) = self.took {
            write!(f, "  {:.3} ms", took.as_secs_f64() * 1e3)?;
        }
        Ok(())
    }
}

fn words(facts: &Facts) -> String {
    let mut parts = Vec::new();
    if facts.error != 0 {
        parts.push(error(facts.error));
    }
    parts.extend(
        facts
            .transactional_id
            .as_ref()
            .map(|id| format!("transactional id {id}")),
    );
    parts.extend(facts.group.as_ref().map(|id| format!("group {id}")));
    parts.extend(facts.key.as_ref().map(|key| format!("key {key}")));
    if let (Some(id), Some(epoch)) = (facts.producer_id, facts.producer_epoch)
        && id >= 0
    {
        parts.push(format!("producer {id}/{epoch}"));
    }
    let outcome = |committed| if committed { "commit" } else { "abort" };
    parts.extend(
        facts
            .committed
            .map(|committed| outcome(committed).to_owned()),
    );
    parts.extend(facts.partitions.iter().map(partition));
    if facts.more_partitions > 0 {
        parts.push(format!("and {} partitions more", facts.more_partitions));
    }
    if facts.malformed {
        parts.push("malformed".to_owned());
    }
    // A name may hold anything; a line is a line.
    let line = parts.join(", ");
    line.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn partition(facts: &PartitionFacts) -> String {
    let mut text = format!("{}-{}", facts.topic, facts.partition);
    if facts.error != 0 {
        let _ = write!(text, " {}", error(facts.error));
    }
    if let Some(offset) = facts.offset.filter(|offset| *offset >= 0) {
        let _ = write!(text, " @{offset}");
    }
    if let Some(offset) = facts.last_stable_offset.filter(|offset| *offset >= 0) {
        let _ = write!(text, " stable {offset}");
    }
    for batch in &facts.batches {
        let _ = match batch.marker {
            Some(marker) => write!(text, " [{marker} @{}]", batch.base_offset),
            None => write!(text, " [{} records", batch.records),
        };
        if batch.marker.is_none() {
            if batch.producer_id >= 0 {
                let (id, epoch) = (batch.producer_id, batch.producer_epoch);
                let _ = write!(
                    text,
                    ", producer {id}/{epoch}, sequence {}",
                    batch.base_sequence
                );
            }
            text.push(']');
        }
    }
    if facts.more_batches > 0 {
        let _ = write!(text, " and {} batches more", facts.more_batches);
    }
    text
}

fn error(code: i64) -> String {
    let code = i16::try_from(code).unwrap_or(-1);
    ErrorCode::from(code).name().to_owned()
}
