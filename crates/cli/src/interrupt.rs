//! Ctrl-C: asked for once, a command ends cleanly; asked for twice, at once.

use tokio::sync::watch;

/// Whether the user has had enough. Clones see the same.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    raised: watch::Receiver<bool>,
}

impl Interrupt {
    /// From here on Ctrl-C does not end the process by itself any more.
    pub(crate) fn listen() -> Self {
        let (raise, raised) = watch::channel(false);
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                if *raise.borrow() {
                    std::process::exit(130);
                }
                let _ = raise.send(true);
            }
        });
        Self { raised }
    }

    pub(crate) fn is_raised(&self) -> bool {
        *self.raised.borrow()
    }

    /// Waits for Ctrl-C; ready at once if it came before.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(crate) async fn raised(&self) {
        let mut raised = self.raised.clone();
        if raised.wait_for(|raised| *raised).await.is_err() {
            // No signals on this system: never.
            std::future::pending::<()>().await;
        }
    }
}
