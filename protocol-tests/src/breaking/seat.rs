//! The place of a client: the process in it, those before it, and what is done to them.

use super::Workload;
use super::client::Assignment;
use super::journal::{History, Life, Line, Role};
use super::schedule::{ClientTrouble, Step};
use crate::Failure;
use crate::process::Process;
use nix::sys::signal::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the kernel may take to end a killed process.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// How long a process may take to finish what it began once all is well.
const FINISH_LIMIT: Duration = Duration::from_secs(40);

/// How long the place of a process that gave up stays empty.
const EMPTY: Duration = Duration::from_millis(300);

/// How often it is asked whether a client makes progress.
const GLANCE: Duration = Duration::from_millis(100);

/// What all seats of a run share.
#[derive(Debug)]
pub(super) struct Stage {
    /// The program that is a client when its first argument is `client`.
    pub(super) program: PathBuf,
    /// Where everything goes that processes print.
    pub(super) logs: PathBuf,
    pub(super) begun: Instant,
    pub(super) heard: Mutex<Heard>,
}

/// What was heard from all processes, and done to them.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) histories: BTreeMap<String, History>,
    pub(super) troubles: BTreeMap<&'static str, u64>,
    done: BTreeSet<Life>,
    lives: Life,
}

impl Stage {
    pub(super) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self, trouble: &'static str) {
        *self.heard().troubles.entry(trouble).or_default() += 1;
    }

    /// Takes what a process printed.
    fn hear(&self, topic: &str, life: Life, text: &str) {
        let at = self.begun.elapsed();
        let mut heard = self.heard();
        let line = serde_json::from_str(text);
        if matches!(line, Ok(Line::Done)) {
            heard.done.insert(life);
        }
        let history = heard.histories.entry(topic.to_owned()).or_default();
        match line {
            Ok(line) => history.take(life, line, at),
            // A client prints nothing else, unless it panics.
            Err(_) => history
                .nonsense
                .push(format!("process {life} printed: {text}")),
        }
    }
}

/// The place of a client.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) name: &'static str,
    pub(super) workload: Workload,
    assignment: Assignment,
    stage: Arc<Stage>,
    process: Process,
    life: Life,
    /// Those whose place was taken while they lived.
    older: Vec<Process>,
}

impl Seat {
    pub(super) fn new(
        name: &'static str,
        workload: Workload,
        assignment: Assignment,
        stage: &Arc<Stage>,
    ) -> Result<Self, Failure> {
        let (process, life) = start(name, &assignment, stage)?;
        Ok(Self {
            name,
            workload,
            assignment,
            stage: Arc::clone(stage),
            process,
            life,
            older: Vec::new(),
        })
    }

    pub(super) fn role(&self) -> Role {
        self.assignment.role
    }

    /// Does what was drawn for this client, until the time is up.
    pub(super) fn suffer(
        &mut self,
        track: &[Step<ClientTrouble>],
        until: Instant,
    ) -> Result<(), Failure> {
        for step in track {
            self.watch(until.min(Instant::now() + step.pause))?;
            if Instant::now() >= until {
                break;
            }
            match step.trouble {
                ClientTrouble::Kill => self.kill()?,
                ClientTrouble::Freeze(time) => {
                    self.stage.count("client frozen");
                    self.process.signal(Signal::SIGSTOP);
                    std::thread::sleep(time);
                    self.process.signal(Signal::SIGCONT);
                }
                ClientTrouble::TakeOver(frozen) => self.take_over(frozen)?,
            }
        }
        self.watch(until)
    }

    /// Waits, and puts another process in the place of one that gives up.
    fn watch(&mut self, until: Instant) -> Result<(), Failure> {
        while self
            .process
            .wait_for_end(until.saturating_duration_since(Instant::now()))
            .is_ok()
        {
            self.stage.count("client gave up");
            std::thread::sleep(EMPTY);
            self.replace()?;
            if Instant::now() >= until {
                break;
            }
        }
        Ok(())
    }

    fn kill(&mut self) -> Result<(), Failure> {
        self.stage.count("client killed");
        self.process.signal(Signal::SIGKILL);
        self.process.wait_for_end(KILL_LIMIT)?;
        self.replace().map(drop)
    }

    fn take_over(&mut self, frozen: Option<Duration>) -> Result<(), Failure> {
        self.stage.count("client taken over");
        if frozen.is_some() {
            self.stage.count("client frozen");
            self.process.signal(Signal::SIGSTOP);
        }
        let older = self.replace()?;
        if let Some(time) = frozen {
            std::thread::sleep(time);
            older.signal(Signal::SIGCONT);
        }
        self.older.push(older);
        self.older
            .retain(|process| process.wait_for_end(Duration::ZERO).is_err());
        Ok(())
    }

    /// Puts another process in the place, and gives the one before.
    fn replace(&mut self) -> Result<Process, Failure> {
        let (process, life) = start(self.name, &self.assignment, &self.stage)?;
        self.life = life;
        Ok(std::mem::replace(&mut self.process, process))
    }

    /// Waits until something that the client began after `calm` has succeeded, and says how long that took;
    /// none if it did not within `limit`.
    pub(super) fn recover(
        &mut self,
        calm: Instant,
        limit: Duration,
    ) -> Result<Option<Duration>, Failure> {
        let since = calm.saturating_duration_since(self.stage.begun);
        while calm.elapsed() < limit {
            let progresses = {
                let heard = self.stage.heard();
                let history = heard.histories.get(&self.assignment.topic);
                history.is_some_and(|history| history.has_progress_since(since))
            };
            if progresses {
                return Ok(Some(calm.elapsed()));
            }
            self.watch(Instant::now() + GLANCE)?;
        }
        Ok(None)
    }

    /// Has every process finish what it began; says whether they did.
    pub(super) fn finish(&mut self) -> Result<bool, Failure> {
        let deadline = Instant::now() + FINISH_LIMIT;
        let mut all = true;
        for process in self.older.drain(..) {
            process.signal(Signal::SIGTERM);
            all &= ends_by(&process, deadline);
        }
        loop {
            self.process.signal(Signal::SIGTERM);
            if !ends_by(&self.process, deadline) {
                return Ok(false);
            }
            let done = self.stage.heard().done.contains(&self.life);
            // A writer that gave up has said what it knows; copies have to be complete.
            if done || self.role() != Role::Copy {
                return Ok(all);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            self.replace()?;
            // Time to begin: a signal that comes before it is waited for only ends the process.
            self.watch(Instant::now() + 10 * GLANCE)?;
        }
    }
}

fn ends_by(process: &Process, deadline: Instant) -> bool {
    let left = deadline.saturating_duration_since(Instant::now());
    process.wait_for_end(left).is_ok()
}

fn start(
    name: &str,
    assignment: &Assignment,
    stage: &Arc<Stage>,
) -> Result<(Process, Life), Failure> {
    let life = {
        let mut heard = stage.heard();
        heard.lives += 1;
        heard.lives
    };
    let assignment = Assignment {
        life,
        ..assignment.clone()
    };
    let text = serde_json::to_string(&assignment).map_err(|error| Failure::Program {
        program: "an assignment".to_owned(),
        output: error.to_string(),
    })?;
    let (topic, hearing) = (assignment.topic, Arc::clone(stage));
    let process = Process::start_with(
        &stage.program.display().to_string(),
        &["client".to_owned(), text],
        // It keeps no data.
        &stage.logs.join("none"),
        &stage.logs.join(format!("{life:03}-{name}.log")),
        move |line| hearing.hear(&topic, life, line),
    )?;
    Ok((process, life))
}
