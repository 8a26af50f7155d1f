//! The commands in README.md work as they are written there.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// The lines of the block of commands, without comments.
fn commands() -> Vec<String> {
    let readme = include_str!("../../../README.md");
    let (_, section) = readme.split_once("\n## The command\n").unwrap();
    let (_, block) = section.split_once("```sh\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let line = |line: &str| line.split(" #").next().unwrap().trim().to_owned();
    block.lines().map(line).collect()
}

#[test]
fn the_commands_of_readme_do_what_they_say() {
    let mut commands = commands().into_iter();
    assert!(commands.next().unwrap().starts_with("cargo install "));
    let serving = commands.next().unwrap();
    let serving = serving.strip_suffix('&').unwrap();
    // On a port that is free, and so in the commands that follow.
    let mut broker = shell(&format!("exec {serving} --port 0"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    let mut lines = BufReader::new(broker.stdout.take().unwrap());
    lines.read_line(&mut address).unwrap();
    let address = address.trim();

    let mut ran = 0;
    for command in commands {
        let here = command
            .replace("localhost:9092", address)
            .replace("1000000", "1000");
        if here.contains("milena trace") {
            // It serves until it is interrupted; its options are checked all the same.
            let output = shell(&format!("{here} --help")).output().unwrap();
            assert!(output.status.success(), "{command}: {output:?}");
            continue;
        }
        let output = shell(&here).output().unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
        if command.starts_with("milena consume") {
            let read = String::from_utf8(output.stdout).unwrap().lines().count();
            assert_eq!(read, 1_000, "{command}");
        }
        ran += 1;
    }
    broker.kill().unwrap();
    broker.wait().unwrap();
    assert!(ran >= 5, "{ran}");
}

/// A shell that finds this build as `milena`.
fn shell(line: &str) -> Command {
    let milena = env!("CARGO_BIN_EXE_milena");
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        &format!(
            "milena() {{ \"{milena}\" \"$@\"; }}; {}",
            line.replace("exec milena", &format!("exec \"{milena}\""))
        ),
    ]);
    shell.stdin(Stdio::null());
    shell
}
