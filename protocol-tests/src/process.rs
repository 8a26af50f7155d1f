//! A child process that cannot outlive the test process.

use crate::Failure;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Starts a program and waits for the pipe on its standard input to close, which the kernel does when
/// the test process ends in whatever way. Then the program is killed by its process id (it may be
/// frozen, so nothing milder will do) and its data removed, unless told to keep that.
///
/// The watchdog is the program's parent and does not wait for it before it kills it, so the id cannot
/// belong to anyone else by then.
const WATCHDOG: &str = r#"
data=$1; shift
"$@" </dev/null >&2 &
pid=$!
exec 2>/dev/null
echo "$pid"
exec >/dev/null
word=
read -r word
kill -9 "$pid"
wait "$pid"
[ "$word" = keep ] && exit
rm -rf "$data"
root=${data%/*}
[ "$(ls "$root")" = lock ] && rm -rf "$root"
"#;

/// How many of the newest lines of a log are kept at hand.
const TAIL_LINES: usize = 2_000;

/// A running program with a log, and the watchdog over it.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    watchdog: Child,
    leash: Option<ChildStdin>,
    log: Arc<Log>,
}

impl Process {
    /// Starts `program` with `arguments`. What it prints is appended to the file `log`; `data` is removed
    /// when it has to be killed because this process is gone.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`] if it cannot be started.
    pub fn start(
        program: &str,
        arguments: &[String],
        data: &Path,
        log: &Path,
    ) -> Result<Self, Failure> {
        Self::start_with(program, arguments, data, log, |_| {})
    }

    /// As [`start`](Self::start), and hands each line that the program prints to `each_line`, on a thread of
    /// its own: what it printed before it was killed comes too.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_with(
        program: &str,
        arguments: &[String],
        data: &Path,
        log: &Path,
        each_line: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self, Failure> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .map_err(Failure::io(format!("opening {}", log.display())))?;
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(data)
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: Ctrl-C in a terminal must not take the watchdog with it.
            .process_group(0)
            .spawn()
            .map_err(Failure::io(format!("starting {program}")))?;
        let leash = watchdog.stdin.take();
        let pid = read_pid(&mut watchdog)?;
        let log = Arc::new(Log::default());
        if let Some(output) = watchdog.stderr.take() {
            let log = Arc::clone(&log);
            std::thread::spawn(move || log.follow(BufReader::new(output), file, each_line));
        }
        Ok(Self {
            pid,
            watchdog,
            leash,
            log,
        })
    }

    /// Sends a signal, unless the program has ended.
    pub fn signal(&self, signal: Signal) {
        if !self.log.ended() {
            // It may end between the look and the signal; its id is still its own then.
            let _ = kill(self.pid, signal);
        }
    }

    /// Waits until the program has ended.
    ///
    /// # Errors
    ///
    /// [`Failure::Late`] if it has not within `limit`.
    pub fn wait_for_end(&self, limit: Duration) -> Result<(), Failure> {
        self.log
            .wait(limit, "the end of the process", |log| log.ended)
    }

    /// Waits for a line that contains `needle`, now or in the past.
    ///
    /// # Errors
    ///
    /// [`Failure::Late`] if there is none within `limit`, or the program ends before.
    pub fn wait_for_line(&self, needle: &str, limit: Duration) -> Result<(), Failure> {
        let said = |log: &LogState| log.tail.iter().any(|line| line.contains(needle));
        let what = format!("a line with {needle:?}");
        self.log.wait(limit, &what, |log| log.ended || said(log))?;
        if said(&self.log.state()) {
            Ok(())
        } else {
            Err(Failure::Program {
                program: "a process of the harness".to_owned(),
                output: self.tail(60),
            })
        }
    }

    /// The newest `lines` lines it printed.
    #[must_use]
    pub fn tail(&self, lines: usize) -> String {
        self.log.state().last(lines)
    }

    /// Kills it and ends the watchdog; its data stays if `keep` is true.
    pub fn end(mut self, keep: bool) {
        self.end_watchdog(keep);
    }

    fn end_watchdog(&mut self, keep: bool) {
        if let Some(mut leash) = self.leash.take() {
            if keep {
                // If the watchdog is gone there is nothing left to tell it.
                let _ = leash.write_all(b"keep\n");
            }
            drop(leash);
            let _ = self.watchdog.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end_watchdog(false);
    }
}

fn read_pid(watchdog: &mut Child) -> Result<Pid, Failure> {
    let mut line = String::new();
    if let Some(output) = watchdog.stdout.take() {
        BufReader::new(output)
            .read_line(&mut line)
            .map_err(Failure::io("reading a process id"))?;
    }
    line.trim()
        .parse()
        .map(Pid::from_raw)
        .map_err(|_| Failure::Program {
            program: "the watchdog".to_owned(),
            output: format!("no process id, but {line:?}"),
        })
}

#[derive(Debug, Default)]
struct Log {
    state: Mutex<LogState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct LogState {
    tail: VecDeque<String>,
    ended: bool,
}

impl LogState {
    fn last(&self, lines: usize) -> String {
        let skipped = self.tail.len().saturating_sub(lines);
        let lines: Vec<&str> = self.tail.iter().skip(skipped).map(String::as_str).collect();
        lines.join("\n")
    }
}

impl Log {
    fn state(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self) -> bool {
        self.state().ended
    }

    /// Copies lines to the file until the last holder of the pipe has closed it.
    fn follow(
        &self,
        mut output: impl std::io::BufRead,
        mut file: File,
        mut each_line: impl FnMut(&str),
    ) {
        let mut line = Vec::new();
        while output
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            // A full disk costs the file its line, not the broker its pipe.
            let _ = file.write_all(&line);
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            each_line(&text);
            let mut state = self.state();
            if state.tail.len() == TAIL_LINES {
                state.tail.pop_front();
            }
            state.tail.push_back(text);
            drop(state);
            self.changed.notify_all();
            line.clear();
        }
        self.state().ended = true;
        self.changed.notify_all();
    }

    fn wait(
        &self,
        limit: Duration,
        what: &str,
        done: impl Fn(&LogState) -> bool,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + limit;
        let mut state = self.state();
        while !done(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Failure::Late {
                    what: what.to_owned(),
                    limit,
                    context: state.last(60),
                });
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn start(script: &str, folder: &Path) -> Process {
        let arguments = ["-c".to_owned(), script.to_owned()];
        let data = folder.join("data");
        std::fs::create_dir_all(&data).unwrap();
        Process::start("sh", &arguments, &data, &folder.join("log")).unwrap()
    }

    fn alive(pid: Pid) -> bool {
        kill(pid, None).is_ok()
    }

    #[test]
    fn dropping_a_frozen_process_kills_it_and_removes_its_data() {
        let folder = tempfile::tempdir().unwrap();
        let process = start("echo up; exec sleep 1000", folder.path());
        process.wait_for_line("up", LIMIT).unwrap();
        process.signal(Signal::SIGSTOP);
        let pid = process.pid;
        assert!(alive(pid));
        drop(process);
        assert!(!alive(pid));
        assert!(!folder.path().join("data").exists());
    }

    #[test]
    fn what_a_process_printed_before_it_was_killed_is_handed_over() {
        let folder = tempfile::tempdir().unwrap();
        let script = "echo one; echo two; exec sleep 1000".to_owned();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&lines);
        let (data, log) = (folder.path().join("data"), folder.path().join("log"));
        let hear = move |line: &str| heard.lock().unwrap().push(line.to_owned());
        let process =
            Process::start_with("sh", &["-c".to_owned(), script], &data, &log, hear).unwrap();
        process.wait_for_line("two", LIMIT).unwrap();
        process.signal(Signal::SIGKILL);
        process.wait_for_end(LIMIT).unwrap();
        assert_eq!(*lines.lock().unwrap(), ["one", "two"]);
    }

    #[test]
    fn ending_a_process_can_keep_its_data() {
        let folder = tempfile::tempdir().unwrap();
        let process = start("exec sleep 1000", folder.path());
        process.end(true);
        assert!(folder.path().join("data").exists());
    }

    #[test]
    fn a_process_that_ends_by_itself_is_noticed_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let process = start("echo no such file", folder.path());
        process.wait_for_end(LIMIT).unwrap();
        assert_eq!(process.tail(5), "no such file");
        let error = process.wait_for_line("started", LIMIT).unwrap_err();
        assert!(error.to_string().contains("no such file"), "{error}");
    }
}
