//! The map from the rules of the protocol to the code that keeps them and the tests that hold them.
//!
//! `docs/PROTOCOL.md` lists every rule with a number and a sentence. Sources cite the numbers; [`sources`] reads the
//! citations and [`map`] writes the last two columns of the tables from them, so the map cannot be out of date
//! without a test failing. A citation counts as a test when it stands in the documentation, the attributes or the
//! body of a test function: what a test is about is said where it is.

pub mod map;
pub mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// The number of a rule, such as `P-59a`, or of a lesson, such as `L-4`.
///
/// Ordered by area, number and letter, so that `P-9` comes before `P-10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId {
    /// `P` for the idempotent producer, `T` for transactions, `R` for reading, `L` for lessons of other clients.
    area: char,
    number: u16,
    letter: Option<char>,
}

impl RuleId {
    /// The numbers between this one and `last`, both included, if they are of one area.
    ///
    /// A rule with a letter is reached by no range.
    #[must_use]
    pub fn to(self, last: Self) -> Vec<Self> {
        if self.area != last.area {
            return vec![self, last];
        }
        (self.number..=last.number)
            .map(|number| Self {
                area: self.area,
                number,
                letter: None,
            })
            .collect()
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.area, self.number)?;
        self.letter.map_or(Ok(()), |letter| write!(out, "{letter}"))
    }
}

impl FromStr for RuleId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut characters = text.chars();
        let area = characters.next().filter(|area| "PTRL".contains(*area));
        let rest = characters.as_str().strip_prefix('-').ok_or(())?;
        let digits = rest.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
        let mut letters = rest[digits.len()..].chars();
        let letter = letters.next();
        if letters.next().is_some() {
            return Err(());
        }
        Ok(Self {
            area: area.ok_or(())?,
            number: digits.parse().map_err(|_| ())?,
            letter,
        })
    }
}

/// Where a rule is cited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Citations {
    /// Source files outside tests, from the repository's root without `crates/` and `src/`.
    pub files: BTreeSet<String>,
    /// Test functions.
    pub tests: BTreeSet<String>,
}

/// Every rule that is cited anywhere.
pub type Cited = BTreeMap<RuleId, Citations>;

/// The rules that a text cites: single numbers, and ranges such as `P-1 to P-5`.
#[must_use]
pub fn cited_in(text: &str) -> BTreeSet<RuleId> {
    let mut cited = BTreeSet::new();
    let mut before: Option<RuleId> = None;
    let mut range = false;
    for word in words(text) {
        let id = RuleId::from_str(word).ok();
        match (id, before) {
            (Some(last), Some(first)) if range => cited.extend(first.to(last)),
            (Some(id), _) => {
                cited.insert(id);
            }
            (None, _) => {}
        }
        range = word == "to" && before.is_some();
        if !range {
            before = id;
        }
    }
    cited
}

/// Letters, digits, `_` and inner `-` make a word.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !(character.is_alphanumeric() || "-_".contains(character)))
        .map(|word| word.trim_matches('-'))
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<String> {
        cited_in(text).iter().map(RuleId::to_string).collect()
    }

    #[test]
    fn numbers_and_ranges_are_read() {
        assert_eq!(ids("(P-9, T-1; see L-3.)"), ["L-3", "P-9", "T-1"]);
        assert_eq!(ids("R-1 to R-3, P-59a"), ["P-59a", "R-1", "R-2", "R-3"]);
        assert_eq!(ids("P-9 and to P-11"), ["P-9", "P-11"]);
    }

    #[test]
    fn what_only_looks_like_a_number_is_none() {
        assert!(ids("KIP-98 UTF-8 P- P-x P-1xy CRC-32 XP-1 T--1").is_empty());
    }

    #[test]
    fn a_range_over_two_areas_names_its_ends() {
        assert_eq!(ids("P-1 to T-2"), ["P-1", "T-2"]);
    }
}
