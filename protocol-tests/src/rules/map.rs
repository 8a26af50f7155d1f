//! The tables of `docs/PROTOCOL.md`: the first two columns are written by hand, the last two here.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use super::{Citations, Cited, RuleId, cited_in};

/// At most so many names in a cell; the rest is counted.
const NAMES_MAX: usize = 4;
/// What a table of the map begins with.
const HEADER: &str = "| rule | says | implemented in | held by |";
/// What stands in a cell without names.
const NONE: &str = "–";

/// The document with its last two columns as the sources have them.
///
/// Only the tables that begin with the map's header are rewritten; everything else stays.
#[must_use]
pub fn rewritten(document: &str, cited: &Cited) -> String {
    let mut out = String::with_capacity(document.len());
    for (line, row) in rows(document) {
        match row {
            Some((rule, says)) => {
                let nothing = Citations::default();
                let found = cited.get(&rule).unwrap_or(&nothing);
                let (files, tests) = (cell(&found.files), cell(&found.tests));
                out.push_str(&format!("| {rule} | {says} | {files} | {tests} |"));
            }
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// The rules that the document lists in its tables.
#[must_use]
pub fn listed(document: &str) -> BTreeSet<RuleId> {
    rows(document)
        .filter_map(|(_, row)| row)
        .map(|(rule, _)| rule)
        .collect()
}

/// The rules that the table below the heading `heading` names in its first column, wherever else they stand.
#[must_use]
pub fn below(document: &str, heading: &str) -> BTreeSet<RuleId> {
    document
        .lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| RuleId::from_str(line.strip_prefix('|')?.split('|').next()?.trim()).ok())
        .collect()
}

/// The sections that the table below `## Sections` explains, with the rules that each row names.
#[must_use]
pub fn sections(document: &str, known: &BTreeSet<RuleId>) -> BTreeMap<String, BTreeSet<RuleId>> {
    document
        .lines()
        .skip_while(|line| *line != "## Sections")
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| {
            let section = line.strip_prefix("| §")?.split(' ').next()?;
            Some((section.to_owned(), cited_in(line, known)))
        })
        .collect()
}

/// Every line, and what it says if it is a row of a table of the map.
fn rows(document: &str) -> impl Iterator<Item = (&str, Option<(RuleId, &str)>)> {
    let mut in_map = false;
    document.lines().map(move |line| {
        in_map = line == HEADER || in_map && line.starts_with('|');
        (line, if in_map { row(line) } else { None })
    })
}

/// A row of four cells under a rule's number: the number and what the rule says.
fn row(line: &str) -> Option<(RuleId, &str)> {
    let inner = line.strip_prefix('|')?.strip_suffix('|')?;
    let cells: Vec<&str> = inner.split(" | ").map(str::trim).collect();
    let [rule, says, _, _] = cells[..] else {
        return None;
    };
    Some((RuleId::from_str(rule).ok()?, says))
}

fn cell(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return NONE.to_owned();
    }
    let shown: Vec<String> = names
        .iter()
        .take(NAMES_MAX)
        .map(|name| format!("`{name}`"))
        .collect();
    match names.len().saturating_sub(NAMES_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "## Deviations\n| T-5 | a | b | c |\n\n## Map\n| rule | says | implemented in | held by |\n|---|---|---|---|\n| P-1 | one | x | y |\n| P-2 | two | – | – |\n";

    fn cited() -> Cited {
        let mut found = Citations::default();
        found.files.insert("client/a.rs".to_owned());
        found
            .tests
            .extend((1..=6).map(|number| format!("t{number}")));
        Cited::from([(RuleId::from_str("P-2").unwrap_or_else(|()| panic!()), found)])
    }

    #[test]
    fn the_last_two_columns_come_from_the_sources() {
        let written = rewritten(DOCUMENT, &cited());
        assert!(written.contains("| P-1 | one | – | – |\n"), "{written}");
        let second = "| P-2 | two | `client/a.rs` | `t1`, `t2`, `t3`, `t4` and 2 more |\n";
        assert!(written.contains(second), "{written}");
        assert_eq!(rewritten(&written, &cited()), written, "it is stable");
    }

    #[test]
    fn rules_are_found_in_their_tables() {
        let shown: Vec<String> = listed(DOCUMENT).iter().map(RuleId::to_string).collect();
        assert_eq!(shown, ["P-1", "P-2"]);
        let deviating: Vec<String> = below(DOCUMENT, "## Deviations")
            .iter()
            .map(RuleId::to_string)
            .collect();
        assert_eq!(deviating, ["T-5"]);
    }

    #[test]
    fn sections_are_found_with_their_rules() {
        let document = "## Sections\n\n| section | of | rules |\n|---|---|---|\n| §1.2 | x | P-1, P-2 |\n| §2.10 | y | none |\n\n## Map\n| §3 | P-9 |\n";
        let found: Vec<String> = sections(document, &BTreeSet::new())
            .iter()
            .map(|(section, rules)| format!("{section} {}", rules.len()))
            .collect();
        assert_eq!(found, ["1.2 2", "2.10 0"]);
    }
}
