//! The repository's README says what is true.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use milena::config::keys_without_setting;

/// The rows of the table of what works, as cells.
fn rows() -> Vec<Vec<&'static str>> {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("## What works").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| "));
    rows.map(|row| row.split('|').map(str::trim).collect())
        .collect()
}

/// Who builds one of these makes its key a setting, and then this test asks for the README.
#[test]
fn what_readme_calls_rejected_is_rejected() {
    let known = keys_without_setting();
    let mut checked = 0;
    for row in rows().iter().filter(|row| row.contains(&"not yet")) {
        let words = row
            .iter()
            .flat_map(|cell| cell.split('`').skip(1).step_by(2));
        for key in words {
            let mut entries = known.iter().filter(|entry| entry.keys.contains(&key));
            let entry = entries
                .next()
                .unwrap_or_else(|| panic!("{key} is not listed"));
            assert_eq!(entry.class, "rejected", "{key}");
            checked += 1;
        }
    }
    assert!(checked >= 4, "{checked}");
}

#[test]
fn every_file_that_readme_links_to_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = include_str!("../../README.md");
    let links = readme
        .split("](")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap());
    for link in links.filter(|link| !link.starts_with("http")) {
        assert!(root.join(link).exists(), "{link}");
    }
}
