//! The task of one connection: it owns the transport, and moves bytes when they can move.
//!
//! One future polls both directions, so no lock and no second task stands between them. Each turn
//! takes every queued request, writes them with one vectored write, and reads whatever is there
//! straight into the frame buffer.

use super::connection::{RawRequest, Shared};
use super::handshake::Progress;
use super::machine::{Fate, Link, Submission};
use super::outbox::Outbox;
use crate::clock;
use crate::config::ConnectionConfig;
use crate::error::CloseReason;
use crate::transport::BoxTransport;
use bytes::Bytes;
use milena_codec::frame::{FrameDecoder, FrameError};
use milena_codec::header::{put_request_header, response_correlation_id, take_response_header};
use milena_codec::{ApiKey, DecodeError, EncodeError, Limits};
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Sleep;

/// What a handle tells the driver.
#[derive(Debug)]
pub(super) enum Command {
    Submit(Submit),
    /// End the connection now.
    Release,
}

#[derive(Debug)]
pub(super) struct Submit {
    pub(super) request: RawRequest,
    pub(super) started: Instant,
    pub(super) reply: oneshot::Sender<Reply>,
}

pub(super) type Reply = Result<Bytes, Failure>;

/// Why there is no answer; [`super::ResponseFuture`] adds what it is about.
#[derive(Debug)]
pub(super) enum Failure {
    Ambiguous {
        reason: CloseReason,
        timed_out: bool,
    },
    Encode {
        source: Arc<EncodeError>,
    },
    Malformed {
        source: Arc<DecodeError>,
    },
    NotSent {
        reason: CloseReason,
        timed_out: bool,
    },
}

pub(super) struct Driver {
    transport: BoxTransport,
    commands: mpsc::UnboundedReceiver<Command>,
    shared: Arc<Shared>,
    link: Link<oneshot::Sender<Reply>>,
    outbox: Outbox,
    frames: FrameDecoder,
    client_id: String,
    limits: Limits,
    progress: Progress,
    /// Whether the transport may hold bytes back that were written to it.
    flush_due: bool,
    /// Whether no handle is left.
    released: bool,
    timer: Pin<Box<Sleep>>,
    timer_at: Option<Instant>,
}

impl Driver {
    pub(super) fn new(
        transport: BoxTransport,
        commands: mpsc::UnboundedReceiver<Command>,
        shared: Arc<Shared>,
        config: &ConnectionConfig,
    ) -> Self {
        Self {
            transport,
            commands,
            shared,
            link: Link::new(config.in_flight_requests_max),
            outbox: Outbox::default(),
            frames: FrameDecoder::new(config.limits.frame_bytes),
            client_id: config.client_id.clone(),
            limits: config.limits,
            progress: Progress::default(),
            flush_due: false,
            released: false,
            timer: Box::pin(tokio::time::sleep(config.request_timeout)),
            timer_at: None,
        }
    }

    /// Runs until the connection ends; then everything on it is resolved and `closing` says why.
    pub(super) async fn run(mut self, closing: watch::Sender<Option<CloseReason>>) {
        let reason = std::future::poll_fn(|cx| self.poll(cx)).await;
        tracing::info!(
            broker_id = self.shared.broker_id,
            address = %self.shared.address,
            connection_id = self.shared.connection_id,
            %reason,
            "connection closed"
        );
        self.commands.close();
        closing.send_replace(Some(reason.clone()));
        // The callers' buffers are released before the callers hear about it (P-44).
        self.outbox.clear();
        self.link.close(None);
        self.resolve_outcomes(&reason);
        while let Some(command) = self.commands.recv().await {
            if let Command::Submit(submit) = command {
                let failure = Failure::NotSent {
                    reason: reason.clone(),
                    timed_out: false,
                };
                self.resolve(submit.reply, Err(failure));
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        match self.poll_progress(cx) {
            Ok(()) => Poll::Pending,
            Err(reason) => Poll::Ready(reason),
        }
    }

    /// Does all that can be done now. The end of the connection comes as the error.
    fn poll_progress(&mut self, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        loop {
            self.poll_commands(cx)?;
            let wrote = self.poll_write(cx)?;
            let read = self.poll_read(cx)?;
            if self.released {
                self.poll_released(cx)?;
            }
            if !wrote && !read {
                break;
            }
        }
        self.poll_timer(cx)
    }

    fn poll_commands(&mut self, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        while !self.released
            && let Poll::Ready(command) = self.commands.poll_recv(cx)
        {
            match command {
                Some(Command::Submit(submit)) => self.accept(submit),
                Some(Command::Release) => return Err(CloseReason::Released),
                None => self.released = true,
            }
        }
        Ok(())
    }

    /// Queues a request behind those before it.
    fn accept(&mut self, submit: Submit) {
        let Submit {
            request,
            started,
            reply,
        } = submit;
        let correlation_id = self.link.next_correlation_id();
        let body_bytes: usize = request.body.iter().map(Bytes::len).sum();
        let mut frame_bytes = 0;
        let head = self.outbox.push_head(|out| {
            frame_bytes = put_head(out, &request, correlation_id, &self.client_id, body_bytes)?;
            Ok(())
        });
        if let Err(error) = head {
            self.resolve(
                reply,
                Err(Failure::Encode {
                    source: Arc::new(error),
                }),
            );
            return;
        }
        let submission = Submission {
            api_key: request.api_key,
            api_version: request.api_version,
            frame_bytes,
            deadline: clock::after(started, request.timeout),
            expects_answer: request.expects_response,
        };
        for part in request.body {
            self.outbox.push_body(part);
        }
        // The handles count what is inside before they submit, so there is always room here.
        if let Err(reply) = self.link.submit(submission, reply) {
            let reason = CloseReason::Released;
            self.resolve(
                reply,
                Err(Failure::NotSent {
                    reason,
                    timed_out: false,
                }),
            );
        }
    }

    /// Writes what is queued. Returns whether anything moved.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<bool, CloseReason> {
        let mut moved = false;
        while !self.outbox.is_empty() {
            let mut offered = 0;
            let transport = Pin::new(&mut self.transport);
            let write = self.outbox.with_slices(|slices| {
                offered = slices.iter().map(|slice| slice.len()).sum();
                transport.poll_write_vectored(cx, slices)
            });
            match write {
                Poll::Pending => return Ok(moved),
                Poll::Ready(Ok(0)) => {
                    let error = io::Error::from(io::ErrorKind::WriteZero);
                    return Err(CloseReason::Write {
                        source: Arc::new(error),
                    });
                }
                Poll::Ready(Ok(written)) => {
                    moved = true;
                    self.flush_due = true;
                    self.outbox.advance(written);
                    self.link.on_written(written);
                    while let Some((reply, _written)) = self.link.poll_outcome() {
                        self.resolve(reply, Ok(Bytes::new()));
                    }
                }
                Poll::Ready(Err(error)) => {
                    self.link.on_write_failed(offered);
                    return Err(CloseReason::Write {
                        source: Arc::new(error),
                    });
                }
            }
        }
        if self.flush_due {
            match Pin::new(&mut self.transport).poll_flush(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.flush_due = false,
                Poll::Ready(Err(error)) => {
                    return Err(CloseReason::Write {
                        source: Arc::new(error),
                    });
                }
            }
        }
        Ok(moved)
    }

    /// Reads once and hands out the answers that are whole. Returns whether anything moved.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Result<bool, CloseReason> {
        let read = pin!(self.transport.read_buf(self.frames.buffer_mut())).poll(cx);
        match read {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0)) => Err(CloseReason::EndOfStream {
                hint: self.hint_at_end(),
            }),
            Poll::Ready(Ok(_)) => {
                while let Some(frame) = self.next_frame()? {
                    self.on_frame(frame)?;
                }
                Ok(true)
            }
            Poll::Ready(Err(error)) => {
                let hint = self.hint_at_end();
                Err(CloseReason::Read {
                    hint,
                    source: Arc::new(error),
                })
            }
        }
    }

    fn next_frame(&mut self) -> Result<Option<Bytes>, CloseReason> {
        self.frames.next_frame().map_err(|source| {
            let hint = match source {
                FrameError::Negative { length } | FrameError::TooLarge { length, .. } => {
                    self.progress.hint_at_frame(&length.to_be_bytes())
                }
                _ => None,
            };
            CloseReason::Frame { hint, source }
        })
    }

    fn on_frame(&mut self, mut frame: Bytes) -> Result<(), CloseReason> {
        let correlation_id = response_correlation_id(&frame).unwrap_or(-1);
        let answered =
            self.link
                .on_answer(correlation_id)
                .map_err(|mismatch| CloseReason::Mismatch {
                    answered: correlation_id,
                    due: mismatch.due,
                })?;
        let (api_key, api_version) = (answered.api_key, answered.api_version);
        match take_response_header(&mut frame, api_key, api_version, &self.limits) {
            Ok(_correlation_id) => {
                self.progress.on_answer(api_key);
                self.resolve(answered.token, Ok(frame));
                Ok(())
            }
            Err(error) => {
                let source = Arc::new(error);
                let failure = Failure::Malformed {
                    source: Arc::clone(&source),
                };
                self.resolve(answered.token, Err(failure));
                Err(CloseReason::Header {
                    api: ApiKey::from_key(api_key),
                    source,
                })
            }
        }
    }

    fn hint_at_end(&mut self) -> Option<crate::error::ProtocolHint> {
        let requests_waiting = self.link.in_flight() > 0;
        self.progress
            .hint_at_end(self.frames.buffer_mut(), requests_waiting)
    }

    /// Without handles the connection only lives on for answers that somebody still waits for.
    fn poll_released(&mut self, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        let mut wanted = !self.outbox.is_empty();
        for reply in self.link.tokens_mut() {
            wanted |= reply.poll_closed(cx).is_pending();
        }
        if wanted {
            Ok(())
        } else {
            Err(CloseReason::Released)
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        while let Some(deadline) = self.link.deadline() {
            if self.timer_at != Some(deadline) {
                self.timer_at = Some(deadline);
                self.timer.as_mut().reset(deadline.into());
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                break;
            }
            self.timer_at = None;
            if let Some(api_key) = self.link.on_time(clock::now()) {
                return Err(CloseReason::TimedOut {
                    api: ApiKey::from_key(api_key),
                });
            }
        }
        Ok(())
    }

    fn resolve_outcomes(&mut self, reason: &CloseReason) {
        while let Some((reply, fate)) = self.link.poll_outcome() {
            let reason = reason.clone();
            let result = match fate {
                Fate::Ambiguous { timed_out } => Err(Failure::Ambiguous { reason, timed_out }),
                Fate::NotSent { timed_out } => Err(Failure::NotSent { reason, timed_out }),
                Fate::Written => Ok(Bytes::new()),
            };
            self.resolve(reply, result);
        }
    }

    fn resolve(&self, reply: oneshot::Sender<Reply>, result: Reply) {
        // An error means that the caller no longer wants to know.
        let _ = reply.send(result);
        self.shared.release();
    }
}

/// Appends length and header of a request, and returns the length of its whole frame.
fn put_head(
    out: &mut Vec<u8>,
    request: &RawRequest,
    correlation_id: i32,
    client_id: &str,
    body_bytes: usize,
) -> Result<usize, EncodeError> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    put_request_header(
        out,
        request.api_key,
        request.api_version,
        correlation_id,
        Some(client_id),
    )?;
    let frame_bytes = (out.len() - start).saturating_add(body_bytes);
    let too_long = || EncodeError::TooLong {
        field: "request",
        length: frame_bytes,
        limit: usize::try_from(i32::MAX).unwrap_or(usize::MAX),
    };
    let length = i32::try_from(frame_bytes - 4).map_err(|_| too_long())?;
    if let Some(prefix) = out.get_mut(start..start + 4) {
        prefix.copy_from_slice(&length.to_be_bytes());
    }
    Ok(frame_bytes)
}
