//! Runs simulations: one seed, or very many.
//!
//! ```sh
//! cargo run -p milena-protocol-tests --bin simulate -- --seed 7            # one run, repeatable to the byte
//! cargo run --release -p milena-protocol-tests --bin simulate -- --seeds 0..100000   # for the night
//! ```

use clap::Parser;
use milena_protocol_tests::simulation::{Outcome, Plan, Takeovers, run, shrink};
use std::collections::BTreeMap;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Runs that looking for a shorter schedule may take.
const SHRINKING_RUNS: usize = 60;
/// A run takes a fraction of a second; this long means that it never ends.
const STUCK: Duration = Duration::from_secs(120);
/// Failures after which there is no point in going on.
const FAILURES_MAX: usize = 20;

/// milena and an embedded broker on a simulated network and clock.
#[derive(Debug, Parser)]
struct Arguments {
    /// The run to make.
    #[arg(long, conflicts_with = "seeds", required_unless_present = "seeds")]
    seed: Option<u64>,
    /// Faults of the schedule to leave out, by their numbers.
    #[arg(long, value_delimiter = ',', requires = "seed")]
    without: Vec<usize>,
    /// Writes everything that happened to the standard output.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// The runs of all these seeds, the last one excluded: `0..1000`.
    #[arg(long, value_parser = range)]
    seeds: Option<Range<u64>>,
    /// Threads for `--seeds`; each run stays on one. Default as many as there are processors.
    #[arg(long)]
    threads: Option<usize>,
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let parts = text.split_once("..");
    let (from, to) = parts.ok_or("two numbers with `..` between them are wanted")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
    Ok(number(from)?..number(to)?)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let failures = match (arguments.seed, arguments.seeds) {
        (Some(seed), _) => one(seed, arguments.without, arguments.trace),
        (None, Some(seeds)) => many(seeds, arguments.threads),
        (None, None) => 0,
    };
    if failures == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn one(seed: u64, without: Vec<usize>, trace: bool) -> usize {
    let as_given = without.is_empty();
    let plan = Plan::from_seed(seed).without(without);
    print!("{plan}");
    let outcome = run(&plan);
    if trace {
        print!("{}", outcome.history());
    }
    println!(
        "{} records, {} transactions, {} events in {:?} of simulated time",
        outcome.records, outcome.transactions, outcome.events, outcome.simulated
    );
    if outcome.violations.is_empty() {
        println!("nothing is wrong");
        return 0;
    }
    report(&plan, &outcome, as_given);
    1
}

/// Says what is wrong, and how to see it again with as little around it as possible.
fn report(plan: &Plan, outcome: &Outcome, look_for_shorter: bool) {
    for violation in &outcome.violations {
        println!("{violation}");
    }
    println!("again: {}", plan.command());
    if !look_for_shorter {
        return;
    }
    let broken: Vec<_> = outcome.violations.iter().map(|v| v.kind).collect();
    let shortest = shrink(plan, &broken, SHRINKING_RUNS);
    print!("the shortest schedule found: {shortest}");
    println!("again: {}", shortest.command());
}

/// What a thread tells.
enum Told {
    Began(usize, u64),
    Ended(usize, u64, Box<Outcome>),
}

fn many(seeds: Range<u64>, threads: Option<usize>) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(seeds.start);
    let (sender, told) = mpsc::channel();
    std::thread::scope(|scope| {
        for thread in 0..threads.unwrap_or(processors).max(1) {
            let (next, sender, end) = (&next, sender.clone(), seeds.end);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || sender.send(Told::Began(thread, seed)).is_err() {
                        return;
                    }
                    let outcome = Box::new(run(&Plan::from_seed(seed)));
                    if sender.send(Told::Ended(thread, seed, outcome)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let failures = listen(&told);
        // Nobody takes a further seed.
        next.store(seeds.end, Ordering::Relaxed);
        drop(told);
        failures
    })
}

fn listen(told: &mpsc::Receiver<Told>) -> usize {
    let started = Instant::now();
    let mut running: BTreeMap<usize, (u64, Instant)> = BTreeMap::new();
    let (mut runs, mut failures) = (0_u64, 0);
    let (mut records, mut transactions, mut events) = (0, 0, 0);
    let (mut simulated, mut takeovers) = (Duration::ZERO, Takeovers::default());
    loop {
        match told.recv_timeout(Duration::from_secs(5)) {
            Ok(Told::Began(thread, seed)) => {
                running.insert(thread, (seed, Instant::now()));
            }
            Ok(Told::Ended(thread, seed, outcome)) => {
                running.remove(&thread);
                runs += 1;
                records += outcome.records;
                transactions += outcome.transactions;
                events += outcome.events;
                simulated += outcome.simulated;
                takeovers += outcome.takeovers;
                if !outcome.violations.is_empty() {
                    failures += 1;
                    report(&Plan::from_seed(seed), &outcome, failures <= 3);
                }
                if failures >= FAILURES_MAX {
                    println!("{failures} seeds failed; no further ones are tried");
                    break;
                }
                if runs.is_multiple_of(1_000) {
                    println!("{runs} seeds in {:.0?}", started.elapsed());
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
        let stuck = running.values().find(|(_, since)| since.elapsed() > STUCK);
        if let Some((seed, _)) = stuck {
            println!(
                "seed {seed} does not end: {}",
                Plan::from_seed(*seed).command()
            );
            std::process::exit(1);
        }
    }
    let took = started.elapsed().as_secs_f64();
    println!(
        "{runs} seeds, {failures} failed: {records} records, {transactions} transactions, {events} events, \
         {} h simulated in {took:.1} s ({:.1} seeds/s)",
        simulated.as_secs() / 3_600,
        runs as f64 / took.max(0.001)
    );
    println!("two-phase commit: {takeovers}");
    failures
}
