//! What this process has used so far: processor time and memory.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Processor time and memory of this process up to a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time of all threads.
    pub(crate) cpu: Duration,
    /// The most memory that was resident at once, in bytes.
    pub(crate) resident_bytes_max: u64,
}

impl Usage {
    pub(crate) fn now() -> Self {
        let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
            return Self::default();
        };
        let micros = (usage.user_time() + usage.system_time()).num_microseconds();
        let kibibytes = u64::try_from(usage.max_rss()).unwrap_or(0);
        Self {
            cpu: Duration::from_micros(u64::try_from(micros).unwrap_or(0)),
            resident_bytes_max: kibibytes << 10,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows_as_processor_time() {
        let before = Usage::now();
        let mut sum = 0_u64;
        while Usage::now().cpu < before.cpu + Duration::from_millis(5) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(Usage::now().resident_bytes_max > 1 << 20);
    }
}
