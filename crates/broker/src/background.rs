//! A runtime of the broker's own, for brokers that outlive the runtime they were started from.

use crate::builder::StartError;
use crate::{Broker, BrokerBuilder};
use std::sync::mpsc;
use tokio::sync::oneshot;

/// Ends the runtime's thread when it is dropped, without waiting for it.
#[derive(Debug)]
pub(crate) struct Background {
    _until_dropped: oneshot::Sender<()>,
}

impl BrokerBuilder {
    /// Starts it on a thread and a runtime of its own, and waits until it listens. It lives until it is dropped, whatever
    /// becomes of the caller's runtime: so one broker can serve all tests of a program, each of which has a runtime of its
    /// own:
    ///
    /// ```
    /// use milena_broker::Broker;
    /// use std::sync::LazyLock;
    ///
    /// static BROKER: LazyLock<Broker> =
    ///     LazyLock::new(|| Broker::builder().start_blocking().expect("the broker starts"));
    ///
    /// // In each test:
    /// let topic = BROKER.fresh_topic(4);
    /// let bootstrap = BROKER.bootstrap();
    /// # assert!(!bootstrap.is_empty() && topic != BROKER.fresh_topic(1));
    /// ```
    ///
    /// Needs no runtime to be called from. Its clock is real time even if the caller's runtime is paused;
    /// [`Clock::advance`](crate::Clock::advance) moves it on.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start_blocking(self) -> Result<Broker, StartError> {
        let (started, broker) = mpsc::sync_channel(1);
        let (until_dropped, dropped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("milena-broker".to_owned());
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(source) => {
                    let _ = started.send(Err(StartError::Runtime { source }));
                    return;
                }
            };
            runtime.block_on(async move {
                // The caller waits for it.
                let _ = started.send(self.start().await);
                let _ = dropped.await;
            });
        };
        thread
            .spawn(serve)
            .map_err(|source| StartError::Runtime { source })?;
        let died = || StartError::Runtime {
            source: std::io::Error::other("its thread has ended"),
        };
        let mut broker = broker.recv().map_err(|_| died())??;
        broker.keep(Background {
            _until_dropped: until_dropped,
        });
        Ok(broker)
    }
}
