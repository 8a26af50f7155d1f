//! What stands in a broker's log, by Apache Kafka's DumpLogSegments.

use super::{FLAGS, Programs};
use crate::failure::OrFail as _;
use crate::raw::Layout;
use crate::{Failure, Kafka};
use std::path::PathBuf;
use std::process::Command;

/// How a transaction ended, as a control record says it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Marker {
    /// It was aborted.
    Abort,
    /// It was committed.
    Commit,
}

/// A batch in a broker's log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DumpedBatch {
    /// The offset of its first record.
    pub base_offset: i64,
    /// The offset of its last record.
    pub last_offset: i64,
    /// How many records it holds.
    pub count: i32,
    /// The sequence of its first record, -1 if there is none.
    pub base_sequence: i32,
    /// The sequence of its last record, -1 if there is none.
    pub last_sequence: i32,
    /// Who wrote it, -1 if that is not known.
    pub producer_id: i64,
    /// In which epoch, -1 if that is not known.
    pub producer_epoch: i32,
    /// The leader epoch it was written in.
    pub leader_epoch: i32,
    /// Whether it belongs to a transaction.
    pub is_transactional: bool,
    /// Whether it is a control batch.
    pub is_control: bool,
    /// How it is compressed: `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    pub compression: String,
    /// Whether its checksum is right.
    pub is_valid: bool,
    /// The marker in it, if it is a control batch of a transaction.
    pub marker: Option<Marker>,
}

impl Kafka {
    /// The batches of one partition as they stand in the log of broker 1, oldest first: as Kafka's
    /// DumpLogSegments says, or for the embedded broker, as a Fetch gives them.
    #[must_use]
    pub fn dump_log(&self, topic: &str, partition: i32) -> Vec<DumpedBatch> {
        self.dump_log_of(1, topic, partition)
    }

    /// The batches of one partition as they stand in the log of broker `id`, oldest first.
    #[must_use]
    pub fn dump_log_of(&self, id: i32, topic: &str, partition: i32) -> Vec<DumpedBatch> {
        if self.embedded().is_some() {
            // It has no files, and its replicas are one log.
            return Layout::of(&self.bootstrap(), topic)
                .and_then(|layout| crate::observer::dump(&layout, topic, partition))
                .or_fail();
        }
        let folder = self.log_dir(id).join(format!("{topic}-{partition}"));
        run(&folder).and_then(|text| parse(&text)).or_fail()
    }
}

fn run(folder: &PathBuf) -> Result<String, Failure> {
    let mut segments: Vec<String> = std::fs::read_dir(folder)
        .map_err(Failure::io(format!("reading {}", folder.display())))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .map(|path| path.display().to_string())
        .collect();
    // They are named by base offset with leading zeros.
    segments.sort();
    let programs = Programs::at_hand()?;
    let done = Command::new("java")
        .args(FLAGS)
        .args(["-Xmx256m", "-cp"])
        .arg(programs.jars().class_path())
        .arg("org.apache.kafka.tools.DumpLogSegments")
        .args(["--print-data-log", "--files", &segments.join(",")])
        .output()
        .map_err(Failure::io("starting java"))?;
    if done.status.success() {
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    } else {
        Err(Failure::Program {
            program: "DumpLogSegments".to_owned(),
            output: String::from_utf8_lossy(&done.stderr).into_owned(),
        })
    }
}

fn parse(text: &str) -> Result<Vec<DumpedBatch>, Failure> {
    let mut batches: Vec<DumpedBatch> = Vec::new();
    for line in text.lines() {
        if line.starts_with("baseOffset: ") {
            let batch = parse_batch(line).ok_or_else(|| Failure::Program {
                program: "DumpLogSegments".to_owned(),
                output: format!("not a batch as it prints them: {line}"),
            })?;
            batches.push(batch);
        } else if line.starts_with("| offset: ")
            && let Some(batch) = batches.last_mut().filter(|batch| batch.is_control)
        {
            batch.marker = match field(line, "endTxnMarker: ") {
                Some("ABORT") => Some(Marker::Abort),
                Some("COMMIT") => Some(Marker::Commit),
                _ => None,
            };
        }
    }
    Ok(batches)
}

fn parse_batch(line: &str) -> Option<DumpedBatch> {
    Some(DumpedBatch {
        base_offset: field(line, "baseOffset: ")?.parse().ok()?,
        last_offset: field(line, "lastOffset: ")?.parse().ok()?,
        count: field(line, "count: ")?.parse().ok()?,
        base_sequence: field(line, "baseSequence: ")?.parse().ok()?,
        last_sequence: field(line, "lastSequence: ")?.parse().ok()?,
        producer_id: field(line, "producerId: ")?.parse().ok()?,
        producer_epoch: field(line, "producerEpoch: ")?.parse().ok()?,
        leader_epoch: field(line, "partitionLeaderEpoch: ")?.parse().ok()?,
        is_transactional: field(line, "isTransactional: ")?.parse().ok()?,
        is_control: field(line, "isControl: ")?.parse().ok()?,
        compression: field(line, "compresscodec: ")?.to_owned(),
        is_valid: field(line, "isvalid: ")?.parse().ok()?,
        marker: None,
    })
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let at = line.find(name)? + name.len();
    line[at..].split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_and_markers_are_read() {
        let text = "Dumping /x/t-0/00000000000000000000.log\n\
            Log starting offset: 0\n\
            baseOffset: 0 lastOffset: 2 count: 3 baseSequence: 0 lastSequence: 2 producerId: 5 \
            producerEpoch: 1 partitionLeaderEpoch: 0 isTransactional: true isControl: false \
            deleteHorizonMs: OptionalLong.empty position: 0 CreateTime: 1 size: 94 magic: 2 \
            compresscodec: lz4 crc: 123 isvalid: true\n\
            | offset: 0 CreateTime: 1 keySize: -1 valueSize: 1 sequence: 0 headerKeys: [] payload: x\n\
            baseOffset: 3 lastOffset: 3 count: 1 baseSequence: -1 lastSequence: -1 producerId: 5 \
            producerEpoch: 1 partitionLeaderEpoch: 0 isTransactional: true isControl: true \
            deleteHorizonMs: OptionalLong.empty position: 94 CreateTime: 1 size: 78 magic: 2 \
            compresscodec: none crc: 123 isvalid: true\n\
            | offset: 3 CreateTime: 1 keySize: 4 valueSize: 6 sequence: -1 headerKeys: [] \
            endTxnMarker: COMMIT coordinatorEpoch: 0\n";
        let batches = parse(text).unwrap();
        assert_eq!(batches.len(), 2);
        assert_eq!((batches[0].last_sequence, batches[0].marker), (2, None));
        assert_eq!(batches[0].compression, "lz4");
        assert_eq!(batches[1].marker, Some(Marker::Commit));
    }
}
