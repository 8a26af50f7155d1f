//! Every message of Kafka 4.4.0 in every version.
//!
//! Kafka's generated classes fill, read, write and print the messages; the schema table (through guard
//! and dissector), the generator and the typed messages of kafka-protocol have to agree.

use crate::known::{TYPED, known};
use crate::program;
use crate::typed::typed;
use bytes::Bytes;
use milena_codec::dissect::{self, Format};
use milena_codec::generate::{self, Shape};
use milena_codec::schema::{self, Message};
use milena_codec::{Limits, guard};
use milena_protocol_tests::java::Program;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// Vectors of each message and version, each way.
const VECTORS: u64 = 20;

const SEED: u64 = 431;

/// The vector of each pair that becomes a seed of the fuzz targets: the first with random content.
const SEED_OF_SEEDS: u64 = 2;

/// Names a file to write those to: `fuzz/seeds/messages.txt`.
const SEEDS_FILE: &str = "MILENA_ORACLE_SEEDS";

type Pair = (&'static Message, i16);

fn pairs() -> impl Iterator<Item = Pair> {
    schema::messages().iter().flat_map(|message| {
        let versions = message.versions().iter();
        versions.map(move |version| (message, version))
    })
}

fn generated((message, version): Pair, seed: u64) -> Option<Vec<u8>> {
    let shape = Shape::default();
    Some(generate::body(message, version, seed, &shape)?.into_bytes())
}

fn commands(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "messages")?;
    for pair @ (message, version) in pairs() {
        let name = message.name();
        writeln!(out, "fill {name} {version} {SEED} {VECTORS}")?;
        for seed in 0..VECTORS {
            let bytes = generated(pair, seed).unwrap_or_default();
            writeln!(out, "echo {name} {version} {}", hex(&bytes))?;
        }
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    let digits = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    digits.collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    hex.as_bytes()
        .chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

/// A vector as Kafka printed it: the bytes, and what they mean.
fn vector(line: &str) -> Result<(&str, Value), String> {
    if let Some(refusal) = line.strip_prefix("! ") {
        return Err(format!("Kafka refuses it: {refusal}"));
    }
    let (hex, json) = line.split_once(' ').ok_or("not a vector")?;
    let json = serde_json::from_str(json).map_err(|error| format!("{error} in {json}"))?;
    Ok((hex, json))
}

/// The guard's and the dissector's reading.
fn dissected((message, version): Pair, bytes: &[u8]) -> Result<Value, String> {
    let mut limits = Limits::default();
    // Strings of a byte or two are common here.
    limits.memory_factor = 64;
    guard::check_message(message, version, bytes, &limits)
        .map_err(|error| format!("the guard refuses it: {error}"))?;
    let mut json = String::new();
    dissect::message(&mut json, Format::Json, message, version, bytes, &limits)
        .map_err(|error| format!("the dissector stops: {error}"))?;
    let mut whole: Value =
        serde_json::from_str(&json).map_err(|error| format!("{error} in {json}"))?;
    Ok(whole["body"].take())
}

/// Where two readings part; Kafka's is the first.
fn difference(kafka: &Value, ours: &Value, path: &str) -> Option<String> {
    match (kafka, ours) {
        (Value::Object(kafka), Value::Object(ours)) => {
            let mut left: BTreeSet<&str> = ours.keys().map(String::as_str).collect();
            for (key, value) in kafka {
                let path = format!("{path}.{key}");
                // Of records, Kafka's converters give the size alone.
                let records = key
                    .strip_suffix("SizeInBytes")
                    .filter(|key| left.contains(key));
                let found = match records {
                    Some(records) => {
                        left.remove(records);
                        ours.get(records).and_then(|sum| sum.get("sizeInBytes"))
                    }
                    None => {
                        left.remove(key.as_str());
                        ours.get(key)
                    }
                };
                let Some(found) = found else {
                    return Some(format!("{path} is missing"));
                };
                if let Some(difference) = difference(value, found, &path) {
                    return Some(difference);
                }
            }
            let more = left.pop_first()?;
            Some(format!("{path}.{more} is not in Kafka's reading"))
        }
        (Value::Array(kafka), Value::Array(ours)) if kafka.len() == ours.len() => {
            let mut elements = kafka.iter().zip(ours).enumerate();
            elements.find_map(|(i, (kafka, ours))| difference(kafka, ours, &format!("{path}[{i}]")))
        }
        (Value::Number(kafka), Value::Number(ours)) if kafka.is_f64() || ours.is_f64() => {
            (kafka.as_f64() != ours.as_f64()).then(|| format!("{path} is {ours}, not {kafka}"))
        }
        _ => (kafka != ours).then(|| format!("{path} is {ours}, not {kafka}")),
    }
}

/// What came of all the comparisons.
#[derive(Default)]
struct Tally {
    pairs: usize,
    /// Filled by Kafka, read by the table.
    read: usize,
    /// Written by the generator, read and written again by Kafka.
    written: usize,
    /// Filled by Kafka, decoded and encoded by type.
    typed: usize,
    untyped_pairs: Vec<String>,
    /// One of Kafka's vectors for each pair, as the fuzz targets' seeds have them.
    seeds: String,
    /// Vectors of each known difference.
    known: BTreeMap<(&'static str, i16), usize>,
    troubles: Vec<String>,
}

impl Tally {
    fn pair(&mut self, pair: Pair, kafka: &mut Program) {
        self.pairs += 1;
        for seed in 0..VECTORS {
            let line = kafka.line().unwrap();
            let outcome = self.kafkas(pair, &line);
            self.note(pair, &format!("Kafka's vector {seed}"), outcome);
            if seed == SEED_OF_SEEDS {
                self.keep(pair, &line);
            }
        }
        for seed in 0..VECTORS {
            let line = kafka.line().unwrap();
            let outcome = ours(pair, seed, &line);
            self.written += usize::from(outcome.is_ok());
            self.note(pair, &format!("our vector {seed}"), outcome);
        }
        let (message, version) = pair;
        if typed(message, version).is_none() {
            self.untyped_pairs
                .push(format!("{} {version}", message.name()));
        }
    }

    fn keep(&mut self, (message, version): Pair, line: &str) {
        let hex = line.split(' ').next().unwrap_or_default();
        let index = schema::messages()
            .iter()
            .position(|other| other.name() == message.name());
        // Long ones teach a fuzzer little.
        if let Some(index) = index
            && hex.len() <= 2_000
        {
            let name = message.name();
            self.seeds += &format!("{index} {version} {name} {hex}\n");
        }
    }

    fn note(&mut self, (message, version): Pair, vector: &str, outcome: Result<(), String>) {
        if let Err(trouble) = outcome {
            let name = message.name();
            self.troubles
                .push(format!("{name} v{version}, {vector}: {trouble}"));
        }
    }

    /// A vector that Kafka filled.
    fn kafkas(&mut self, pair @ (message, version): Pair, line: &str) -> Result<(), String> {
        let (hex, kafka) = vector(line)?;
        let bytes = Bytes::from(unhex(hex));
        if let Some(difference) = difference(&kafka, &dissected(pair, &bytes)?, "") {
            return Err(difference);
        }
        self.read += 1;
        let Some(typed) = typed(message, version) else {
            return Ok(());
        };
        let trouble = match (typed.round_trip)(bytes.clone(), version) {
            Ok(again) if again == bytes => {
                self.typed += 1;
                return Ok(());
            }
            Ok(again) => format!("typed, {bytes:02x?} became {again:02x?}"),
            Err(error) => format!("typed: {error}"),
        };
        if known(message.name(), version).is_none() {
            return Err(trouble);
        }
        *self.known.entry((message.name(), version)).or_default() += 1;
        Ok(())
    }

    fn print(&self) {
        println!("{} (message, version) pairs of Kafka 4.4.0", self.pairs);
        println!("{} vectors by Kafka, read by the table: equal", self.read);
        println!(
            "{} vectors by us, read and written by Kafka: equal",
            self.written
        );
        println!(
            "{} vectors by Kafka, decoded and encoded by type: equal",
            self.typed
        );
        println!(
            "{} pairs without a type: {}",
            self.untyped_pairs.len(),
            self.untyped_pairs.join(", ")
        );
        for ((message, version), vectors) in &self.known {
            let reason = known(message, *version).map_or("", |known| known.reason);
            println!("known: {message} {version}, {vectors} vectors of {VECTORS}: {reason}");
        }
        println!("{} unexplained", self.troubles.len());
    }
}

/// A vector that the generator made, and what Kafka made of it.
fn ours(pair: Pair, seed: u64, line: &str) -> Result<(), String> {
    let bytes = generated(pair, seed).ok_or("not generated")?;
    let (again, kafka) = vector(line)?;
    let sent = hex(&bytes);
    if again != sent {
        return Err(format!("{sent} became {again}"));
    }
    match difference(&kafka, &dissected(pair, &bytes)?, "") {
        Some(difference) => Err(difference),
        None => Ok(()),
    }
}

fn check_pairs(kafka: &mut Program) {
    let mut theirs = BTreeSet::new();
    loop {
        let line = kafka.line().unwrap();
        if line == "." {
            break;
        }
        let words: Vec<_> = line.split(' ').collect();
        let [name, lowest, highest] = words[..] else {
            panic!("{line}");
        };
        let versions = lowest.parse::<i16>().unwrap()..=highest.parse().unwrap();
        theirs.extend(versions.map(|version| (name.to_owned(), version)));
    }
    let ours: BTreeSet<_> = pairs()
        .map(|(message, version)| (message.name().to_owned(), version))
        .collect();
    assert_eq!(ours, theirs);
}

#[test]
fn every_version_of_every_message_means_to_us_what_it_means_to_kafka() {
    let test = "every_version_of_every_message_means_to_us_what_it_means_to_kafka";
    let Some(mut kafka) = program(test, "MessageVectors", &[], commands) else {
        return;
    };
    check_pairs(&mut kafka);
    let mut tally = Tally::default();
    for pair in pairs() {
        tally.pair(pair, &mut kafka);
    }
    kafka.finish().unwrap();
    tally.print();
    if let Some(file) = std::env::var_os(SEEDS_FILE) {
        std::fs::write(file, &tally.seeds).unwrap();
    }
    let some: Vec<_> = tally.troubles.iter().take(20).collect();
    assert!(some.is_empty(), "{}: {some:#?}", tally.troubles.len());
    for known in TYPED {
        for version in known.versions {
            let gone = !tally.known.contains_key(&(known.message, *version));
            assert!(!gone, "{} {version} is right now", known.message);
        }
    }
}
