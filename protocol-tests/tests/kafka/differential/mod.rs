//! Seeded sequences of bare requests, sent to Kafka and to the embedded broker: the answers are the same.
//!
//! `MILENA_DIFFERENTIAL_SEED=<seed>` plays one sequence again, `MILENA_DIFFERENTIAL_SEQUENCES=<number>` plays
//! more of them than usual:
//!
//! ```text
//! MILENA_DIFFERENTIAL_SEED=42 cargo test -p milena-protocol-tests --test kafka differential
//! ```

mod admin;
mod answers;
mod generator;
mod measured;
mod player;
mod step;

use generator::Generator;
use milena_protocol_tests::raw::{Coordinator, create_topic, find_coordinator};
use milena_protocol_tests::{Failure, Flavour, Kafka, conformance};
use player::{Place, Player};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use step::{Answer, Partition, Step};

/// Steps of a sequence, without the last look.
const STEPS: usize = 60;
/// Sequences under way at a time: mostly they wait for Kafka.
const WORKERS: usize = 12;
/// Outcomes that a whole run must have met, of some 45 that it usually meets.
const KINDS_MIN: usize = 35;
/// Failures that are told in full, the shortest.
const TOLD: usize = 3;
/// So many sequences that differ end the test early.
const FAILED_MAX: usize = 20;
/// So much later than the clock are the records' times: Kafka takes an hour, and every marker is earlier.
const AHEAD: Duration = Duration::from_secs(600);

const SEED: &str = "MILENA_DIFFERENTIAL_SEED";
const SEQUENCES: &str = "MILENA_DIFFERENTIAL_SEQUENCES";

/// A difference that is meant to be, with its reason; docs/BROKER.md lists them.
struct Meant {
    #[expect(dead_code, reason = "for whoever reads the list")]
    reason: &'static str,
    is_it: fn(&Step, &Answer, &Answer) -> bool,
}

/// None so far.
const MEANT: &[Meant] = &[];

async fn kafka_and_the_embedded_broker_answer_seeded_sequences_alike(kafka: &Kafka) {
    let version = kafka.flavour().transaction_version().unwrap();
    let (embedded, usual) = match version {
        0 => (Flavour::EmbeddedTv0, 60),
        1 => (Flavour::EmbeddedTv1, 60),
        _ => (Flavour::EmbeddedTv2, 300),
    };
    let embedded = embedded.shared().unwrap();
    let number = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let (first, count) = match number(SEED) {
        Some(seed) => (seed, 1),
        None => (fastrand::u64(..1 << 48), number(SEQUENCES).unwrap_or(usual)),
    };
    eprintln!("sequences of the seeds {first} to {}", first + count - 1);
    let sides = [kafka.bootstrap().remove(0), embedded.bootstrap().remove(0)];
    // Several kinds of Kafka are compared with one embedded broker at a time.
    let topic = format!(
        "differential-{}-{}",
        kafka.flavour().name(),
        kafka.topic_name()
    );
    let partitions = usize::try_from(count).unwrap() * Partition::COUNT;
    for side in &sides {
        let brokers = [side.clone()];
        create_topic(&brokers, &topic, i32::try_from(partitions).unwrap(), &[]).unwrap();
        // Kafka sets its coordinators up when somebody looks for one.
        for kind in [Coordinator::Group, Coordinator::Transaction] {
            find_coordinator(&brokers, kind, &topic).unwrap();
        }
    }
    let begin = SystemTime::now() + AHEAD;
    let begin = begin.duration_since(SystemTime::UNIX_EPOCH).unwrap();

    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::<String>::new());
    let tally = Mutex::new(Tally::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let enough = failed.lock().is_ok_and(|failed| failed.len() > FAILED_MAX);
                    if index >= usize::try_from(count).unwrap() || enough {
                        break;
                    }
                    let seed = first + index as u64;
                    let place = Place {
                        topic: topic.clone(),
                        partition: i32::try_from(index * Partition::COUNT).unwrap(),
                        name: format!("{topic}-{seed}"),
                        time: i64::try_from(begin.as_millis()).unwrap(),
                    };
                    match play(seed, version, &sides, &place) {
                        Ok(played) => {
                            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                            for (kind, times) in played {
                                *tally.entry(kind).or_default() += times;
                            }
                        }
                        Err(story) => {
                            let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                            failed.push(story);
                        }
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.sort_by_key(String::len);
    let told: String = failed.iter().take(TOLD).cloned().collect();
    assert!(
        failed.is_empty(),
        "{} of {count} sequences differ\n{told}",
        failed.len()
    );
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    eprintln!(
        "{count} sequences, {} answers alike",
        tally.values().sum::<usize>()
    );
    for (kind, times) in &tally {
        eprintln!("{times:6} {kind}");
    }
    // Sequences that were refused throughout would agree too.
    assert!(count < usual || tally.len() >= KINDS_MIN, "{tally:?}");
}

/// How often each request had each outcome.
type Tally = BTreeMap<String, usize>;

/// The request and the first word of its answer.
fn kind(step: &Step, answer: &Answer) -> String {
    let described = format!("{step:?}");
    let request = described.split([' ', '(']).next().unwrap_or_default();
    // Some tell of the whole first, others of the partition.
    let mut words = answer
        .text
        .split([' ', ','])
        .filter(|word| !word.ends_with(':') && word.chars().any(|c| c.is_ascii_uppercase()));
    let first = words.next().unwrap_or_default();
    let outcome = match (step, first) {
        (Step::Fetch { .. } | Step::OffsetFetch { .. }, "NONE") => words.next().unwrap_or(first),
        _ => first,
    };
    format!("{request} {outcome}")
}

/// Plays a sequence on both sides up to the first difference, which is then told with all before it.
fn play(seed: u64, version: u8, sides: &[String; 2], place: &Place) -> Result<Tally, String> {
    let mut story = format!("--- seed {seed}; again: {SEED}={seed}\n");
    let played = try_play(seed, version, sides, place, &mut story);
    match played {
        Ok(Some(tally)) => Ok(tally),
        Ok(None) => Err(story),
        Err(failure) => {
            let _ = writeln!(story, "  {failure}");
            Err(story)
        }
    }
}

fn try_play(
    seed: u64,
    version: u8,
    sides: &[String; 2],
    place: &Place,
    story: &mut String,
) -> Result<Option<Tally>, Failure> {
    let [kafka, embedded] = sides;
    let mut kafka = Player::new(kafka, place.clone())?;
    let mut embedded = Player::new(embedded, place.clone())?;
    let mut generator = Generator::new(seed, version);
    let mut last_look = Generator::last_look().into_iter();
    let mut steps = 0;
    let mut tally = Tally::new();
    loop {
        let step = match steps {
            0..STEPS => generator.next(),
            _ => match last_look.next() {
                Some(step) => step,
                None => return Ok(Some(tally)),
            },
        };
        steps += 1;
        let _ = writeln!(story, "{steps:3} {step:?}");
        let expected = kafka
            .play(&step)
            .inspect_err(|_| story.push_str("  Kafka:\n"))?;
        let answered = embedded
            .play(&step)
            .inspect_err(|_| story.push_str("  embedded:\n"))?;
        let meant = MEANT
            .iter()
            .any(|meant| (meant.is_it)(&step, &expected, &answered));
        if expected.text != answered.text && !meant {
            let _ = writeln!(story, "  Kafka:    {}", expected.text);
            let _ = writeln!(story, "  embedded: {}", answered.text);
            return Ok(None);
        }
        let _ = writeln!(story, "      {}", expected.text);
        *tally.entry(kind(&step, &expected)).or_default() += 1;
        generator.learn(&step, &expected);
    }
}

conformance!(
    on [kafka_4_4_0, kafka_4_3_1_tv2, kafka_4_3_1_tv1, kafka_4_3_1_tv0];
    kafka_and_the_embedded_broker_answer_seeded_sequences_alike
);
