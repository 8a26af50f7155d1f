//! A progress bar on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::is_quiet;

/// Steps between two updates: an update costs more than a record does.
const STEP: u64 = 1 << 14;

/// How far something has come, on standard error if that is a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    done: u64,
}

impl Progress {
    pub(crate) fn of(what: &'static str, total: u64) -> Self {
        // Hidden by itself where standard error is no terminal.
        let target = match is_quiet() {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr_with_hz(5),
        };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let style = "{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self { bar, done: 0 }
    }

    pub(crate) fn advance(&mut self, steps: u64) {
        let before = self.done / STEP;
        self.done += steps;
        if self.done / STEP != before {
            self.bar.set_position(self.done);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
