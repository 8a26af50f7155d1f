//! A Java program that answers line by line.

use super::{FLAGS, Programs};
use crate::Failure;
use std::io::{self, BufRead as _, BufReader, BufWriter, Lines, Read as _, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

/// One of the harness's own Java programs, fed by a thread while its output is read.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    errors: Option<JoinHandle<String>>,
}

impl Program {
    /// Starts the program of a class. `input` writes what it reads, on another thread.
    ///
    /// # Errors
    ///
    /// Those of [`Programs::at_hand`]; [`Failure::Io`] if the JVM does not start.
    pub fn start(
        class: &str,
        arguments: &[&str],
        input: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
    ) -> Result<Self, Failure> {
        let programs = Programs::at_hand()?;
        let mut child = Command::new("java")
            .args(FLAGS)
            .args(["-Xmx512m", "-cp"])
            .arg(programs.class_path(programs.jars()))
            .arg(class)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Failure::io("starting java"))?;
        let (Some(stdin), Some(stdout), Some(mut stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            unreachable!("all are piped");
        };
        std::thread::spawn(move || {
            let mut stdin = BufWriter::new(stdin);
            // A program that ended early is found out by the missing lines.
            let _ = input(&mut stdin).and_then(|()| stdin.flush());
        });
        let errors = std::thread::spawn(move || {
            let mut said = String::new();
            let _ = stderr.read_to_string(&mut said);
            said
        });
        Ok(Self {
            name: class.to_owned(),
            child,
            lines: BufReader::with_capacity(1 << 16, stdout).lines(),
            errors: Some(errors),
        })
    }

    /// The next line of its output.
    ///
    /// # Errors
    ///
    /// [`Failure::Program`] with what it said, if it has ended.
    pub fn line(&mut self) -> Result<String, Failure> {
        match self.lines.next() {
            Some(line) => line.map_err(Failure::io(format!("reading from {}", self.name))),
            None => Err(self.failure("no more lines")),
        }
    }

    /// Waits for the end of the program, after its last line.
    ///
    /// # Errors
    ///
    /// [`Failure::Program`] with what it said, if it failed or had more lines.
    pub fn finish(mut self) -> Result<(), Failure> {
        if self.lines.next().is_some() {
            return Err(self.failure("more lines than asked for"));
        }
        let status = self.child.wait().map_err(Failure::io("waiting for java"))?;
        if status.success() {
            return Ok(());
        }
        Err(self.failure(&status.to_string()))
    }

    fn failure(&mut self, what: &str) -> Failure {
        // It has nothing more to say that anybody could use.
        let _ = self.child.kill();
        let said = self.errors.take().map(JoinHandle::join);
        let said = said.and_then(Result::ok).unwrap_or_default();
        Failure::Program {
            program: self.name.clone(),
            output: format!("{what}\n{said}"),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
