//! Every fault, on a broker that only says a request's own bytes back.

use super::*;
use crate::port::Port;
use bytes::{Bytes, BytesMut};
use std::io::{Read as _, Write as _};

const SOON: Duration = Duration::from_secs(10);
const PRODUCE: ApiKey = ApiKey::Produce;

/// A broker that answers each request with the correlation id and the whole request, and keeps count.
struct Echo {
    requests: Arc<Mutex<Vec<Bytes>>>,
    proxy: Proxy,
    _port: Port,
}

impl Echo {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = Port::claim().unwrap();
        let route = Route {
            broker_id: 1,
            broker: listener.local_addr().unwrap().port(),
            proxy: port.number(),
        };
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        // Ends with the test process; the listener is this thread's own.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                std::thread::spawn(move || echo(stream, &log));
            }
        });
        Self {
            requests,
            proxy: Proxy::start(vec![route]).unwrap(),
            _port: port,
        }
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(&self.proxy.bootstrap()[0]).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        Client { stream, next: 0 }
    }

    fn carried_out(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn echo(mut stream: TcpStream, log: &Mutex<Vec<Bytes>>) {
    while let Ok(frame) = read(&mut stream) {
        log.lock().unwrap().push(frame.clone());
        let mut answer = BytesMut::from(&frame[4..8]);
        answer.extend_from_slice(&frame);
        if write(&mut stream, &answer).is_err() {
            return;
        }
    }
}

struct Client {
    stream: TcpStream,
    next: i32,
}

impl Client {
    fn send(&mut self) -> i32 {
        self.next += 1;
        let mut frame = vec![0, 0, 0, 9];
        frame.extend_from_slice(&self.next.to_be_bytes());
        // A write to a connection that was cut may or may not fail.
        let _ = write(&mut self.stream, &frame);
        self.next
    }

    fn answer(&mut self) -> std::io::Result<i32> {
        let frame = read(&mut self.stream)?;
        Ok(i32::from_be_bytes(frame[..4].try_into().unwrap()))
    }

    fn call(&mut self) -> std::io::Result<()> {
        let id = self.send();
        assert_eq!(self.answer()?, id);
        Ok(())
    }
}

fn read(stream: &mut TcpStream) -> std::io::Result<Bytes> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame)?;
    Ok(frame.into())
}

fn write(stream: &mut TcpStream, frame: &[u8]) -> std::io::Result<()> {
    let mut bytes = u32::try_from(frame.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(frame);
    stream.write_all(&bytes)
}

#[test]
fn without_rules_everything_passes() {
    let echo = Echo::start();
    let mut client = echo.connect();
    for _ in 0..100 {
        client.call().unwrap();
    }
    // An answer is counted once it is passed on: the last one may be with the client before.
    echo.proxy
        .wait_for(SOON, |seen| seen.answers(PRODUCE) == 100);
    let seen = echo.proxy.seen();
    assert_eq!((seen.requests(PRODUCE), seen.answers(PRODUCE)), (100, 100));
    assert_eq!(seen.connections(), 1);
}

#[test]
fn a_lost_answer_was_carried_out_and_a_lost_request_was_not() {
    for (fault, carried_out) in [(Fault::LoseAnswer, 2), (Fault::LoseRequest, 1)] {
        let echo = Echo::start();
        echo.proxy.add(Rule::on(PRODUCE).skip(1), fault);
        let mut client = echo.connect();
        client.call().unwrap();
        client.call().unwrap_err();
        assert_eq!(echo.carried_out(), carried_out, "{fault:?}");
        assert_eq!(echo.proxy.seen().faults(fault), 1);
        echo.connect().call().unwrap();
    }
}

#[test]
fn a_cut_frame_ends_in_the_middle() {
    let echo = Echo::start();
    echo.proxy.add(Rule::any(), Fault::CutAnswer { after: 7 });
    let mut client = echo.connect();
    client.send();
    let mut got = Vec::new();
    client.stream.read_to_end(&mut got).unwrap();
    assert_eq!(got, [0, 0, 0, 12, 0, 0, 0]);
    echo.proxy.add(Rule::any(), Fault::CutRequest { after: 7 });
    echo.connect().call().unwrap_err();
    assert_eq!(echo.carried_out(), 1);
}

#[test]
fn a_delay_delays() {
    let delay = Duration::from_millis(30);
    for fault in [Fault::DelayRequest(delay), Fault::DelayAnswer(delay)] {
        let echo = Echo::start();
        echo.proxy.add(Rule::any(), fault);
        let start = Instant::now();
        echo.connect().call().unwrap();
        assert!(start.elapsed() >= delay);
    }
}

#[test]
fn a_black_hole_swallows_and_stays_open() {
    let echo = Echo::start();
    echo.proxy.add(Rule::any().skip(1), Fault::BlackHole);
    let mut client = echo.connect();
    client.call().unwrap();
    client.send();
    client.send();
    echo.proxy
        .wait_for(SOON, |seen| seen.faults(Fault::BlackHole) == 1);
    let impatient = Some(Duration::from_millis(50));
    client.stream.set_read_timeout(impatient).unwrap();
    let error = client.answer().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(echo.carried_out(), 1);
}

#[test]
fn a_held_request_reaches_the_broker_when_it_is_released() {
    let echo = Echo::start();
    echo.proxy.add(Rule::any(), Fault::Hold);
    echo.connect().call().unwrap_err();
    let held = echo.proxy.held(SOON);
    assert_eq!(echo.carried_out(), 0);
    assert_eq!(held.request().correlation_id, 1);
    let answer = held.release().unwrap();
    assert_eq!(&answer[..4], [0, 0, 0, 1]);
    assert_eq!(echo.carried_out(), 1);
}

#[test]
fn a_late_request_is_carried_out_after_its_connection_was_cut() {
    let echo = Echo::start();
    let after = Duration::from_millis(20);
    echo.proxy.add(Rule::any(), Fault::LateRequest { after });
    echo.connect().call().unwrap_err();
    echo.proxy.wait_for(SOON, |seen| seen.replay_answers() == 1);
    assert_eq!(echo.carried_out(), 1);
    let named = echo.proxy.seen().faults_by_name();
    assert_eq!(named, [("request late", 1)].into());
}

#[test]
fn a_replayed_request_is_carried_out_twice_and_answered_once() {
    let echo = Echo::start();
    let after = Duration::ZERO;
    echo.proxy.add(Rule::any(), Fault::Replay { after });
    let mut client = echo.connect();
    client.call().unwrap();
    echo.proxy.wait_for(SOON, |seen| seen.replay_answers() == 1);
    client.call().unwrap();
    assert_eq!(echo.carried_out(), 3);
}

#[test]
fn a_paused_network_loses_nothing() {
    let echo = Echo::start();
    let mut client = echo.connect();
    client.call().unwrap();
    echo.proxy.pause(true);
    let id = client.send();
    let impatient = Some(Duration::from_millis(50));
    client.stream.set_read_timeout(impatient).unwrap();
    client.answer().unwrap_err();
    echo.proxy.pause(false);
    client.stream.set_read_timeout(Some(SOON)).unwrap();
    assert_eq!(client.answer().unwrap(), id);
}

#[test]
fn connections_can_be_cut_and_turned_away() {
    let echo = Echo::start();
    let mut client = echo.connect();
    client.call().unwrap();
    echo.proxy.turn_away(true);
    echo.proxy.cut_all();
    client.call().unwrap_err();
    echo.connect().call().unwrap_err();
    echo.proxy.turn_away(false);
    echo.connect().call().unwrap();
}

#[test]
fn a_rate_limit_takes_its_time() {
    let echo = Echo::start();
    echo.proxy.limit_rate(Some(200));
    let start = Instant::now();
    echo.connect().call().unwrap();
    // 8 bytes there and 12 back at 200 bytes per second.
    assert!(start.elapsed() >= Duration::from_millis(100));
}

#[test]
fn requests_are_recorded_on_demand() {
    let echo = Echo::start();
    echo.proxy.record(PRODUCE);
    echo.connect().call().unwrap();
    let recorded = echo.proxy.recorded();
    assert_eq!(recorded.len(), 1);
    assert_eq!((recorded[0].api_key, recorded[0].api_version), (0, 9));
    assert_eq!(recorded[0].frame.len(), 8);
}
