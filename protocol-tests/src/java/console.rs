//! Apache Kafka's console consumer.

use super::records::{Header, Isolation, ReadRecord};
use super::{FLAGS, Programs};
use crate::failure::OrFail as _;
use crate::{Failure, Kafka};
use std::process::Command;

// Separators that no sane record contains. They pass through a command line, hence ASCII without NUL.
const RECORD: &str = "\x1e<end of record>\x1e\n";
const FIELD: &str = "\x1f<next field>\x1f";
const HEADER: &str = "\x1d<next header>\x1d";
const NULL: &str = "\x1c<null>\x1c";

/// How long the console consumer waits for a record that does not come, in milliseconds.
const PATIENCE_MS: &str = "20000";

impl Kafka {
    /// The first `count` records of `topic` as Apache Kafka's console consumer prints them, by partition
    /// and offset. Header keys must not hold a colon: that is where it ends them.
    #[must_use]
    pub fn console_consume(
        &self,
        topic: &str,
        isolation: Isolation,
        count: usize,
    ) -> Vec<ReadRecord> {
        let printed = self.run_console(topic, isolation, count).or_fail();
        let mut records: Vec<ReadRecord> = split(&printed, RECORD.as_bytes())
            .into_iter()
            .filter(|record| !record.is_empty())
            .map(|record| parse(record).or_fail())
            .collect();
        records.sort_by_key(|record| (record.partition, record.offset));
        records
    }

    fn run_console(
        &self,
        topic: &str,
        isolation: Isolation,
        count: usize,
    ) -> Result<Vec<u8>, Failure> {
        let programs = Programs::at_hand()?;
        let mut console = Command::new("java");
        console
            .args(FLAGS)
            .args(["-Xmx256m", "-cp"])
            .arg(programs.jars().class_path())
            .arg("org.apache.kafka.tools.consumer.ConsoleConsumer")
            .arg("--bootstrap-server")
            .arg(self.bootstrap().join(","))
            .args(["--topic", topic, "--from-beginning"])
            .args(["--isolation-level", isolation.name()])
            .args(["--max-messages", &count.to_string()])
            .args(["--timeout-ms", PATIENCE_MS]);
        for property in [
            "print.timestamp=true".to_owned(),
            "print.partition=true".to_owned(),
            "print.offset=true".to_owned(),
            "print.headers=true".to_owned(),
            "print.key=true".to_owned(),
            format!("key.separator={FIELD}"),
            format!("headers.separator={HEADER}"),
            format!("line.separator={RECORD}"),
            format!("null.literal={NULL}"),
        ] {
            console.args(["--formatter-property", &property]);
        }
        let done = console.output().map_err(Failure::io("starting java"))?;
        if done.status.success() {
            Ok(done.stdout)
        } else {
            Err(Failure::Program {
                program: "ConsoleConsumer".to_owned(),
                output: String::from_utf8_lossy(&done.stderr).into_owned(),
            })
        }
    }
}

/// Reads `CreateTime:1│Partition:0│Offset:0│h:v│key│value`, with fields parted by [`FIELD`].
fn parse(record: &[u8]) -> Result<ReadRecord, Failure> {
    let fields = split(record, FIELD.as_bytes());
    let [timestamp, partition, offset, headers, key, value] = fields[..] else {
        return Err(unreadable(record));
    };
    let text = String::from_utf8_lossy(timestamp);
    let (timestamp_type, timestamp) = text.split_once(':').ok_or_else(|| unreadable(record))?;
    let number = |field: &[u8], name: &str| {
        String::from_utf8_lossy(field)
            .strip_prefix(name)
            .and_then(|number| number.parse::<i64>().ok())
            .ok_or_else(|| unreadable(record))
    };
    Ok(ReadRecord {
        partition: i32::try_from(number(partition, "Partition:")?)
            .map_err(|_| unreadable(record))?,
        offset: number(offset, "Offset:")?,
        leader_epoch: None,
        timestamp: timestamp.parse().map_err(|_| unreadable(record))?,
        timestamp_type: timestamp_type.to_owned(),
        key: nullable(key),
        value: nullable(value),
        headers: if headers == b"NO_HEADERS" {
            Vec::new()
        } else {
            split(headers, HEADER.as_bytes())
                .into_iter()
                .map(|header| parse_header(header).ok_or_else(|| unreadable(record)))
                .collect::<Result<_, _>>()?
        },
    })
}

fn parse_header(header: &[u8]) -> Option<Header> {
    let colon = header.iter().position(|byte| *byte == b':')?;
    let key = String::from_utf8_lossy(&header[..colon]).into_owned();
    Some((key, nullable(&header[colon + 1..])))
}

fn nullable(field: &[u8]) -> Option<Vec<u8>> {
    (field != NULL.as_bytes()).then(|| field.to_vec())
}

fn unreadable(record: &[u8]) -> Failure {
    Failure::Program {
        program: "ConsoleConsumer".to_owned(),
        output: format!("not a record as it prints them: {}", record.escape_ascii()),
    }
}

fn split<'a>(bytes: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest
        .windows(separator.len())
        .position(|window| window == separator)
    {
        parts.push(&rest[..at]);
        rest = &rest[at + separator.len()..];
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_record_is_read_back() {
        let printed = [
            "CreateTime:12",
            "Partition:3",
            "Offset:4",
            &["a:1", &format!("b:{NULL}"), "c:"].join(HEADER),
            NULL,
            "",
        ]
        .join(FIELD);
        let record = parse(printed.as_bytes()).unwrap();
        assert_eq!((record.partition, record.offset), (3, 4));
        assert_eq!((record.key, record.value), (None, Some(Vec::new())));
        let headers = [
            ("a".to_owned(), Some(b"1".to_vec())),
            ("b".to_owned(), None),
            ("c".to_owned(), Some(Vec::new())),
        ];
        assert_eq!(record.headers, headers);
    }
}
