//! A page in a real browser without a window: what it makes of the page, and what it has to say about it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use milena_protocol_tests::skip::skipped;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::capture::Kept;

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A browser starts within a second or two, and on a busy machine within ten.
const LIMIT: Duration = Duration::from_secs(120);

/// Each run has files of its own.
static RUNS: AtomicU32 = AtomicU32::new(0);

/// Asks the browser itself where it drew what, and writes that into the page it is about.
const PROBE: &str = r#"<script>
// Once all that the page asked for has come or failed.
addEventListener("load", () => {
  const inside = (frame) => (box) => box.width > 0 && box.height > 0 && box.left >= frame.left - 1
    && box.right <= frame.right + 1 && box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1;
  const texts = (of, what) => [...of.querySelectorAll(what)].map((one) => one.textContent);
  const sections = [...document.querySelectorAll("section")].map((section) => {
    const frame = section.querySelector("svg").getBoundingClientRect();
    const boxes = (what) => [...section.querySelectorAll(what)].map((one) => one.getBoundingClientRect());
    return {
      heading: section.querySelector("h2").innerText,
      left: boxes("rect").map((bar) => bar.left),
      drawn: boxes("rect").filter(inside(frame)).length,
      labels: boxes("svg text").length,
      readable: boxes("svg text").filter(inside(frame)).length,
      told: texts(section, "title"),
      rows: [...section.querySelectorAll("tr")].slice(1).map((row) => texts(row, "td")),
    };
  });
  const asked = performance.getEntriesByType("resource").map((entry) => entry.name);
  const named = [...document.querySelectorAll("[src], link[href]")].map((one) => one.src || one.href);
  const loaded = [...new Set([...asked, ...named])];
  const answer = document.createElement("pre");
  answer.id = "probe";
  answer.textContent = JSON.stringify({ sections, loaded, width: document.documentElement.scrollWidth - innerWidth });
  document.body.append(answer);
});
</script></body>"#;

/// The first browser that is there; without one, `claim` is skipped loudly.
pub(crate) fn find(claim: &str) -> Option<&'static str> {
    let found = NAMES.into_iter().find(|name| {
        let version = Command::new(name).arg("--version").output();
        version.is_ok_and(|done| done.status.success())
    });
    if found.is_none() {
        skipped(claim, &"there is no browser: install chromium");
    }
    found
}

/// What a browser made of a page.
pub(crate) struct Rendered {
    /// The probe's answer.
    pub(crate) probe: Value,
    /// Whatever went to the console: errors, warnings, what was refused.
    pub(crate) console: String,
}

/// Renders `page`. No name resolves while it does, so nothing that is not in the page can come into it.
pub(crate) fn render(browser: &str, page: &str) -> Rendered {
    let probed = page.replacen("</body>", PROBE, 1);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let file = Kept::new(&format!("probed-{run}.html"), probed.as_bytes());
    let dom = Kept::new(&format!("dom-{run}.html"), b"");
    let log = Kept::new(&format!("browser-{run}.log"), b"");
    let profile = Profile::new(run);
    let into = |kept: &Kept| Stdio::from(std::fs::File::create(kept.path()).unwrap());
    let mut child = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ])
        .args([
            "--disable-background-networking",
            "--no-first-run",
            "--window-size=1200,900",
        ])
        .arg("--host-resolver-rules=MAP * ~NOTFOUND")
        .args([
            "--enable-logging=stderr",
            "--virtual-time-budget=5000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.0))
        .arg(format!("file://{}", file.path()))
        .stdin(Stdio::null())
        .stdout(into(&dom))
        .stderr(into(&log))
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let (done, waiting) = mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if waiting.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            kill(pid, Signal::SIGKILL).unwrap();
        }
    });
    let status = child.wait().unwrap();
    drop(done);
    watch.join().unwrap();
    let (dom, log) = (read(&dom), read(&log));
    assert!(status.success(), "{status}: {log}");
    let answer = between(&dom, "<pre id=\"probe\">", "</pre>");
    let answer = answer.unwrap_or_default();
    assert!(!answer.is_empty(), "no answer of the probe in {dom}: {log}");
    let answer = answer
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    let mut console = String::new();
    for line in log.lines().filter(|line| line.contains(":CONSOLE:")) {
        let _ = writeln!(console, "{line}");
    }
    Rendered {
        probe: serde_json::from_str(&answer).unwrap(),
        console,
    }
}

fn read(kept: &Kept) -> String {
    String::from_utf8_lossy(&std::fs::read(kept.path()).unwrap()).into_owned()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?
        .1
        .split_once(after)
        .map(|(inside, _)| inside)
}

/// Settings and caches of a browser that nobody else uses.
struct Profile(String);

impl Profile {
    fn new(run: u32) -> Self {
        let name = format!("milena-browser-{}-{run}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path.to_str().unwrap().to_owned())
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(Path::new(&self.0));
    }
}

/// A check that cannot fail would be none.
#[test]
fn a_page_that_reaches_out_fails_or_draws_outside_is_found_out() {
    let claim = "a_page_that_reaches_out_fails_or_draws_outside_is_found_out";
    let Some(browser) = find(claim) else {
        return;
    };
    let page = "<!DOCTYPE html><html><body><img src=\"http://localhost:1/picture.png\">\
        <section><h2>x</h2><svg viewBox=\"0 0 100 10\" width=\"100\"><rect x=\"-50\" width=\"9\" height=\"9\"/>\
        <rect x=\"9\" width=\"9\" height=\"9\"/><rect x=\"9\" width=\"0\" height=\"9\"/></svg></section>\
        <script>console.error(\"as it should\")</script></body></html>";
    let Rendered { probe, console } = render(browser, page);
    assert!(console.contains("as it should"), "{console}");
    assert_eq!(probe["loaded"].as_array().map(Vec::len), Some(1), "{probe}");
    assert_eq!(probe["sections"][0]["drawn"], 1, "{probe}");
}
