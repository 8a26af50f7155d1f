//! An idempotent producer without transactions, with many records on their way.

use super::{Actor, LifeEnd, record};
use crate::simulation::random::Random;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use milena::{Error, Producer};
use std::time::Duration;

/// Records without an outcome; beyond, the application waits.
const OPEN_MAX: usize = 30;

impl Actor<'_> {
    pub(super) async fn produce(&self, mut random: Random) -> LifeEnd {
        let delivery_timeout =
            random.duration(Duration::from_millis(2_500), Duration::from_secs(15));
        let config = self
            .producer(&mut random)
            .delivery_timeout(delivery_timeout)
            .build();
        let connector = self.world.connector(self.life);
        let producer = config
            .map_err(Error::from)
            .and_then(|config| Producer::with_connector(config, connector));
        let producer = match producer {
            Ok(producer) => producer,
            Err(error) => {
                self.world.journal.complain(format!("{error}"));
                return LifeEnd::Done;
            }
        };
        let partitions = self.world.partitions();
        let mut open = FuturesUnordered::new();
        let mut failed = None;
        while failed.is_none() && !self.world.owes_nothing(self.slot) {
            self.awake().await;
            for _ in 0..=random.up_to(7) {
                let Some(partition) = partitions.get(random.up_to(partitions.len() - 1)) else {
                    continue;
                };
                let producer = &producer;
                let sent = self
                    .send(partition, None, None, |bytes| async move {
                        producer.send(record(partition, &bytes)).await
                    })
                    .await;
                match sent {
                    Ok((value, delivery)) => open.push(self.fate(value, delivery)),
                    Err(error) if error.is_fatal() => failed = Some(error),
                    Err(_) => {}
                }
            }
            let pause = self.world.pause(self.slot, random.millis(0, 400));
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    biased;
                    Some(fate) = open.next(), if !open.is_empty() => {
                        if fate.is_ok() {
                            self.world.succeeded(self.slot);
                        }
                    }
                    () = &mut pause, if open.len() <= OPEN_MAX => break,
                }
            }
        }
        while open.next().await.is_some() {}
        match failed {
            None => LifeEnd::Done,
            Some(_) => LifeEnd::Restart,
        }
    }
}
