//! Segments from before Kafka 0.11: message sets of magic 0 and 1, compressed and not, in front of batches of magic 2.

use std::fs;
use std::path::Path;

use milena_protocol_tests::java::Program;
use milena_protocol_tests::{
    Flavour, Isolation, Kafka, KafkaConfig, ReadRecord, WriteRecord, own_kafka,
};
use serde_json::Value;

use crate::support;

/// What `RecordVectors.java` calls the log that has all three formats in every codec of the time.
const LOG: &str = "magic 0, 1 and 2";

fn old_log() -> Vec<u8> {
    let mut vectors = Program::start("RecordVectors", &["write", "1"], |_| Ok(())).unwrap();
    let mut log = None;
    loop {
        let line = vectors.line().unwrap();
        if line == "." {
            break;
        }
        let vector: Value = serde_json::from_str(&line).unwrap();
        if vector["name"] == LOG {
            log = Some(unhex(vector["hex"].as_str().unwrap()));
        }
    }
    vectors.finish().unwrap();
    log.unwrap()
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits = (0..hex.len()).step_by(2);
    digits
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

/// Replaces the first segment of a stopped broker's partition; its indexes are made anew at the start.
fn plant(partition: &Path, log: &[u8]) {
    for entry in fs::read_dir(partition).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with("index") || name.ends_with(".snapshot") {
            fs::remove_file(&path).unwrap();
        }
    }
    fs::write(partition.join("00000000000000000000.log"), log).unwrap();
}

/// Java has a third type for records without a timestamp.
fn without_type(records: Vec<ReadRecord>) -> Vec<ReadRecord> {
    let forget = |mut record: ReadRecord| {
        if record.timestamp == -1 {
            record.timestamp_type = String::new();
        }
        record
    };
    records.into_iter().map(forget).collect()
}

async fn segments_of_magic_0_and_1_are_read_as_java_reads_them() {
    let log = old_log();
    for flavour in [Flavour::Kafka392, Flavour::Kafka440] {
        let mut kafka = Kafka::start(&KafkaConfig::new(flavour));
        let topic = kafka.topic(1);
        kafka.java_produce(&topic, &[WriteRecord::value("to be replaced")], &[]);
        kafka.stop(1);
        plant(&kafka.log_dir(1).join(format!("{topic}-0")), &log);
        kafka.restart(1);
        let after = kafka.java_produce(&topic, &[WriteRecord::value("newer")], &[]);
        for isolation in [Isolation::ReadUncommitted, Isolation::ReadCommitted] {
            let java = without_type(kafka.java_consume(&topic, isolation));
            assert_eq!(java.last().unwrap().offset, after[0].offset);
            assert!(java.len() > 100, "{flavour:?}: {}", java.len());
            let ours = support::read_all(&kafka, &topic, 1, isolation).await;
            assert_eq!(without_type(ours), java, "{flavour:?}");
        }
    }
}

own_kafka!(segments_of_magic_0_and_1_are_read_as_java_reads_them);
