//! One connection to one broker: a task that owns the transport, and a handle to submit requests.

mod connection;
mod driver;
pub mod handshake;
pub mod machine;
mod outbox;

pub use connection::{Connection, RawRequest, ResponseFuture, SubmitError};
