//! A client of bare requests, which knows nothing but frames.

use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, EndTxnRequest, EndTxnResponse, FetchRequest, InitProducerIdRequest,
    ProduceRequest, ProducerId, TopicName, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use milena_broker::{Broker, ErrorCode};
use milena_codec::header::{put_request_header, take_response_header};
use milena_codec::message::{Request, decode_response, encode_request};
use milena_codec::{
    BatchBuilder, BatchStamp, Compression, FrameDecoder, Limits, ProducerEpoch, ProducerIdentity,
    RecordToWrite, Sequence,
};
use std::io;
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy_bidirectional, duplex};
use tokio::net::TcpStream;

pub(crate) struct Raw {
    stream: DuplexStream,
    decoder: FrameDecoder,
    next_correlation_id: i32,
    client_id: String,
}

impl Raw {
    /// A connection to the first broker.
    pub(crate) fn connect(broker: &Broker) -> Self {
        Self::connect_to(broker, 1)
    }

    pub(crate) fn connect_to(broker: &Broker, broker_id: i32) -> Self {
        Self::try_connect(broker, broker_id).expect("the broker accepts")
    }

    pub(crate) fn try_connect(broker: &Broker, broker_id: i32) -> io::Result<Self> {
        let addresses = broker.addresses();
        let nth = usize::try_from(broker_id - 1).expect("ids begin at 1");
        let (host, port) = addresses[nth].rsplit_once(':').expect("host:port");
        let port = port.parse().expect("a port");
        Ok(Self::over(broker.connect(host, port)?))
    }

    /// A connection to a port of this machine.
    pub(crate) async fn connect_to_port(port: u16) -> Self {
        let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
        let (ours, mut theirs) = duplex(1 << 16);
        tokio::spawn(async move { copy_bidirectional(&mut tcp, &mut theirs).await });
        Self::over(ours)
    }

    fn over(stream: DuplexStream) -> Self {
        Self {
            stream,
            decoder: FrameDecoder::new(100 << 20),
            next_correlation_id: 1,
            client_id: "raw".to_owned(),
        }
    }

    pub(crate) fn named(self, client_id: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            ..self
        }
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream
            .write_all(bytes)
            .await
            .expect("the broker reads");
    }

    pub(crate) async fn send<R: Request>(&mut self, api_version: i16, request: &R) -> i32 {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id += 1;
        let mut frame = vec![0; 4];
        let client_id = Some(self.client_id.as_str());
        put_request_header(&mut frame, R::KEY, api_version, correlation_id, client_id).unwrap();
        encode_request(&mut frame, request, api_version).unwrap();
        let length = u32::try_from(frame.len() - 4).unwrap();
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.send_bytes(&frame).await;
        correlation_id
    }

    /// The next frame, `None` when the broker has closed the connection.
    pub(crate) async fn receive(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.decoder.next_frame().expect("a frame") {
                return Some(frame);
            }
            let read = self.stream.read_buf(self.decoder.buffer_mut()).await;
            if !matches!(read, Ok(1..)) {
                return None;
            }
        }
    }

    /// Bytes that came and are no whole frame.
    pub(crate) fn left_over(&self) -> usize {
        self.decoder.buffered()
    }

    pub(crate) async fn answer<R: Request>(
        &mut self,
        api_version: i16,
        correlation_id: i32,
    ) -> Option<R::Response> {
        let limits = Limits::default();
        let mut frame = self.receive().await?;
        let answered = take_response_header(&mut frame, R::KEY, api_version, &limits).unwrap();
        assert_eq!(answered, correlation_id);
        Some(decode_response::<R>(frame, api_version, &limits).unwrap())
    }

    pub(crate) async fn call<R: Request>(&mut self, api_version: i16, request: &R) -> R::Response {
        let correlation_id = self.send(api_version, request).await;
        let answer = self.answer::<R>(api_version, correlation_id).await;
        answer.expect("the broker answers")
    }

    pub(crate) async fn init(
        &mut self,
        transactional_id: &str,
    ) -> Result<ProducerIdentity, ErrorCode> {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(text(transactional_id))))
            .with_transaction_timeout_ms(60_000)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let answer = self.call(5, &request).await;
        let identity = ProducerIdentity::new(
            milena_codec::ProducerId(answer.producer_id.0),
            ProducerEpoch(answer.producer_epoch),
        );
        checked(answer.error_code).map(|()| identity)
    }

    pub(crate) async fn end(
        &mut self,
        transactional_id: &str,
        producer: ProducerIdentity,
        commit: bool,
    ) -> EndTxnResponse {
        self.call(5, &end(transactional_id, producer, commit)).await
    }

    /// Adds partition 0 of a topic to a transaction, as clients without `transaction.version` 2 do.
    pub(crate) async fn add_partition(
        &mut self,
        transactional_id: &str,
        producer: ProducerIdentity,
        topic: &str,
    ) {
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(vec![0]);
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(TransactionalId(text(transactional_id)))
            .with_v3_and_below_producer_id(ProducerId(producer.producer_id.0))
            .with_v3_and_below_producer_epoch(producer.producer_epoch.0)
            .with_v3_and_below_topics(vec![topic]);
        let answer = self.call(3, &request).await;
        let topic = &answer.results_by_topic_v3_and_below[0];
        assert_eq!(topic.results_by_partition[0].partition_error_code, 0);
    }

    pub(crate) async fn produce(&mut self, produce: &Produce<'_>) -> PartitionProduceResponse {
        self.produce_in(12, produce).await
    }

    pub(crate) async fn produce_in(
        &mut self,
        api_version: i16,
        produce: &Produce<'_>,
    ) -> PartitionProduceResponse {
        let answer = self.call(api_version, &produce.request()).await;
        answer.responses[0].partition_responses[0].clone()
    }

    /// Reads partition 0 of a topic from an offset on, without waiting.
    pub(crate) async fn fetch(
        &mut self,
        topic: &str,
        offset: i64,
        committed: bool,
    ) -> PartitionData {
        let answer = self.call(12, &fetch(topic, offset, committed, 0)).await;
        answer.responses[0].partitions[0].clone()
    }
}

pub(crate) fn fetch(topic: &str, offset: i64, committed: bool, max_wait_ms: i32) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_fetch_offset(offset)
        .with_current_leader_epoch(-1)
        .with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default()
        .with_topic(TopicName(text(topic)))
        .with_partitions(vec![partition]);
    FetchRequest::default()
        .with_max_wait_ms(max_wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_isolation_level(i8::from(committed))
        .with_topics(vec![topic])
}

pub(crate) fn end(
    transactional_id: &str,
    producer: ProducerIdentity,
    commit: bool,
) -> EndTxnRequest {
    EndTxnRequest::default()
        .with_transactional_id(TransactionalId(text(transactional_id)))
        .with_producer_id(ProducerId(producer.producer_id.0))
        .with_producer_epoch(producer.producer_epoch.0)
        .with_committed(commit)
}

/// The time of every record here, in milliseconds since 1970.
pub(crate) const TIMESTAMP: i64 = 1_700_000_000_000;

/// A Produce of one record to one partition.
#[derive(Clone, Copy)]
pub(crate) struct Produce<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) transactional_id: Option<&'a str>,
    pub(crate) producer: ProducerIdentity,
    pub(crate) sequence: i32,
    pub(crate) acks: i16,
    pub(crate) value: &'a [u8],
}

impl Default for Produce<'_> {
    fn default() -> Self {
        Self {
            topic: "t",
            partition: 0,
            transactional_id: None,
            producer: ProducerIdentity::NONE,
            sequence: -1,
            acks: -1,
            value: b"value",
        }
    }
}

impl Produce<'_> {
    pub(crate) fn request(&self) -> ProduceRequest {
        let mut builder = BatchBuilder::default();
        let record = RecordToWrite {
            timestamp: TIMESTAMP,
            key: None,
            value: Some(self.value),
            headers: &[],
        };
        builder.append(&record).unwrap();
        let batch = builder.close(Compression::None).unwrap();
        let records = batch.to_vec(&BatchStamp {
            producer: self.producer,
            base_sequence: Sequence(self.sequence),
            transactional: self.transactional_id.is_some(),
        });
        let partition = PartitionProduceData::default()
            .with_index(self.partition)
            .with_records(Some(records.into()));
        let topic = TopicProduceData::default()
            .with_name(TopicName(text(self.topic)))
            .with_partition_data(vec![partition]);
        ProduceRequest::default()
            .with_transactional_id(self.transactional_id.map(|id| TransactionalId(text(id))))
            .with_acks(self.acks)
            .with_timeout_ms(1_000)
            .with_topic_data(vec![topic])
    }
}

/// InitProducerId of a producer without transactions.
pub(crate) fn anonymous() -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(i32::MAX)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1)
}

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(crate) fn checked(code: i16) -> Result<(), ErrorCode> {
    let code = ErrorCode::from(code);
    if code.is_none() { Ok(()) } else { Err(code) }
}

pub(crate) async fn start() -> Broker {
    let broker = Broker::builder().topic("t", 4).in_memory().start().await;
    broker.expect("it starts")
}
