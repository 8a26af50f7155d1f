//! Each dependency is there for a reason that somebody wrote down.

use std::fs;
use std::path::Path;

/// The names in a table of a manifest, those of the workspace's own crates left out.
fn dependencies<'a>(manifest: &'a str, table: &str) -> Vec<&'a str> {
    manifest
        .lines()
        .skip_while(|line| line.trim() != table)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with('#') && !name.starts_with("milena"))
        .collect()
}

fn without_a_word<'a>(names: &[&'a str], decisions: &str) -> Vec<&'a str> {
    names
        .iter()
        .filter(|name| !decisions.contains(&format!("`{name}`")))
        .copied()
        .collect()
}

#[test]
fn every_dependency_has_its_reason_in_the_decisions() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let names = dependencies(&manifest, "[workspace.dependencies]");
    assert!(names.contains(&"tokio"), "{names:?}");
    let mut decisions = String::new();
    for file in fs::read_dir(root.join("docs/decisions"))? {
        decisions += &fs::read_to_string(file?.path())?;
    }
    let unexplained = without_a_word(&names, &decisions);
    assert!(
        unexplained.is_empty(),
        "say in docs/decisions/ what these are for, and rather than what: {unexplained:?}"
    );
    Ok(())
}

#[test]
fn a_dependency_that_nobody_explains_is_found() {
    let manifest =
        "[a]\nz = \"1\"\n[b]\n# c = 1\nmilena = \"0\"\nknown = \"1\"\nunknown = \"2\"\n\n[c]\n";
    let names = dependencies(manifest, "[b]");
    assert_eq!(names, ["known", "unknown"]);
    assert_eq!(without_a_word(&names, "`known` is for x"), ["unknown"]);
}
