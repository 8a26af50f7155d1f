//! One client under many handles: how many connections and metadata requests there are, who waits for
//! whom, and when it all ends.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::join_all;
use milena::consumer::{Consumer, Position, TopicPartition};
use milena::{Acks, Client, ClientBuilder, Producer, Record};
use milena_broker::{Broker, Event, Then, When};
use milena_connection::{BoxTransport, BrokerAddress, ConnectFuture, Connector, Transport};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;

use super::support::{Embedded, PATIENCE, PRODUCE};

const METADATA: i16 = 3;
const PARTITIONS: i32 = 3;
/// Connections that docs/decisions/0008-client.md allows to one broker: 50 producers' and 50 consumers',
/// and those for lookups and administration.
const CONNECTIONS_MAX: usize = 102;

/// Counts the connections that are open.
#[derive(Clone, Debug)]
struct Counted {
    embedded: Embedded,
    open: Arc<AtomicUsize>,
    /// Whether a load balancer responds in the brokers' place.
    is_replaced: Arc<AtomicBool>,
}

struct CountedTransport {
    transport: BoxTransport,
    open: Arc<AtomicUsize>,
}

impl Counted {
    fn new(embedded: &Embedded) -> Self {
        Self {
            embedded: embedded.clone(),
            open: Arc::default(),
            is_replaced: Arc::default(),
        }
    }

    fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    async fn client(&self, change: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Client {
        let builder = change(ClientBuilder::new(self.embedded.broker.addresses()));
        let connector = Arc::new(self.clone());
        Client::connect_with_connector(builder.config().unwrap(), connector)
            .await
            .unwrap()
    }
}

impl Connector for Counted {
    fn connect<'a>(&'a self, address: &'a BrokerAddress) -> ConnectFuture<'a> {
        Box::pin(async move {
            if self.is_replaced.load(Ordering::SeqCst) {
                let (transport, mut peer) = tokio::io::duplex(1_024);
                tokio::spawn(async move {
                    peer.read_u8().await?;
                    peer.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
                        .await?;
                    // Until the client closes the connection.
                    peer.read_to_end(&mut Vec::new()).await
                });
                return Ok(Box::new(transport) as BoxTransport);
            }
            let transport = self.embedded.connect(address).await?;
            self.open.fetch_add(1, Ordering::SeqCst);
            let open = Arc::clone(&self.open);
            Ok(Box::new(CountedTransport { transport, open }) as Box<dyn Transport>)
        })
    }
}

impl Drop for CountedTransport {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl AsyncRead for CountedTransport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.transport).poll_read(context, buffer)
    }
}

impl AsyncWrite for CountedTransport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(context)
    }
}

fn tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

async fn write(producer: &Producer, partition: i32) {
    let record = Record::to("t").partition(partition).value(b"v");
    producer.send(record).await.unwrap().await.unwrap();
}

/// A consumer that reads all partitions from their ends.
async fn reader(client: &Client) -> Consumer {
    let mut consumer = client.consumer().start().unwrap();
    let partitions: Vec<_> = (0..PARTITIONS)
        .map(|partition| TopicPartition::new("t", partition))
        .collect();
    consumer.assign(&partitions).unwrap();
    for partition in &partitions {
        consumer.seek(partition, Position::Latest).unwrap();
    }
    consumer.wait_for_positions(PATIENCE).await.unwrap();
    consumer
}

/// The connections of each broker that a request came on, and the Metadata requests.
fn seen(broker: &Broker, since: u64) -> (BTreeMap<i32, BTreeSet<u64>>, usize) {
    let mut connections: BTreeMap<i32, BTreeSet<u64>> = BTreeMap::new();
    let mut metadata = 0;
    for entry in broker.history().since(since) {
        if let Event::Request { request, .. } = entry.event {
            let of_broker = connections.entry(request.broker_id).or_default();
            of_broker.insert(request.connection_id);
            metadata += usize::from(request.api_key == METADATA);
        }
    }
    (connections, metadata)
}

/// Issue 11: the numbers of docs/decisions/0008-client.md.
#[tokio::test(start_paused = true)]
async fn fifty_producers_fifty_consumers_and_an_admin_share_connections_and_metadata() {
    let builder = Broker::builder().brokers(3).topic("t", PARTITIONS);
    let embedded = Embedded::start(builder).await;
    let counted = Counted::new(&embedded);
    let age = Duration::from_secs(10);
    let client = counted.client(|config| config.metadata_max_age(age)).await;
    let producers: Vec<_> = (0..50)
        .map(|_| client.producer().start().unwrap())
        .collect();
    let writing = producers.iter().map(|producer| async move {
        for partition in 0..PARTITIONS {
            write(producer, partition).await;
        }
    });
    join_all(writing).await;
    let consumers = join_all((0..50).map(|_| reader(&client))).await;
    let admin = client.admin();
    assert_eq!(admin.list_topics().await.unwrap().len(), 1);

    let (connections, metadata) = seen(&embedded.broker, 0);
    assert_eq!(connections.len(), 3);
    for (broker, connections) in &connections {
        // One more was for the bootstrap list, until the cluster was known.
        let count = connections.len();
        assert!(count <= CONNECTIONS_MAX + 1, "{count} to broker {broker}");
        assert!(
            count >= 100,
            "{count} to broker {broker}: a producer shares its connection"
        );
    }
    assert!(counted.open() <= 3 * CONNECTIONS_MAX, "{}", counted.open());
    // To connect, for the topic, for the admin; a few may come before the one before is over.
    assert!(metadata <= 6, "{metadata} Metadata requests");

    // Idle: one refresh for all as often as metadata gets old.
    let since = embedded.broker.history().next_number();
    tokio::time::sleep(3 * age).await;
    assert_eq!(embedded.broker.history().forgotten(), 0);
    let (_, metadata) = seen(&embedded.broker, since);
    assert!((2..=4).contains(&metadata), "{metadata} Metadata requests");
    drop((producers, consumers));
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_ends_the_tasks_and_the_connections() {
    let builder = Broker::builder().brokers(3).topic("t", PARTITIONS);
    let embedded = Embedded::start(builder).await;
    let counted = Counted::new(&embedded);
    // The broker's own.
    let before = tasks();
    let client = counted.client(|config| config).await;
    let producer = client.producer().start().unwrap();
    let mut transactional = client.transactional("x").start().await.unwrap();
    let consumer = reader(&client).await;
    let admin = client.admin();
    drop(client);
    // The client is gone, and its handles work.
    write(&producer, 0).await;
    let transaction = transactional.begin().await.unwrap();
    transaction.send(Record::to("t").value(b"v")).await.unwrap();
    transaction.commit().await.unwrap();
    admin.list_topics().await.unwrap();
    let all = counted.open();
    // Each handle takes along what only it used.
    consumer.close().await;
    assert_eq!(counted.open(), all - 3);
    drop((producer, transactional));
    until(|| counted.open() <= 3 + 1).await;
    assert!(counted.open() > 0, "the admin handle has none left");
    drop(admin);
    until(|| counted.open() == 0 && tasks() == before).await;
}

/// Waits until something is so, which the test's paused clock makes quick.
async fn until(is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_broker_holds_back_for_one_handle_delays_no_other() {
    let embedded = Embedded::start(Broker::builder().topic("t", PARTITIONS)).await;
    let counted = Counted::new(&embedded);
    let client = counted.client(|config| config).await;
    let producer = client.producer().acks(Acks::All).start().unwrap();
    write(&producer, 0).await;
    let mut transactional = client.transactional("x").start().await.unwrap();
    let reading = client.consumer().fetch_wait_max(Duration::from_secs(20));
    let mut idle = reading.start().unwrap();
    let partition = TopicPartition::new("t", 2);
    idle.assign(std::slice::from_ref(&partition)).unwrap();
    idle.seek(&partition, Position::Latest).unwrap();
    idle.wait_for_positions(PATIENCE).await.unwrap();

    // A fetch is held back for want of records, and a Produce for want of replicas.
    let since = embedded.broker.history().next_number();
    let held = embedded
        .broker
        .faults()
        .once(When::api(PRODUCE).partition("t", 1), Then::Hold);
    let record = Record::to("t").partition(1).value(b"held");
    let waiting = producer.send(record).await.unwrap();
    let is_produce = |entry: &milena_broker::Entry| matches!(&entry.event, Event::Request { request, .. } if request.api_key == PRODUCE);
    embedded.broker.history().wait_for(since, is_produce).await;

    let begin = Instant::now();
    let other = client.producer().start().unwrap();
    write(&other, 0).await;
    write(&other, 1).await;
    client.admin().list_topics().await.unwrap();
    let transaction = transactional.begin().await.unwrap();
    transaction.send(Record::to("t").value(b"v")).await.unwrap();
    transaction.commit().await.unwrap();
    let ends = idle.end_offsets(&[partition]).await.all().unwrap();
    assert_eq!(ends.len(), 1);
    assert!(
        begin.elapsed() < Duration::from_secs(1),
        "{:?}",
        begin.elapsed()
    );

    held.release();
    waiting.await.unwrap();
}

/// D-7: whether the port refuses, or a load balancer responds there while the broker is away.
#[tokio::test(start_paused = true)]
async fn a_consumer_survives_the_restart_of_its_only_broker() {
    let embedded = Embedded::start(Broker::builder().topic("t", PARTITIONS)).await;
    let counted = Counted::new(&embedded);
    let client = counted.client(|config| config).await;
    let producer = client.producer().start().unwrap();
    let mut consumer = reader(&client).await;
    for is_replaced in [false, true] {
        write(&producer, 0).await;
        assert_eq!(consumer.poll(PATIENCE).await.unwrap().len(), 1);
        counted.is_replaced.store(is_replaced, Ordering::SeqCst);
        embedded.broker.stop_broker(1).await.unwrap();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(10) {
            let records = consumer.poll(Duration::from_secs(1)).await.unwrap();
            assert!(records.is_empty());
        }
        embedded.broker.restart_broker(1).await.unwrap();
        counted.is_replaced.store(false, Ordering::SeqCst);
        write(&producer, 1).await;
        assert_eq!(consumer.poll(PATIENCE).await.unwrap().len(), 1);
    }
}
