//! The Java tool: one JVM with Kafka's own clients, which serves all tests of this process.

use super::{FLAGS, Programs};
use crate::failure::OrFail as _;
use crate::{Failure, scratch};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// How long an operation may take. The clients' own limits, a minute or two, come first where a
/// broker does not answer.
const LIMIT: Duration = Duration::from_secs(150);

type Waiting = HashMap<u64, SyncSender<Answer>>;

/// The running tool.
#[derive(Debug)]
pub struct Tool {
    /// The tool ends when this pipe closes, which the kernel does when this process ends.
    requests: Mutex<ChildStdin>,
    waiting: Arc<Mutex<Waiting>>,
    next_id: AtomicU64,
}

#[derive(Debug, Deserialize)]
struct Answer {
    id: u64,
    #[serde(default)]
    result: Value,
    error: Option<String>,
}

impl Tool {
    /// The tool of this process, started on first use.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Result<Tool, Failure>> = OnceLock::new();
        match SHARED.get_or_init(Self::start) {
            Ok(tool) => tool,
            Err(failure) => failure.fail(),
        }
    }

    fn start() -> Result<Self, Failure> {
        let programs = Programs::at_hand()?;
        let log = scratch::log_dir()?.join(format!("tool-{}.log", std::process::id()));
        let log = File::create(&log).map_err(Failure::io(format!("making {}", log.display())))?;
        let mut child = Command::new("java")
            .args(FLAGS)
            .args(["-Xmx512m", "-cp"])
            .arg(programs.class_path(programs.jars()))
            .arg("Tool")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(Failure::io("starting java"))?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both are piped");
        };
        let waiting = Arc::new(Mutex::new(Waiting::new()));
        let hands_on = Arc::clone(&waiting);
        std::thread::spawn(move || {
            for line in BufReader::new(answers).lines().map_while(Result::ok) {
                if let Ok(answer) = serde_json::from_str::<Answer>(&line)
                    && let Some(waits) = locked(&hands_on).remove(&answer.id)
                {
                    // Whoever gave up waiting wants no answer.
                    let _ = waits.try_send(answer);
                }
            }
            // The tool is gone: dropping their channels tells those who wait.
            locked(&hands_on).clear();
            let _ = child.wait();
        });
        Ok(Self {
            requests: Mutex::new(requests),
            waiting,
            next_id: AtomicU64::new(0),
        })
    }

    /// A number for something in the tool that a later request refers to.
    pub(super) fn new_handle(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Has the tool do `operation` and waits for the result. `request` is a JSON object.
    ///
    /// # Errors
    ///
    /// [`Failure::Java`] with Java's exception.
    pub fn call<T: DeserializeOwned>(
        &self,
        operation: &str,
        mut request: Value,
    ) -> Result<T, Failure> {
        let id = self.new_handle();
        request["id"] = json!(id);
        request["operation"] = json!(operation);
        let (sender, receiver) = sync_channel(1);
        locked(&self.waiting).insert(id, sender);
        writeln!(locked(&self.requests), "{request}").map_err(Failure::io("asking the tool"))?;
        let java = |reason: String| Failure::Java {
            operation: operation.to_owned(),
            reason,
        };
        let answer = receiver
            .recv_timeout(LIMIT)
            .map_err(|error| java(format!("no answer: {error}")))?;
        match answer.error {
            Some(reason) => Err(java(reason)),
            None => serde_json::from_value(answer.result)
                .map_err(|error| java(format!("an answer nobody understands: {error}"))),
        }
    }

    /// As [`call`](Self::call), but an error ends the test.
    #[track_caller]
    pub fn must<T: DeserializeOwned>(&self, operation: &str, request: Value) -> T {
        self.call(operation, request).or_fail()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
