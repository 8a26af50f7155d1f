//! Prints the figures by which this repository is reviewed: lengths, lines of code, circles of imports, sizes of commits.
//!
//! `cargo run -p milena-protocol-tests --bin figures` reads the sources and, where there is a history, the last 300 commits.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};

use milena_protocol_tests::house::figures::{Spread, circles, function_lengths, lines_of_code};
use milena_protocol_tests::house::source::{Module, modules};

const CRATES: [(&str, &str); 5] = [
    ("codec", "milena_codec"),
    ("connection", "milena_connection"),
    ("client", "milena"),
    ("broker", "milena_broker"),
    ("cli", "milena_cli"),
];

/// Generated, and left out of the lengths.
const GENERATED: &str = "crates/codec/src/schema/table.rs";

fn main() -> ExitCode {
    match print() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("figures: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print() -> io::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().unwrap_or(here);
    let mut all = Vec::new();
    println!("without tests and generated code");
    println!("{:<12} {:>6} lines of code", "crate", "");
    for (folder, name) in CRATES {
        let read = modules(root, &format!("crates/{folder}"), name)?;
        let lines: usize = code(root, &read)?.iter().map(|(_, lines)| lines).sum();
        println!("{folder:<12} {lines:>6}");
        all.push((folder, read));
    }
    let mut file_lines = Vec::new();
    let mut function_lines = Vec::new();
    for (folder, read) in &all {
        let files = code(root, read)?;
        if *folder == "client" {
            let under = |path: &str| {
                let inside = files.iter().filter(|(file, _)| file.starts_with(path));
                inside.map(|(_, lines)| lines).sum::<usize>()
            };
            let producer = under("crates/client/src/producer");
            let transaction = under("crates/client/src/transaction");
            println!(
                "producer + transaction: {producer} + {transaction} = {} lines of code (aim 6,000)",
                producer + transaction
            );
            let found = circles(read);
            let sizes: Vec<usize> = found.iter().map(BTreeSet::len).collect();
            println!("circles of imports in client, files each: {sizes:?} (aim none over 3)");
            for circle in &found {
                println!(
                    "    {}",
                    circle.iter().cloned().collect::<Vec<_>>().join(" ")
                );
            }
        }
        file_lines.extend(files.into_iter().map(|(_, lines)| lines));
        function_lines.extend(function_lengths(read));
    }
    let long = function_lines.iter().filter(|lines| **lines > 70).count();
    let of = function_lines.len();
    show("files, lines of code", Spread::of(file_lines));
    show("functions, lines", Spread::of(function_lines));
    println!("functions over 70 lines: {long} of {of}");
    match commits(root) {
        Some(sizes) => show(
            &format!(
                "last {} commits, changed lines (aim 150 / 500)",
                sizes.len()
            ),
            Spread::of(sizes),
        ),
        None => println!("commits: there is no history here"),
    }
    Ok(())
}

fn show(what: &str, spread: Spread) {
    let Spread { p50, p90, max } = spread;
    println!("{what}: p50 {p50}, p90 {p90}, max {max}");
}

/// The files of the product with their lines of code.
fn code(root: &Path, modules: &[Module]) -> io::Result<Vec<(String, usize)>> {
    let product = modules.iter().filter(|module| !module.for_tests);
    let files: BTreeSet<&str> = product.map(|module| &*module.file).collect();
    let mut found = Vec::new();
    for file in files.into_iter().filter(|file| *file != GENERATED) {
        let text = fs::read_to_string(root.join(file))?;
        let lines = lines_of_code(&text).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{file}: {error}"))
        })?;
        found.push((file.to_owned(), lines));
    }
    Ok(found)
}

/// Added and removed lines of the last 300 commits without merges; snapshots, lock files and moves left out.
fn commits(root: &Path) -> Option<Vec<usize>> {
    let output = Command::new("git")
        .current_dir(root)
        .args([
            "log",
            "--no-merges",
            "-300",
            "-M",
            "--numstat",
            "--format=tformat:commit",
        ])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let sizes: Vec<usize> = text
        .split("commit\n")
        .skip(1)
        .map(|commit| {
            let files = commit
                .lines()
                .filter(|line| !line.ends_with(".snap") && !line.ends_with(".lock"));
            let numbers = files.flat_map(|line| line.split('\t').take(2));
            numbers
                .filter_map(|number| number.parse::<usize>().ok())
                .sum()
        })
        .collect();
    (!sizes.is_empty()).then_some(sizes)
}
