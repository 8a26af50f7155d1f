//! Writes the map of the rules in `docs/PROTOCOL.md` anew from the citations in the sources.
//!
//! `cargo run -p milena-protocol-tests --bin rules` rewrites it and says which rules no test names;
//! with `--tests P-20` it lists every test that names a rule.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;

use milena_protocol_tests::rules::{RuleId, map, sources};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match &arguments[..] {
        [] => write(),
        [flag, rule] if flag == "--tests" => list(rule),
        _ => Err(io::Error::other("usage: rules [--tests RULE]")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rules: {error}");
            ExitCode::FAILURE
        }
    }
}

fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

fn write() -> io::Result<()> {
    let path = root().join("docs/PROTOCOL.md");
    let document = fs::read_to_string(&path)?;
    let all = map::listed(&document);
    let cited = sources::read(root(), &all)?;
    fs::write(&path, map::rewritten(&document, &cited))?;
    let (held, open): (Vec<RuleId>, Vec<RuleId>) = all
        .iter()
        .partition(|rule| cited.get(rule).is_some_and(|found| !found.tests.is_empty()));
    println!(
        "{} rules, {} with a test that names them",
        all.len(),
        held.len()
    );
    let open: Vec<String> = open.iter().map(RuleId::to_string).collect();
    if !open.is_empty() {
        println!("without: {}", open.join(" "));
    }
    Ok(())
}

fn list(rule: &str) -> io::Result<()> {
    let rule = RuleId::from_str(rule)
        .map_err(|()| io::Error::other(format!("`{rule}` is no rule's number, such as P-20")))?;
    let document = fs::read_to_string(root().join("docs/PROTOCOL.md"))?;
    let mut cited = sources::read(root(), &map::listed(&document))?;
    for test in cited.remove(&rule).unwrap_or_default().tests {
        println!("{test}");
    }
    Ok(())
}
