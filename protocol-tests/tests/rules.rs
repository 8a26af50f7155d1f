//! docs/PROTOCOL.md is the map of the rules, and the map is right.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use milena_protocol_tests::rules::{Cited, RuleId, map, sources};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn document() -> String {
    fs::read_to_string(root().join("docs/PROTOCOL.md")).unwrap()
}

fn cited(document: &str) -> Cited {
    sources::read(root(), &map::listed(document)).unwrap()
}

#[test]
fn the_map_says_what_the_sources_say() {
    let document = document();
    let written = map::rewritten(&document, &cited(&document));
    for (there, anew) in document.lines().zip(written.lines()) {
        assert_eq!(
            there, anew,
            "run `cargo run -p milena-protocol-tests --bin rules`"
        );
    }
}

#[test]
fn every_rule_is_held_by_a_test_or_listed_as_not_held() {
    let document = document();
    let found = not_held(&document, &cited(&document));
    assert!(
        found.is_empty(),
        "either a test names it, or \"Not held by a test\" says why none does, not both and not neither: {found:?}"
    );
    assert!(map::listed(&document).len() >= 230);
}

#[test]
fn every_rule_has_code_that_names_it_or_is_listed_as_without() {
    let document = document();
    let found = without_code(&document, &cited(&document));
    assert!(
        found.is_empty(),
        "either a source names it, or \"Without code of their own\" says why none does, not both and not neither: {found:?}"
    );
}

#[test]
fn every_number_that_is_cited_is_listed() {
    let document = document();
    let found = dangling(&document, &cited(&document));
    assert!(
        found.is_empty(),
        "cited, and in no table of docs/PROTOCOL.md: {found:?}"
    );
}

#[test]
fn every_section_that_is_cited_is_explained() {
    let document = document();
    let known = map::listed(&document);
    let sections = map::sections(&document, &known);
    for (section, file) in sources::sections(root()).unwrap() {
        assert!(
            sections.contains_key(&section),
            "{file} cites §{section}, which docs/PROTOCOL.md does not explain"
        );
    }
    for (section, rules) in &sections {
        assert!(
            rules.iter().all(|rule| known.contains(rule)),
            "§{section} names rules that stand in no table: {rules:?}"
        );
    }
}

/// Rules that a test names although they are excused, or that none names.
fn not_held(document: &str, cited: &Cited) -> Vec<String> {
    let excused = map::below(document, "## Not held by a test");
    let held = |rule: &RuleId| cited.get(rule).is_some_and(|found| !found.tests.is_empty());
    let all = map::listed(document).into_iter();
    all.filter(|rule| held(rule) == excused.contains(rule))
        .map(|rule| rule.to_string())
        .collect()
}

/// Rules that code keeps and that no source names, or the other way round.
fn without_code(document: &str, cited: &Cited) -> Vec<String> {
    let excused = map::below(document, "## Without code of their own");
    let kept = |rule: &RuleId| cited.get(rule).is_some_and(|found| !found.files.is_empty());
    let all = map::listed(document).into_iter();
    all.filter(|rule| rule.area().has_code() && kept(rule) == excused.contains(rule))
        .map(|rule| rule.to_string())
        .collect()
}

/// Numbers that are cited and that no table lists.
fn dangling(document: &str, cited: &Cited) -> Vec<String> {
    let all = map::listed(document);
    let unknown = cited.keys().filter(|rule| !all.contains(rule));
    unknown.map(RuleId::to_string).collect()
}

#[test]
fn a_gap_in_the_map_is_found() {
    let document = "## Not held by a test\n| P-2 | why |\n## Without code of their own\n| P-3 | why |\n## Map\n\
                    | rule | says | implemented in | held by |\n|---|---|---|---|\n\
                    | P-1 | one | – | – |\n| P-2 | two | – | – |\n| P-3 | three | – | – |\n| S-1 | four | – | – |\n";
    let mut cited = Cited::new();
    let mut cite = |rule: &str, file: &str, test: &str| {
        let found = cited.entry(rule.parse().unwrap()).or_default();
        let full = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        found.files.extend(full(file));
        found.tests.extend(full(test));
    };
    cite("P-2", "a.rs", "");
    cite("P-3", "", "a_test");
    cite("S-1", "", "a_test");
    cite("T-9", "", "");
    assert_eq!(not_held(document, &cited), ["P-1"]);
    assert_eq!(without_code(document, &cited), ["P-1"]);
    assert_eq!(dangling(document, &cited), ["T-9"]);
    let cite_more = |rule: &str, file: &str, test: &str, mut cited: Cited| {
        let found = cited.entry(rule.parse().unwrap()).or_default();
        found.files.insert(file.to_owned());
        found.tests.insert(test.to_owned());
        cited
    };
    let cited = cite_more("P-2", "a.rs", "excused_and_held", cited);
    let cited = cite_more("P-3", "excused_and_kept.rs", "a_test", cited);
    assert_eq!(not_held(document, &cited), ["P-1", "P-2"]);
    assert_eq!(without_code(document, &cited), ["P-1", "P-3"]);
}
