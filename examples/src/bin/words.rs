//! Counts words, and stores the counts together with the offset up to which it has counted: each record counts once, however often
//! this program is killed.
//!
//! `words BOOTSTRAP TOPIC FILE`: reads what the first partition holds beyond the offset in FILE, prints the counts and ends.
//!
//! Kafka needs to know nothing of it: offset and counts are in one place that is changed in one step. Here that is a file which
//! is written beside the old one and takes its name. With SQLite or another database it is one transaction:
//!
//! ```sql
//! BEGIN;
//! UPDATE counts SET count = count + 1 WHERE word = 'apples';
//! UPDATE progress SET next_offset = 42, leader_epoch = 3 WHERE topic = 'orders' AND number = 0;
//! COMMIT;
//! ```
//!
//! (It is a file because SQLite is C, which nothing in this workspace's default build is.)

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use milena::consumer::{NextOffset, Position};
use milena::{Client, ClientBuilder, Report, TopicPartition};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counted {
    /// The offset of the next record to count; `None` before the first.
    next_offset: Option<i64>,
    /// Lets the consumer notice if the log was truncated below that offset.
    leader_epoch: Option<i32>,
    counts: BTreeMap<String, u64>,
}

impl Counted {
    fn load(path: &Path) -> Result<Self, Report> {
        match fs::read(path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// All of it or nothing: a reader of the file never sees a part.
    fn store(&self, path: &Path) -> Result<(), Report> {
        let next = path.with_extension("next");
        fs::write(&next, serde_json::to_vec_pretty(self)?)?;
        fs::File::open(&next)?.sync_all()?;
        Ok(fs::rename(next, path)?)
    }

    fn position(&self) -> Position {
        let leader_epoch = self.leader_epoch;
        self.next_offset.map_or(Position::Earliest, |offset| {
            NextOffset {
                offset,
                leader_epoch,
            }
            .into()
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Report> {
    let [bootstrap, topic, file] =
        milena_examples::arguments(["localhost:9092", "orders", "words.json"]);
    let path = PathBuf::from(file);
    let mut counted = Counted::load(&path)?;

    let client = Client::connect(ClientBuilder::new([bootstrap]).build()?).await?;
    let mut consumer = client.consumer().start()?;
    let partition = TopicPartition::new(topic, 0);
    consumer.assign(std::slice::from_ref(&partition))?;
    consumer.seek(&partition, counted.position())?;
    while consumer.lag(&partition)? != Some(0) {
        let records = consumer.poll(Duration::from_secs(1)).await?;
        for record in &records {
            let text = String::from_utf8_lossy(record.value.unwrap_or_default());
            for word in text.split_whitespace() {
                *counted.counts.entry(word.to_owned()).or_default() += 1;
            }
        }
        for (_, next) in records.next_offsets() {
            counted.next_offset = Some(next.offset);
            counted.leader_epoch = next.leader_epoch;
            counted.store(&path)?;
        }
    }
    consumer.close().await;
    for (word, count) in &counted.counts {
        println!("{word} {count}");
    }
    Ok(())
}
