//! The connections of the virtual brokers: frames in, answers out, one request at a time as Kafka does.

use crate::cluster::nodes::{Condition, ListenerIndex};
use crate::faults::{Facts, Fault, Loss, Plan, Then};
use crate::handlers::{self, Call, Context, Reply};
use crate::history::{Event, RequestRef};
use crate::shared::Shared;
use bytes::Bytes;
use milena_codec::header::{put_response_header, take_request_header};
use milena_codec::message::Request;
use milena_codec::{ApiKey, DecodeError, EncodeError, FrameDecoder, FrameError, RequestHeader};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;

const API_VERSIONS: i16 = <kafka_protocol::messages::ApiVersionsRequest as Request>::KEY;

/// Why a connection ends from our side.
#[derive(Debug, thiserror::Error)]
enum ConnectionError {
    #[error("the request cannot be read")]
    Decode(#[from] DecodeError),
    #[error("the response cannot be written")]
    Encode(#[from] EncodeError),
    #[error("the bytes are no request")]
    Frame(#[from] FrameError),
    #[error("the connection failed")]
    Io(#[from] io::Error),
    #[error("{} (API {api_key}) version {api_version} is not served", ApiKey::from(*api_key).name())]
    Unserved { api_key: i16, api_version: i16 },
    #[error("{0}")]
    NoResponse(String),
}

/// What is to be done with the connection after a request.
enum Next {
    /// Send these frames and go on.
    Answer(Vec<u8>),
    /// Go on without an answer.
    Nothing,
    /// Send these bytes and close.
    AnswerAndClose(Vec<u8>),
    Close,
    /// Stay open and do nothing any more.
    Mute,
}

impl Next {
    fn map_answer(self, change: impl FnOnce(Vec<u8>) -> Self) -> Self {
        if let Self::Answer(bytes) = self {
            change(bytes)
        } else {
            self
        }
    }
}

/// One connection's own.
#[derive(Clone)]
struct Connection {
    shared: Arc<Shared>,
    broker_id: i32,
    listener: ListenerIndex,
    connection_id: u64,
    client_host: Arc<str>,
}

/// Serves one client until it leaves or does something that cannot be answered.
pub(crate) async fn serve<S>(
    shared: Arc<Shared>,
    broker_id: i32,
    listener: ListenerIndex,
    client_host: Arc<str>,
    stream: S,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let connection = Connection {
        connection_id: shared.next_connection_id(),
        shared,
        broker_id,
        listener,
        client_host,
    };
    if let Err(error) = connection.run(stream).await {
        connection.log(&error);
    }
}

impl Connection {
    fn log(&self, error: &ConnectionError) {
        use std::error::Error;
        let mut causes = String::new();
        let mut cause = error.source();
        while let Some(error) = cause {
            causes.push_str(": ");
            causes.push_str(&error.to_string());
            cause = error.source();
        }
        let (broker_id, client) = (self.broker_id, &self.client_host);
        match error {
            // Clients come and go, and one that produces with acks=0 learns of an error by losing its connection.
            ConnectionError::Io(_) | ConnectionError::NoResponse(_) => {
                tracing::debug!(broker_id, %client, "connection closed: {error}{causes}");
            }
            // The client is at fault, or newer than this broker.
            ConnectionError::Decode(_)
            | ConnectionError::Frame(_)
            | ConnectionError::Unserved { .. } => {
                tracing::warn!(broker_id, %client, "connection closed: {error}{causes}");
            }
            ConnectionError::Encode(_) => {
                tracing::error!(broker_id, %client, "connection closed: {error}{causes}");
            }
        }
    }

    async fn run<S>(&self, mut stream: S) -> Result<(), ConnectionError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let mut decoder = FrameDecoder::new(self.shared.limits.frame_bytes);
        loop {
            while let Some(frame) = decoder.next_frame()? {
                match self.answer(frame, &mut stream, &mut decoder).await? {
                    Next::Answer(bytes) => stream.write_all(&bytes).await?,
                    Next::Nothing => {}
                    Next::AnswerAndClose(bytes) => {
                        stream.write_all(&bytes).await?;
                        stream.shutdown().await?;
                        return Ok(());
                    }
                    Next::Close => return Ok(()),
                    Next::Mute => return drain(&mut stream).await,
                }
            }
            if stream.read_buf(decoder.buffer_mut()).await? == 0 {
                return Ok(());
            }
        }
    }

    /// Reads a request, does what it asks or what the script wants, and says how to go on.
    async fn answer<S>(
        &self,
        mut frame: Bytes,
        stream: &mut S,
        decoder: &mut FrameDecoder,
    ) -> Result<Next, ConnectionError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let header = take_request_header(&mut frame, &self.shared.limits)?;
        self.while_paused().await;
        let client_id: Option<Arc<str>> = header.client_id.as_deref().map(Arc::from);
        let request = RequestRef {
            broker_id: self.broker_id,
            connection_id: self.connection_id,
            client_id: client_id.clone(),
            api_key: header.api_key,
            api_version: header.api_version,
            correlation_id: header.correlation_id,
        };
        let body = self.shared.history.keeps_bodies().then(|| frame.clone());
        self.note(Event::Request {
            request: request.clone(),
            body,
        });
        if !self.serves(&header) {
            return self.unserved(&header);
        }
        let call = handlers::read(header.api_key, header.api_version, frame, &self.shared)?;
        let plan = self.plan(&header, &request, call.as_ref());
        let exchange = Exchange {
            connection: self.clone(),
            header,
            request,
            context: Context {
                shared: Arc::clone(&self.shared),
                broker_id: self.broker_id,
                listener: self.listener,
                api_version: 0,
                client_id,
                client_host: Arc::clone(&self.client_host),
                injected: plan.injected,
            },
        };
        exchange.carry_out(call, plan.step, stream, decoder).await
    }

    fn serves(&self, header: &RequestHeader) -> bool {
        let versions = self.shared.versions.of(self.broker_id, header.api_key);
        versions.is_some_and(|versions| versions.contains(&header.api_version))
    }

    fn unserved(&self, header: &RequestHeader) -> Result<Next, ConnectionError> {
        if header.api_key != API_VERSIONS {
            return Err(ConnectionError::Unserved {
                api_key: header.api_key,
                api_version: header.api_version,
            });
        }
        let body = handlers::unsupported_version()?;
        Ok(Next::Answer(answer_frame(header, &body)?))
    }

    fn plan(&self, header: &RequestHeader, request: &RequestRef, call: &dyn Call) -> Plan {
        if !self.shared.faults.any() {
            return Plan::default();
        }
        let mut subject = call.subject();
        self.shared
            .with(|cluster, _| subject.resolve(cluster, self.broker_id));
        let facts = Facts {
            api_key: header.api_key,
            broker_id: self.broker_id,
            client_id: header.client_id.as_deref(),
            subject: &subject,
        };
        let plan = self.shared.faults.plan(&facts, call);
        for what in &plan.described {
            self.note(Event::Fault {
                request: request.clone(),
                what: what.clone(),
            });
        }
        plan
    }

    fn note(&self, event: Event) {
        self.shared.history.record(self.shared.clock.now(), event);
    }

    /// Waits for as long as the broker is paused.
    async fn while_paused(&self) {
        loop {
            // Before the look, so that no change falls between.
            let change = self.shared.condition_change();
            let paused = self.shared.with(|cluster, _| {
                let node = cluster.node(self.broker_id);
                node.is_some_and(|node| node.condition == Condition::Paused)
            });
            if !paused {
                return;
            }
            change.await;
        }
    }
}

/// A request on its way to its answer.
#[derive(Clone)]
struct Exchange {
    connection: Connection,
    header: RequestHeader,
    request: RequestRef,
    context: Context,
}

impl Exchange {
    async fn carry_out<S>(
        mut self,
        call: Box<dyn Call>,
        step: Option<(Then, Fault)>,
        stream: &mut S,
        decoder: &mut FrameDecoder,
    ) -> Result<Next, ConnectionError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        self.context.api_version = self.header.api_version;
        let Some((then, fault)) = step else {
            return self.apply(call).await;
        };
        let clock = Arc::clone(&self.connection.shared.clock);
        match then {
            Then::Answer(code) => {
                let body = call.refuse(self.header.api_version, code)?;
                Ok(Next::Answer(self.frame(&body)?))
            }
            Then::AnswerBytes(body) => Ok(Next::Answer(self.frame(&body)?)),
            Then::AnswerTwice => {
                let next = self.apply(call).await?;
                Ok(next.map_answer(|bytes| Next::Answer(bytes.repeat(2))))
            }
            Then::CutAnswer { after } => {
                let next = self.apply(call).await?;
                Ok(next.map_answer(|mut bytes| {
                    bytes.truncate(after);
                    Next::AnswerAndClose(bytes)
                }))
            }
            Then::DelayAnswer(delay) => {
                let next = self.apply(call).await?;
                clock.sleep(delay).await;
                Ok(next)
            }
            Then::DelayRequest(delay) => {
                clock.sleep(delay).await;
                self.apply(call).await
            }
            Then::Hold => self.hold(call, fault, stream, decoder).await,
            Then::LoseAnswer(loss) => {
                self.apply(call).await?;
                Ok(lost(loss))
            }
            Then::LoseRequest(loss) => Ok(lost(loss)),
        }
    }

    async fn apply(&self, call: Box<dyn Call>) -> Result<Next, ConnectionError> {
        let reply = call.apply(&self.context).await?;
        // A broker that was paused meanwhile answers when it goes on.
        self.connection.while_paused().await;
        match reply {
            Reply::Answer(body) => Ok(Next::Answer(self.frame(&body)?)),
            Reply::Silence => Ok(Next::Nothing),
            Reply::Close(reason) => Err(ConnectionError::NoResponse(reason)),
        }
    }

    fn frame(&self, body: &[u8]) -> Result<Vec<u8>, ConnectionError> {
        let kept = self.connection.shared.history.keeps_bodies();
        self.connection.note(Event::Answer {
            request: self.request.clone(),
            body: kept.then(|| Bytes::copy_from_slice(body)),
        });
        Ok(answer_frame(&self.header, body)?)
    }

    /// Keeps the request until it is released; then it is done even if the client has gone.
    async fn hold<S>(
        self,
        call: Box<dyn Call>,
        fault: Fault,
        stream: &mut S,
        decoder: &mut FrameDecoder,
    ) -> Result<Next, ConnectionError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let (sender, mut answer) = oneshot::channel();
        let shared = Arc::clone(&self.connection.shared);
        shared.spawn(async move {
            fault.wait_for_release().await;
            // Nobody may be left to hear of it.
            let _ = sender.send(self.apply(call).await);
        });
        /// How much a client may send ahead while its request is held.
        const AHEAD_BYTES: usize = 1 << 20;
        loop {
            let hears = decoder.buffered() < AHEAD_BYTES;
            tokio::select! {
                biased;
                next = &mut answer => return next.unwrap_or(Ok(Next::Close)),
                read = stream.read_buf(decoder.buffer_mut()), if hears => {
                    if read? == 0 {
                        return Ok(Next::Close);
                    }
                }
            }
        }
    }
}

fn lost(loss: Loss) -> Next {
    match loss {
        Loss::Disconnect => Next::Close,
        Loss::Silence => Next::Mute,
    }
}

fn answer_frame(header: &RequestHeader, body: &[u8]) -> Result<Vec<u8>, EncodeError> {
    const LENGTH_BYTES: usize = 4;
    let mut frame = Vec::with_capacity(LENGTH_BYTES + 5 + body.len());
    frame.extend_from_slice(&[0; LENGTH_BYTES]);
    put_response_header(
        &mut frame,
        header.api_key,
        header.api_version,
        header.correlation_id,
    )?;
    frame.extend_from_slice(body);
    let length = i32::try_from(frame.len() - LENGTH_BYTES).map_err(|_| EncodeError::TooLong {
        field: "frame",
        length: frame.len(),
        limit: i32::MAX.unsigned_abs() as usize,
    })?;
    if let Some(head) = frame.first_chunk_mut() {
        *head = length.to_be_bytes();
    }
    Ok(frame)
}

/// Reads and forgets until the client closes.
async fn drain<S: AsyncRead + Unpin>(stream: &mut S) -> Result<(), ConnectionError> {
    let mut forgotten = [0; 1024];
    while stream.read(&mut forgotten).await? > 0 {}
    Ok(())
}
