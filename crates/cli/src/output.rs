//! Standard output: records in two formats, tables, and a pipe that may close.

use std::io::{self, BufWriter, Stdout, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::format::Template;

/// Whether summaries, notes and progress are left out.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Of the whole process, before its command begins.
pub(crate) fn set_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

pub(crate) fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// A line for people on standard error, unless the command is to be quiet.
pub(crate) fn note(line: impl std::fmt::Display) {
    if !is_quiet() {
        eprintln!("milena: {line}");
    }
}

/// How a record is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The value as it is, and a line feed.
    #[default]
    Text,
    /// One JSON object with all parts of the record.
    Json,
}

/// What is printed of each record.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style<'a> {
    Json,
    Template(&'a Template),
    /// The value, after the key if there is a separator.
    Text {
        key_separator: Option<&'a str>,
    },
}

/// A record to print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: &'a [(&'a [u8], Option<&'a [u8]>)],
}

/// Bytes in JSON: text where they are UTF-8, hexadecimal digits where not.
#[derive(Serialize)]
#[serde(untagged)]
enum Bytes<'a> {
    Text(&'a str),
    Hex { hex: String },
}

impl<'a> Bytes<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(_) => Self::Hex {
                hex: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            },
        }
    }
}

#[derive(Serialize)]
struct JsonRecord<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp: i64,
    key: Option<Bytes<'a>>,
    value: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(Bytes<'a>, Option<Bytes<'a>>)>,
}

/// Buffered standard output. Call [`flush`](Self::flush) before waiting for anything.
pub(crate) struct Output<W: Write = Stdout> {
    out: BufWriter<W>,
}

impl Output {
    pub(crate) fn stdout() -> Self {
        Self::new(io::stdout())
    }
}

impl<W: Write> Output<W> {
    fn new(out: W) -> Self {
        Self {
            out: BufWriter::with_capacity(64 << 10, out),
        }
    }

    pub(crate) fn line(&mut self, line: &str) -> io::Result<()> {
        self.out.write_all(line.as_bytes())?;
        self.out.write_all(b"\n")
    }

    /// Bytes as they are.
    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value).map_err(io::Error::from)?;
        self.out.write_all(b"\n")
    }

    /// Prints a record. In text, `null` stands for a key or value that is null.
    pub(crate) fn record(
        &mut self,
        record: Shown<'_>,
        style: Style<'_>,
        null: &str,
    ) -> io::Result<()> {
        match style {
            Style::Template(template) => template.print(&mut self.out, record, null),
            Style::Text { key_separator } => {
                if let Some(separator) = key_separator {
                    self.out.write_all(record.key.unwrap_or(null.as_bytes()))?;
                    self.out.write_all(separator.as_bytes())?;
                }
                self.out
                    .write_all(record.value.unwrap_or(null.as_bytes()))?;
                self.out.write_all(b"\n")
            }
            Style::Json => self.json(&JsonRecord {
                topic: record.topic,
                partition: record.partition,
                offset: record.offset,
                timestamp: record.timestamp,
                key: record.key.map(Bytes::new),
                value: record.value.map(Bytes::new),
                headers: record
                    .headers
                    .iter()
                    .map(|(key, value)| (Bytes::new(key), value.map(Bytes::new)))
                    .collect(),
            }),
        }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Waits until the reader of standard output is gone, where the system reports that; otherwise for ever.
///
/// A pipe whose reader has gone only shows at the next write, and there may be none for hours.
///
/// # Cancel safety
/// Cancel safe.
pub(crate) async fn reader_gone() {
    let (gone, told) = oneshot::channel();
    // A thread of its own, because only the kernel can wait for this; it ends with the process.
    let waiting = std::thread::Builder::new()
        .name("stdout".to_owned())
        .spawn(move || {
            let stdout = io::stdout();
            // Asks for nothing, and hears of errors and hang-ups all the same.
            let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
            if poll(&mut fds, PollTimeout::NONE).is_ok() {
                let _ = gone.send(());
            }
        });
    if waiting.is_err() || told.await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A number of things, such as `1 record` or `2 records`.
pub(crate) fn count(number: impl TryInto<u64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Rows under a heading, each column as wide as its widest cell; numbers to the right.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells
            .chain(heading.get(column).map(|cell| cell.chars().count()))
            .max()
            .unwrap_or(0)
    };
    let numeric = |column: usize| {
        let mut cells = rows.iter().filter_map(|row| row.get(column));
        cells.all(|cell| cell.parse::<f64>().is_ok() || cell == "-")
    };
    let layout: Vec<_> = (0..heading.len()).map(|i| (width(i), numeric(i))).collect();
    let print = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, (width, numeric)) in cells.zip(&layout) {
            if *numeric {
                line.push_str(&format!("{cell:>width$}  "));
            } else {
                line.push_str(&format!("{cell:<width$}  "));
            }
        }
        line.trim_end().to_owned()
    };
    let mut lines = vec![print(&mut heading.iter().copied())];
    lines.extend(
        rows.iter()
            .map(|row| print(&mut row.iter().map(String::as_str))),
    );
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: Shown<'_> = Shown {
        topic: "orders",
        partition: 3,
        offset: 7,
        timestamp: 1_700_000_000_000,
        key: Some(b"k"),
        value: Some(b"v"),
        headers: &[],
    };

    fn printed(record: Shown<'_>, style: Style<'_>) -> String {
        let mut output = Output::new(Vec::new());
        output.record(record, style, "").unwrap();
        String::from_utf8(output.out.into_inner().unwrap()).unwrap()
    }

    #[test]
    fn text_is_the_value_and_on_request_the_key() {
        let text = |key_separator| Style::Text { key_separator };
        assert_eq!(printed(RECORD, text(None)), "v\n");
        assert_eq!(printed(RECORD, text(Some(":"))), "k:v\n");
        let tombstone = Shown {
            value: None,
            ..RECORD
        };
        assert_eq!(printed(tombstone, text(None)), "\n");
    }

    #[test]
    fn json_tells_no_value_from_an_empty_one_and_text_from_bytes() {
        let json = |record| printed(record, Style::Json);
        assert_eq!(
            json(RECORD),
            r#"{"topic":"orders","partition":3,"offset":7,"timestamp":1700000000000,"key":"k","value":"v"}"#
                .to_owned()
                + "\n"
        );
        assert!(
            json(Shown {
                key: None,
                ..RECORD
            })
            .contains(r#""key":null"#)
        );
        assert!(
            json(Shown {
                key: Some(b""),
                ..RECORD
            })
            .contains(r#""key":"""#)
        );
        assert!(
            json(Shown {
                value: Some(&[0xff]),
                ..RECORD
            })
            .contains(r#""value":{"hex":"ff"}"#)
        );
        let headers: &[(&[u8], Option<&[u8]>)] = &[(b"a", Some(b"1")), (b"a", None)];
        assert!(json(Shown { headers, ..RECORD }).contains(r#""headers":[["a","1"],["a",null]]"#));
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            vec!["orders".to_owned(), "4".to_owned()],
            vec!["a".to_owned(), "12".to_owned()],
        ];
        assert_eq!(
            table(&["TOPIC", "PARTITIONS"], &rows),
            "TOPIC   PARTITIONS\norders           4\na               12"
        );
    }
}
