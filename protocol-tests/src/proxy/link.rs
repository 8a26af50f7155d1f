//! One client connection through a proxy, and its twin to the broker.

use super::rule::Fault;
use super::seen::{Held, Recorded, Shared};
use bytes::{Buf as _, Bytes};
use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// No frame is larger than this: Kafka's own limit is 100 MiB.
const FRAME_LIMIT: usize = 128 << 20;

/// How long a broker may take to answer a request that a proxy sends by itself.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// A connection while it is open.
struct Link {
    number: u64,
    broker_id: i32,
    broker: SocketAddr,
    shared: Arc<Shared>,
    /// Requests on their way, by correlation id.
    unanswered: Mutex<HashMap<i32, Unanswered>>,
    /// Whether everything is swallowed from now on.
    swallows: AtomicBool,
}

/// A request whose answer is to come.
struct Unanswered {
    request: Recorded,
    fault: Option<Fault>,
}

/// Whether a connection lives on.
enum Fate {
    Cut,
    GoOn,
}

/// Passes frames between `client` and the broker until either ends or a fault cuts them.
pub(super) fn serve(client: TcpStream, broker_id: i32, broker: SocketAddr, shared: &Arc<Shared>) {
    let connect = || -> io::Result<_> {
        let upstream = TcpStream::connect(broker)?;
        for end in [&client, &upstream] {
            end.set_nodelay(true)?;
        }
        let ends = [client.try_clone()?, upstream.try_clone()?];
        let answers = (upstream.try_clone()?, client.try_clone()?);
        Ok((upstream, ends, answers))
    };
    // A broker that is down looks like a connection that ends at once.
    let Ok((upstream, ends, (from_broker, to_client))) = connect() else {
        return;
    };
    let Some(number) = shared.opened(ends) else {
        return;
    };
    let link = Arc::new(Link {
        number,
        broker_id,
        broker,
        shared: Arc::clone(shared),
        unanswered: Mutex::default(),
        swallows: AtomicBool::new(false),
    });
    let answering = Arc::clone(&link);
    std::thread::spawn(move || {
        answering.pass_answers(from_broker, to_client);
        answering.shared.cut(answering.number);
    });
    link.pass_requests(client, upstream);
    shared.cut(number);
}

impl Link {
    fn pass_requests(&self, mut client: TcpStream, mut upstream: TcpStream) {
        while let Ok(frame) = read_frame(&mut client) {
            self.shared.pass(frame.len());
            if self.swallows.load(Ordering::Relaxed) {
                continue;
            }
            let Some(request) = self.recognise(frame) else {
                return;
            };
            let fault = self.shared.judge(&request);
            match self.pass_request(request, fault, &mut upstream) {
                Ok(Fate::GoOn) => {}
                Ok(Fate::Cut) | Err(_) => return,
            }
        }
    }

    /// Reads the fixed start of a request header; none if the frame is too short for one.
    fn recognise(&self, frame: Bytes) -> Option<Recorded> {
        let mut header = frame.get(..8)?;
        Some(Recorded {
            broker: self.broker_id,
            connection: self.number,
            api_key: header.get_i16(),
            api_version: header.get_i16(),
            correlation_id: header.get_i32(),
            frame,
        })
    }

    fn pass_request(
        &self,
        request: Recorded,
        fault: Option<Fault>,
        upstream: &mut TcpStream,
    ) -> io::Result<Fate> {
        match fault {
            Some(fault @ Fault::BlackHole) => {
                self.swallows.store(true, Ordering::Relaxed);
                self.shared.count_fault(fault);
                return Ok(Fate::GoOn);
            }
            Some(fault @ Fault::LoseRequest) => {
                self.shared.count_fault(fault);
                return Ok(Fate::Cut);
            }
            Some(fault @ Fault::CutRequest { after }) => {
                write_part(upstream, &request.frame, after)?;
                self.shared.count_fault(fault);
                return Ok(Fate::Cut);
            }
            Some(fault @ Fault::Hold) => {
                self.shared.hold(Held {
                    request,
                    broker: self.broker,
                });
                self.shared.count_fault(fault);
                return Ok(Fate::Cut);
            }
            Some(fault @ Fault::LateRequest { after }) => {
                self.shared.count_fault(fault);
                self.replay(request, after);
                return Ok(Fate::Cut);
            }
            Some(fault @ Fault::DelayRequest(delay)) => {
                self.shared.delay(delay);
                self.shared.count_fault(fault);
            }
            // These befall the answer.
            Some(
                Fault::CutAnswer { .. }
                | Fault::DelayAnswer(_)
                | Fault::LoseAnswer
                | Fault::Replay { .. },
            )
            | None => {}
        }
        let frame = request.frame.clone();
        // Before it is sent, or the answer might come first.
        self.unanswered()
            .insert(request.correlation_id, Unanswered { request, fault });
        write_frame(upstream, &frame)?;
        Ok(Fate::GoOn)
    }

    fn pass_answers(&self, mut upstream: TcpStream, mut client: TcpStream) {
        while let Ok(frame) = read_frame(&mut upstream) {
            self.shared.pass(frame.len());
            if self.swallows.load(Ordering::Relaxed) {
                continue;
            }
            match self.pass_answer(&frame, &mut client) {
                Ok(Fate::GoOn) => {}
                Ok(Fate::Cut) | Err(_) => return,
            }
        }
    }

    fn pass_answer(&self, frame: &Bytes, client: &mut TcpStream) -> io::Result<Fate> {
        let correlation_id = frame.get(..4).map_or(-1, |mut id| id.get_i32());
        let unanswered = self.unanswered().remove(&correlation_id);
        let fault = unanswered.as_ref().and_then(|waiting| waiting.fault);
        match fault {
            Some(fault @ Fault::LoseAnswer) => {
                self.shared.count_fault(fault);
                return Ok(Fate::Cut);
            }
            Some(fault @ Fault::CutAnswer { after }) => {
                write_part(client, frame, after)?;
                self.shared.count_fault(fault);
                return Ok(Fate::Cut);
            }
            Some(fault @ Fault::DelayAnswer(delay)) => {
                self.shared.delay(delay);
                self.shared.count_fault(fault);
            }
            // These have befallen the request, or come after the answer.
            Some(
                Fault::BlackHole
                | Fault::CutRequest { .. }
                | Fault::DelayRequest(_)
                | Fault::Hold
                | Fault::LateRequest { .. }
                | Fault::LoseRequest
                | Fault::Replay { .. },
            )
            | None => {}
        }
        write_frame(client, frame)?;
        if let Some(waiting) = unanswered {
            self.shared.count_answer(waiting.request.api_key);
            if let Some(fault @ Fault::Replay { after }) = fault {
                self.shared.count_fault(fault);
                self.replay(waiting.request, after);
            }
        }
        Ok(Fate::GoOn)
    }

    fn replay(&self, request: Recorded, after: Duration) {
        let shared = Arc::clone(&self.shared);
        let broker = self.broker;
        std::thread::spawn(move || {
            shared.delay(after);
            if !shared.is_closed() && ask(broker, &request.frame).is_ok() {
                shared.with_seen(|seen| seen.replay_answers += 1);
            }
        });
    }

    fn unanswered(&self) -> MutexGuard<'_, HashMap<i32, Unanswered>> {
        self.unanswered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a request on a connection of its own and gives the answer.
pub(super) fn ask(broker: SocketAddr, frame: &Bytes) -> io::Result<Bytes> {
    let mut stream = TcpStream::connect(broker)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    write_frame(&mut stream, frame)?;
    read_frame(&mut stream)
}

fn read_frame(stream: &mut TcpStream) -> io::Result<Bytes> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix)?;
    let length = usize::try_from(i32::from_be_bytes(prefix))
        .ok()
        .filter(|length| *length <= FRAME_LIMIT)
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame)?;
    Ok(frame.into())
}

fn write_frame(stream: &mut TcpStream, frame: &Bytes) -> io::Result<()> {
    write_part(stream, frame, usize::MAX)
}

/// Writes the first `limit` bytes of a frame, its length prefix included.
fn write_part(stream: &mut TcpStream, frame: &Bytes, limit: usize) -> io::Result<()> {
    let length = i32::try_from(frame.len()).map_err(io::Error::other)?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend_from_slice(frame);
    bytes.truncate(limit);
    stream.write_all(&bytes)
}
