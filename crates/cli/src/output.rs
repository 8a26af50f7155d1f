//! Standard output: records in two formats, tables, and a pipe that may close.

use std::io::{self, BufWriter, Stdout, Write};

use serde::Serialize;

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

    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value).map_err(io::Error::from)?;
        self.out.write_all(b"\n")
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
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
