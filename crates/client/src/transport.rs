//! The network under a client: what a [`Connector`] of the application's own is written with.
//!
//! Every handle has a constructor that takes a connector; the default is [`TcpConnector`]. A connector to a proxy, a Unix socket
//! or an in-memory pipe implements [`Connector::connect`] and returns any stream that is `AsyncRead + AsyncWrite`, in a box.

pub use milena_connection::transport::{
    BoxTransport, ConnectFuture, Connector, PauseFuture, TcpConnector, Transport,
};
pub use milena_connection::{AddressError, BrokerAddress};
