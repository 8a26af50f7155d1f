//! What handles cost while nothing happens: CPU time and memory of a process with many of them on one client.
//!
//! `cargo run --release --example idle -- localhost:9092 orders 50` starts 50 producers, 50 consumers and an
//! admin handle on the topic's partitions, and prints what half a minute of idleness costs. Reads `/proc`, so
//! it needs Linux.

use std::time::Duration;

use milena::consumer::Position;
use milena::{Client, ClientBuilder, Consumer, Record, TopicPartition};

/// Ticks of `/proc/self/stat` in a second, on every Linux that Rust supports.
const TICKS: f64 = 100.0;
const IDLE: Duration = Duration::from_secs(30);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let bootstrap = args.next().unwrap_or_else(|| "localhost:9092".to_owned());
    let topic = args.next().unwrap_or_else(|| "orders".to_owned());
    let count: usize = args.next().map_or(Ok(50), |count| count.parse())?;

    let client = Client::connect(ClientBuilder::new([bootstrap]).config()?).await?;
    let mut described = client.admin().describe_topics(&[&topic]).await?;
    let (_, description) = described.pop().ok_or("no description")?;
    let partitions: Vec<_> = (0..)
        .zip(description?.partitions)
        .map(|(partition, _)| TopicPartition::new(&*topic, partition))
        .collect();
    let admin = client.admin();
    report("connected", measure(IDLE / 10).await?);

    let mut producers = Vec::new();
    for number in 0..count {
        let producer = client.producer().start()?;
        let partition = partitions[number % partitions.len()].partition();
        let record = Record::to(&topic).partition(partition).value(b"v");
        producer.send(record).await?.await?;
        producers.push(producer);
    }
    report(&format!("and {count} producers"), measure(IDLE).await?);

    let mut consumers = Vec::new();
    for number in 0..count {
        let consumer = read(&client, &partitions[number % partitions.len()]).await?;
        consumers.push(consumer);
    }
    report(
        &format!("and {count} consumers, of a partition each"),
        measure(IDLE).await?,
    );
    drop((admin, producers, consumers));
    Ok(())
}

/// A consumer at the end of a partition.
async fn read(client: &Client, partition: &TopicPartition) -> Result<Consumer, milena::Error> {
    let mut consumer = client.consumer().start()?;
    consumer.assign(std::slice::from_ref(partition))?;
    consumer.seek(partition, Position::Latest)?;
    consumer.wait_for_positions(Duration::from_secs(10)).await?;
    Ok(consumer)
}

/// The part of a core that this process uses, and its memory in KiB.
async fn measure(length: Duration) -> Result<(f64, u64), Box<dyn std::error::Error>> {
    let before = ticks()?;
    tokio::time::sleep(length).await;
    let used = (ticks()? - before) / TICKS;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|text| text.trim().strip_suffix(" kB"));
    Ok((used / length.as_secs_f64(), kib.ok_or("no VmRSS")?.parse()?))
}

/// CPU time of this process, in ticks.
fn ticks() -> Result<f64, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // Behind the command in parentheses, the 12th and 13th fields are user and system time.
    let (_, fields) = stat.rsplit_once(')').ok_or("no command in stat")?;
    let times = fields.split_whitespace().skip(11).take(2);
    Ok(times.map(str::parse::<f64>).sum::<Result<f64, _>>()?)
}

fn report(what: &str, (cpu, kib): (f64, u64)) {
    println!(
        "{what}: {:.3} % of a core, {:.1} MiB",
        100.0 * cpu,
        kib as f64 / 1024.0
    );
}
