//! From lines of the input to records.

use std::collections::VecDeque;

use milena::{HeaderToWrite, Record};
use serde::Deserialize;

use super::lines::Lines;
use super::{Args, InputFormat};
use crate::failure::{Failure, at_file};
use crate::interrupt::Interrupt;

/// A line of the input, with its number from 1.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) bytes: Vec<u8>,
}

/// The lines of the input in their order, until they end or a signal comes.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    args: &'a Args,
    lines: Lines,
    ready: VecDeque<Vec<u8>>,
    read: u64,
    interrupt: &'a Interrupt,
}

impl<'a> Reader<'a> {
    pub(super) fn new(args: &'a Args, lines: Lines, interrupt: &'a Interrupt) -> Self {
        Self {
            args,
            lines,
            ready: VecDeque::new(),
            read: 0,
            interrupt,
        }
    }

    /// The next line; `None` at the end of the input and after a signal.
    ///
    /// # Cancel safety
    /// Cancel safe: a line is taken in the same step that returns it.
    pub(super) async fn next(&mut self) -> Result<Option<Line>, Failure> {
        loop {
            if self.interrupt.is_raised() {
                return Ok(None);
            }
            if let Some(bytes) = self.ready.pop_front() {
                self.read += 1;
                if self.read <= self.args.skip_lines {
                    continue;
                }
                let number = self.read;
                return Ok(Some(Line { number, bytes }));
            }
            let batch = tokio::select! {
                batch = self.lines.recv() => batch,
                () = self.interrupt.raised() => return Ok(None),
            };
            match batch {
                Some(Ok(batch)) => self.ready = batch.into(),
                Some(Err(error)) => {
                    return Err(at_file("cannot be read", self.args.file.as_deref(), error));
                }
                None => return Ok(None),
            }
        }
    }
}

/// The parts of a record, owned where JSON had to be decoded.
#[derive(Debug, Default)]
pub(super) struct Parts {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
    partition: Option<i32>,
    timestamp: Option<i64>,
}

impl Parts {
    /// What a line says; the error says why it is no record.
    pub(super) fn of(args: &Args, line: &[u8]) -> Result<Self, String> {
        let mut parts = match args.format {
            InputFormat::Text => of_text(args, line),
            InputFormat::Json => of_json(args, line)?,
        };
        let given = args.headers.iter();
        parts
            .headers
            .extend(given.map(|(key, value)| (key.clone(), Some(value.clone().into_bytes()))));
        if args.partition.is_some() {
            parts.partition = args.partition;
        }
        Ok(parts)
    }

    pub(super) fn headers(&self) -> Vec<HeaderToWrite<'_>> {
        self.headers
            .iter()
            .map(|(key, value)| HeaderToWrite {
                key,
                value: value.as_deref(),
            })
            .collect()
    }

    pub(super) fn record<'a>(
        &'a self,
        topic: &'a str,
        headers: &'a [HeaderToWrite<'a>],
    ) -> Record<'a> {
        let mut record = Record::to(topic).headers(headers);
        record.key = self.key.as_deref();
        record.value = self.value.as_deref();
        record.partition = self.partition;
        record.timestamp = self.timestamp;
        record
    }
}

fn of_text(args: &Args, line: &[u8]) -> Parts {
    let (key, value) = split(line, args.key_separator.as_deref());
    let null = args.null.as_deref().map(str::as_bytes);
    let unless_null = |bytes: &[u8]| (Some(bytes) != null).then(|| bytes.to_vec());
    Parts {
        key: key.and_then(unless_null),
        value: unless_null(value),
        ..Parts::default()
    }
}

fn split<'a>(line: &'a [u8], separator: Option<&str>) -> (Option<&'a [u8]>, &'a [u8]) {
    let Some(separator) = separator.map(str::as_bytes).filter(|text| !text.is_empty()) else {
        return (None, line);
    };
    let at = line
        .windows(separator.len())
        .position(|window| window == separator);
    let parts = at.and_then(|at| {
        let (key, rest) = line.split_at_checked(at)?;
        Some((key, rest.get(separator.len()..)?))
    });
    parts.map_or((None, line), |(key, value)| (Some(key), value))
}

/// A record as `consume --format json` prints it. `topic` and `offset` are where it came from.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonRecord {
    #[serde(default, rename = "topic")]
    _topic: Option<String>,
    #[serde(default)]
    partition: Option<i32>,
    #[serde(default, rename = "offset")]
    _offset: Option<i64>,
    #[serde(default)]
    timestamp: Option<i64>,
    #[serde(default)]
    key: Option<JsonBytes>,
    #[serde(default)]
    value: Option<JsonBytes>,
    #[serde(default)]
    headers: Vec<(JsonBytes, Option<JsonBytes>)>,
}

/// Text, or `{"hex": "00ff"}`.
#[derive(Deserialize)]
#[serde(untagged)]
enum JsonBytes {
    Text(String),
    Hex { hex: String },
}

impl JsonBytes {
    fn bytes(self) -> Result<Vec<u8>, String> {
        match self {
            Self::Text(text) => Ok(text.into_bytes()),
            Self::Hex { hex } => unhex(&hex)
                .ok_or_else(|| format!("`{hex}` is not an even number of hexadecimal digits")),
        }
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    let byte = |pair: &[u32]| {
        let value = pair.iter().fold(0, |value, digit| value * 16 + digit);
        u8::try_from(value).ok()
    };
    digits.chunks(2).map(byte).collect()
}

fn of_json(args: &Args, line: &[u8]) -> Result<Parts, String> {
    // Serde would take an array for the fields in their order.
    if line.trim_ascii_start().first() != Some(&b'{') {
        return Err("not a record in JSON: expected an object".to_owned());
    }
    let record: JsonRecord =
        serde_json::from_slice(line).map_err(|error| format!("not a record in JSON: {error}"))?;
    let header = |(key, value): (JsonBytes, Option<JsonBytes>)| {
        let key = String::from_utf8(key.bytes()?)
            .map_err(|_| "the key of a header is not UTF-8".to_owned())?;
        Ok((key, value.map(JsonBytes::bytes).transpose()?))
    };
    Ok(Parts {
        key: record.key.map(JsonBytes::bytes).transpose()?,
        value: record.value.map(JsonBytes::bytes).transpose()?,
        headers: record
            .headers
            .into_iter()
            .map(header)
            .collect::<Result<_, String>>()?,
        partition: record.partition.filter(|_| !args.ignore_partition),
        // Records of old segments have none.
        timestamp: record.timestamp.filter(|timestamp| *timestamp >= 0),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parts(options: &[&str], line: &str) -> Result<Parts, String> {
        let all = ["produce", "--topic", "t"].iter().chain(options);
        Parts::of(&Line::parse_from(all).args, line.as_bytes())
    }

    #[test]
    fn a_line_is_split_at_the_first_separator() {
        let cases = [
            ("k:v:w", Some(":"), Some("k"), "v:w"),
            ("k:v", None, None, "k:v"),
            ("kv", Some(":"), None, "kv"),
            (":v", Some(":"), Some(""), "v"),
            ("k=>v", Some("=>"), Some("k"), "v"),
            ("k:", Some(":"), Some("k"), ""),
        ];
        for (line, separator, key, value) in cases {
            let expected = (key.map(str::as_bytes), value.as_bytes());
            assert_eq!(split(line.as_bytes(), separator), expected);
        }
    }

    #[test]
    fn a_null_key_and_a_null_value_can_be_written() {
        let record = parts(&["--key-separator", ":", "--null", "NULL"], "NULL:NULL").unwrap();
        assert_eq!((record.key, record.value), (None, None));
        let record = parts(&["--key-separator", ":", "--null", ""], "k:").unwrap();
        assert_eq!(
            (record.key.as_deref(), record.value),
            (Some(&b"k"[..]), None)
        );
    }

    #[test]
    fn a_record_in_json_keeps_everything_that_consume_prints() {
        let line = r#"{"topic":"o","partition":3,"offset":7,"timestamp":5,"key":{"hex":"00ff"},"value":null,"headers":[["a","1"],["a",null]]}"#;
        let record = parts(&["--format", "json"], line).unwrap();
        assert_eq!(record.key.as_deref(), Some(&[0, 255][..]));
        assert_eq!(
            (&record.value, record.partition, record.timestamp),
            (&None, Some(3), Some(5))
        );
        assert_eq!(
            record.headers,
            [
                ("a".to_owned(), Some(b"1".to_vec())),
                ("a".to_owned(), None)
            ]
        );
        let record = parts(&["--format", "json", "--ignore-partition"], line).unwrap();
        assert_eq!(record.partition, None);
    }

    #[test]
    fn a_line_that_is_no_record_says_why() {
        for line in [
            "",
            "{",
            "[]",
            r#"{"values":"v"}"#,
            r#"{"value":{"hex":"0"}}"#,
            r#"{"headers":[[{"hex":"ff"},"v"]]}"#,
        ] {
            let error = parts(&["--format", "json"], line).unwrap_err();
            assert!(!error.is_empty(), "{line}");
        }
    }

    #[test]
    fn headers_of_the_command_line_follow_those_of_the_record() {
        let line = r#"{"value":"v","headers":[["a","1"]]}"#;
        let record = parts(&["--format", "json", "-H", "b=2"], line).unwrap();
        let keys: Vec<_> = record.headers.iter().map(|(key, _)| &**key).collect();
        assert_eq!(keys, ["a", "b"]);
    }
}
