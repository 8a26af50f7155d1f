//! The map from the rules of the protocol to the code that keeps them and the tests that hold them.
//!
//! `docs/PROTOCOL.md` lists every rule with a number and a sentence. Sources cite the numbers; [`sources`] reads the
//! citations and [`map`] writes the last two columns of the tables from them, so the map cannot be out of date
//! without a test failing. A citation counts as a test when it stands in the documentation, the attributes or the
//! body of a test function: what a test is about is said where it is. The tests of this tool and of the others that read
//! sources are no proof of anything and are left out.

pub mod map;
pub mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// `P`: the idempotent producer.
    Producer,
    /// `T`: transactions.
    Transaction,
    /// `R`: reading what was committed.
    Reading,
    /// `G`: groups and committed offsets.
    Group,
    /// `D`: what a failure leads to under a configuration.
    Delivery,
    /// `S`: scenarios of the test suites of other implementations.
    Scenario,
    /// `J`: how histories are checked.
    Judging,
    /// `L`: lessons of other clients.
    Lesson,
}

impl Area {
    const ALL: [(Self, char); 8] = [
        (Self::Producer, 'P'),
        (Self::Transaction, 'T'),
        (Self::Reading, 'R'),
        (Self::Group, 'G'),
        (Self::Delivery, 'D'),
        (Self::Scenario, 'S'),
        (Self::Judging, 'J'),
        (Self::Lesson, 'L'),
    ];

    fn from_letter(letter: char) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|(_, of)| *of == letter).map(|(area, _)| area)
    }

    fn letter(self) -> char {
        let mut all = Self::ALL.into_iter();
        all.find(|(area, _)| *area == self)
            .map_or('?', |(_, letter)| letter)
    }

    /// Whether there is code that keeps such a rule. An outcome or a scenario is only tested.
    #[must_use]
    pub const fn has_code(self) -> bool {
        !matches!(self, Self::Delivery | Self::Scenario)
    }
}

/// The number of a rule, such as `P-59a`, or of a lesson, such as `L-4`.
///
/// Ordered by area, number and letter, so that `P-5` comes before `P-10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId {
    area: Area,
    number: u16,
    letter: Option<char>,
}

impl RuleId {
    /// What the rule is about.
    #[must_use]
    pub const fn area(self) -> Area {
        self.area
    }

    /// The known rules from this one to `last`, both included, if they are of one area.
    fn to(self, last: Self, known: &BTreeSet<Self>) -> Vec<Self> {
        if self.area != last.area || last < self {
            return vec![self, last];
        }
        let last = Self {
            letter: last.letter.or(Some('z')),
            ..last
        };
        known.range(self..=last).copied().collect()
    }

    /// The rule itself, or all of its number with a letter if only those are known.
    fn resolved(self, known: &BTreeSet<Self>) -> Vec<Self> {
        let of_number = self.to(self, known);
        if of_number.is_empty() {
            vec![self]
        } else {
            of_number
        }
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.area.letter(), self.number)?;
        self.letter.map_or(Ok(()), |letter| write!(out, "{letter}"))
    }
}

impl FromStr for RuleId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut characters = text.chars();
        let area = characters.next().and_then(Area::from_letter);
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
///
/// `P-59` cites `P-59a` to `P-59e` if those are what is known. A single number that is not known is kept as it is.
#[must_use]
pub fn cited_in(text: &str, known: &BTreeSet<RuleId>) -> BTreeSet<RuleId> {
    let mut cited = BTreeSet::new();
    let mut before: Option<RuleId> = None;
    let mut range = false;
    for word in words(text) {
        let id = RuleId::from_str(word).ok();
        match (id, before) {
            (Some(last), Some(first)) if range => cited.extend(first.to(last, known)),
            (Some(id), _) => cited.extend(id.resolved(known)),
            (None, _) => {}
        }
        range = word == "to" && before.is_some();
        if !range {
            before = id;
        }
    }
    cited
}

/// The sections that a text cites, such as `1.6` of `§1.6`.
#[must_use]
pub fn sections_in(text: &str) -> BTreeSet<String> {
    text.split('§')
        .skip(1)
        .map(|rest| {
            let rest = rest.trim_start();
            let end =
                rest.find(|character: char| !(character.is_ascii_digit() || character == '.'));
            let number = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            number.trim_end_matches('.').to_owned()
        })
        .collect()
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
        let known = "P-1 P-5 P-10 P-11 P-59a P-59b R-1 R-2 R-4 T-1 T-2 L-3".split(' ');
        let known = known.map(|id| RuleId::from_str(id).unwrap_or_else(|()| panic!("{id}")));
        let cited = cited_in(text, &known.collect());
        cited.iter().map(RuleId::to_string).collect()
    }

    #[test]
    fn numbers_and_ranges_are_read() {
        assert_eq!(ids("(P-10, T-1; see L-3.)"), ["P-10", "T-1", "L-3"]);
        assert_eq!(
            ids("S-4, J-31, D-36, G-51"),
            ["G-51", "D-36", "S-4", "J-31"]
        );
        assert_eq!(ids("R-1 to R-4, P-59a"), ["P-59a", "R-1", "R-2", "R-4"]);
        assert_eq!(ids("P-10 and to P-11"), ["P-10", "P-11"]);
        assert_eq!(ids("P-11 to P-59"), ["P-11", "P-59a", "P-59b"]);
    }

    #[test]
    fn sections_are_read() {
        let found = |text: &str| sections_in(text).into_iter().collect::<Vec<_>>();
        assert_eq!(found("§1.6, §1.9. And § 2.10: x"), ["1.6", "1.9", "2.10"]);
        assert_eq!(found("none"), Vec::<String>::new());
        assert_eq!(found("§x"), [""]);
    }

    #[test]
    fn a_number_without_its_letters_means_all_of_them() {
        assert_eq!(ids("P-59"), ["P-59a", "P-59b"]);
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
