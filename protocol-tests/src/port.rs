//! Loopback ports that stay ours while nobody listens on them.

use crate::Failure;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// Where to look for ports: below the range the kernel gives to outgoing connections, because a
/// broker binds its port seconds after it was chosen and again after every restart.
const LOWEST: u16 = 10_000;

/// How many ports to try.
const ATTEMPTS: usize = 1_000;

/// A TCP port of 127.0.0.1 which no other test process takes while this value lives.
///
/// The claim is a UDP socket bound to the same number: it does not stand in the way of the TCP
/// listener, and the kernel ends it with the process.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _claim: UdpSocket,
}

impl Port {
    /// Claims a free port.
    ///
    /// # Errors
    ///
    /// [`Failure::Missing`] if none of 1,000 tried is free.
    pub fn claim() -> Result<Self, Failure> {
        let end = first_ephemeral_port();
        for _ in 0..ATTEMPTS {
            let number = fastrand::u16(LOWEST..end);
            let address = (Ipv4Addr::LOCALHOST, number);
            if let Ok(claim) = UdpSocket::bind(address)
                && TcpListener::bind(address).is_ok()
            {
                return Ok(Self {
                    number,
                    _claim: claim,
                });
            }
        }
        Err(Failure::Missing {
            what: "a free port on 127.0.0.1".to_owned(),
            remedy: format!("{ATTEMPTS} ports from {LOWEST} to {end} were tried"),
        })
    }

    /// The port's number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }
}

fn first_ephemeral_port() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .filter(|first| *first > LOWEST + 2_000)
        .unwrap_or(32_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_port_is_free_for_tcp_and_taken_for_other_claims() {
        let port = Port::claim().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.number())).unwrap();
        assert!(UdpSocket::bind((Ipv4Addr::LOCALHOST, port.number())).is_err());
        drop(listener);
        drop(TcpListener::bind((Ipv4Addr::LOCALHOST, port.number())).unwrap());
    }
}
