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
    let cited = cited(&document);
    let excused = map::below(&document, "## Not held by a test");
    let all = map::listed(&document);
    assert!(all.len() >= 230, "{} rules and lessons", all.len());
    let held = |rule: &RuleId| cited.get(rule).is_some_and(|found| !found.tests.is_empty());
    for rule in &all {
        assert!(
            held(rule) != excused.contains(rule),
            "{rule}: either a test names it, or \"Not held by a test\" says why none does, not both and not neither"
        );
    }
}

#[test]
fn every_number_that_is_cited_is_listed() {
    let document = document();
    let all = map::listed(&document);
    for rule in cited(&document).keys() {
        assert!(
            all.contains(rule),
            "{rule} is cited and stands in no table of docs/PROTOCOL.md"
        );
    }
}
