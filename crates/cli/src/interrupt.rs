//! Ctrl-C and SIGTERM: the first one ends a command cleanly, the second one at once.

use std::time::Duration;

use tokio::sync::watch;

use crate::failure::Failure;

/// How long a command has, after the second signal, to report what it leaves behind.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the user has signalled. Clones see the same.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    signals: watch::Receiver<Signals>,
}

/// The signals so far.
#[derive(Clone, Copy, Debug, Default)]
struct Signals {
    count: u32,
    /// Of the first one.
    exit_code: u8,
}

/// What a shell reports of a process that SIGINT ended.
const EXIT_SIGINT: u8 = 130;
/// What a shell reports of a process that SIGTERM ended.
const EXIT_SIGTERM: u8 = 143;

impl Interrupt {
    /// From here on neither signal ends the process by itself any more.
    pub(crate) fn listen() -> Self {
        let (sender, signals) = watch::channel(Signals::default());
        tokio::spawn(async move {
            let mut terminations = Terminations::listen();
            loop {
                let exit_code = tokio::select! {
                    caught = tokio::signal::ctrl_c() => match caught {
                        Ok(()) => EXIT_SIGINT,
                        // No signals on this system.
                        Err(_) => return,
                    },
                    () = terminations.next() => EXIT_SIGTERM,
                };
                sender.send_modify(|signals| {
                    if signals.count == 0 {
                        signals.exit_code = exit_code;
                    }
                    signals.count += 1;
                });
                if sender.borrow().count == 2 {
                    let exit_code = sender.borrow().exit_code;
                    tokio::spawn(async move {
                        tokio::time::sleep(LAST_WORDS).await;
                        std::process::exit(i32::from(exit_code));
                    });
                }
            }
        });
        Self { signals }
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.signals.borrow().count > 0
    }

    /// Waits for the first signal; ready at once if it came before.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(crate) async fn raised(&self) {
        self.counted(1).await;
    }

    /// Waits for the second signal, after which the command has a second for its last line.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(crate) async fn repeated(&self) {
        self.counted(2).await;
    }

    async fn counted(&self, count: u32) {
        let mut signals = self.signals.clone();
        if signals
            .wait_for(|signals| signals.count >= count)
            .await
            .is_err()
        {
            // No signals on this system: never.
            std::future::pending::<()>().await;
        }
    }

    /// The failure of a command that a signal cut off, with what became of its work.
    pub(crate) fn cut_off(&self, line: String) -> Failure {
        Failure::Interrupted {
            line,
            exit_code: self.signals.borrow().exit_code,
        }
    }
}

/// SIGTERM, where there is such a thing.
struct Terminations {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Terminations {
    #[cfg(unix)]
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self {
            signal: signal(SignalKind::terminate()).ok(),
        }
    }

    #[cfg(not(unix))]
    fn listen() -> Self {
        Self {}
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
