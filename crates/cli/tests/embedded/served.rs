//! `milena` as a process: run to its end, or serving until it is interrupted.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::thread::{self, JoinHandle};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milena"));
    command.args(args).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs to the end.
pub(crate) fn milena(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

/// Runs to the end with this on standard input.
pub(crate) fn milena_fed(args: &[&str], input: &[u8]) -> Output {
    let mut child = command(args).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// What a run that went well printed.
pub(crate) fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A command that serves; killed when dropped.
pub(crate) struct Served {
    child: Option<Child>,
    /// Its first line, which says where.
    pub(crate) address: String,
    /// All its other lines, read as they come: a command whose pipe is full serves nobody.
    lines: Option<JoinHandle<io::Result<Vec<u8>>>>,
}

impl Served {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_with_lines(args, 0).0
    }

    /// As [`start`](Self::start), for a command that says more than where it serves: with so many further lines.
    pub(crate) fn start_with_lines(args: &[&str], further: usize) -> (Self, Vec<String>) {
        let mut child = command(args).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut read_line = || {
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            line.trim().to_owned()
        };
        let address = read_line();
        let further = (0..further).map(|_| read_line()).collect();
        let lines = thread::spawn(move || {
            let mut lines = Vec::new();
            output.read_to_end(&mut lines).map(|_| lines)
        });
        let served = Self {
            child: Some(child),
            address,
            lines: Some(lines),
        };
        assert!(served.address.contains(':'), "{}", served.address);
        (served, further)
    }

    /// As Ctrl-C does; gives what it said in the end.
    pub(crate) fn interrupt(mut self) -> Output {
        let child = self.child.take().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        kill(pid, Signal::SIGINT).unwrap();
        let mut ended = child.wait_with_output().unwrap();
        let lines = self.lines.take().unwrap();
        ended.stdout = lines.join().unwrap().unwrap();
        ended
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
