//! Bare requests, one at a time: a client that knows nothing but frames and messages.
//!
//! It shares the codec with milena and none of its decisions, so it can say what a broker answers and
//! what stands in a log where milena itself is under test.

mod coordinators;
mod topics;

pub(crate) use coordinators::settled;
pub use coordinators::{Coordinator, find_coordinator};
pub use topics::{Layout, create_topic, delete_topic};
pub(crate) use topics::{checked, connect_to_any};

use crate::Failure;
use bytes::Bytes;
use kafka_protocol::messages::TopicName;
use kafka_protocol::protocol::StrBytes;
use milena_codec::header::{put_request_header, take_response_header};
use milena_codec::message::{Request, decode_response, encode_request};
use milena_codec::{FrameDecoder, Limits};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long a broker may take to answer. A rebalance takes longest.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// A connection to one broker. Every method blocks.
#[derive(Debug)]
pub struct RawConnection {
    address: String,
    stream: TcpStream,
    decoder: FrameDecoder,
    limits: Limits,
    next_correlation_id: i32,
}

impl RawConnection {
    /// Connects to `host:port`.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`].
    pub fn connect(address: &str) -> Result<Self, Failure> {
        let doing = || format!("connecting to {address}");
        let stream = TcpStream::connect(address).map_err(Failure::io(doing()))?;
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(ANSWER_LIMIT)))
            .map_err(Failure::io(doing()))?;
        let limits = Limits::default();
        Ok(Self {
            address: address.to_owned(),
            stream,
            decoder: FrameDecoder::new(limits.frame_bytes),
            limits,
            next_correlation_id: 0,
        })
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`]; [`Failure::Wire`] for what cannot be written or read.
    pub fn call<R: Request>(
        &mut self,
        api_version: i16,
        request: &R,
    ) -> Result<R::Response, Failure> {
        let correlation_id = self.send(api_version, request)?;
        self.receive::<R>(api_version, correlation_id)
    }

    fn send<R: Request>(&mut self, api_version: i16, request: &R) -> Result<i32, Failure> {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id = self.next_correlation_id.wrapping_add(1);
        let mut frame = vec![0; 4];
        put_request_header(&mut frame, R::KEY, api_version, correlation_id, Some("raw"))
            .and_then(|()| encode_request(&mut frame, request, api_version))
            .map_err(|error| self.wire::<R>(&error))?;
        let length = u32::try_from(frame.len() - 4).map_err(|error| self.wire::<R>(&error))?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        let doing = format!("sending to {}", self.address);
        self.stream.write_all(&frame).map_err(Failure::io(doing))?;
        Ok(correlation_id)
    }

    fn receive<R: Request>(
        &mut self,
        api_version: i16,
        correlation_id: i32,
    ) -> Result<R::Response, Failure> {
        let mut frame = self.next_frame::<R>()?;
        let answered = take_response_header(&mut frame, R::KEY, api_version, &self.limits)
            .map_err(|error| self.wire::<R>(&error))?;
        if answered != correlation_id {
            return Err(self.wire::<R>(&format!("answer {answered} to request {correlation_id}")));
        }
        decode_response::<R>(frame, api_version, &self.limits)
            .map_err(|error| self.wire::<R>(&error))
    }

    fn next_frame<R: Request>(&mut self) -> Result<Bytes, Failure> {
        let mut read = [0; 1 << 14];
        loop {
            if let Some(frame) = self
                .decoder
                .next_frame()
                .map_err(|error| self.wire::<R>(&error))?
            {
                return Ok(frame);
            }
            let doing = || format!("reading from {}", self.address);
            let count = self.stream.read(&mut read).map_err(Failure::io(doing()))?;
            if count == 0 {
                return Err(self.wire::<R>(&"the broker closed the connection"));
            }
            self.decoder.buffer_mut().extend_from_slice(&read[..count]);
        }
    }

    fn wire<R: Request>(&self, reason: &dyn std::fmt::Display) -> Failure {
        Failure::Wire {
            api_key: R::KEY,
            address: self.address.clone(),
            reason: reason.to_string(),
        }
    }
}

/// Text as messages hold it.
#[must_use]
pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// A topic's name as messages hold it.
#[must_use]
pub fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}
