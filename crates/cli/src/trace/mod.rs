//! `milena trace`: stands between clients and brokers and tells what passes.
//!
//! Clients begin at the proxy and come back through it, because every address of a broker in an answer is
//! replaced by one of its own. Nothing else is changed.

mod endpoints;
mod exchange;
mod facts;
mod lives;
mod page;
mod proxy;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use crate::connect::Connect;
use crate::failure::{Failure, at_file};
use crate::interrupt::Interrupt;
use crate::output::{Output, note};
use exchange::Exchange;
use lives::Lives;
use proxy::{Address, Proxy};

/// Exchanges that wait to be printed; then connections wait.
const EXCHANGES_WAITING: usize = 1_024;

/// Where to listen, and what to make of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The address to listen on, which clients are told as the brokers' host.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    listen: IpAddr,
    /// The port for the first of the brokers in --bootstrap; 0 and all others are the system's choice.
    #[arg(long, default_value_t = 9192)]
    port: u16,
    /// At the end, draw the life of each transaction here: one page that needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(crate) async fn run(
    connect: &Connect,
    args: Args,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    connect.takes_no_properties("trace")?;
    if args.listen.is_unspecified() {
        let line = format!(
            "--listen {}: clients cannot be told to connect to it",
            args.listen
        );
        return Err(Failure::Usage(line));
    }
    if let Some(path) = &args.html {
        // Now, not after an hour of tracing.
        write_page(path, &Lives::default()).await?;
    }
    let brokers = brokers(connect.bootstrap())?;
    let (exchanges, told) = mpsc::channel(EXCHANGES_WAITING);
    let proxy = Proxy::new(args.listen, exchanges);
    let mut ours = Vec::new();
    let mut port = args.port;
    for broker in brokers {
        let opened = proxy.open(broker, port).await;
        let opened = opened.map_err(|error| {
            Failure::Said(format!(
                "cannot listen on {}: {error}",
                host_port(args.listen, port)
            ))
        })?;
        ours.push(host_port(args.listen, opened));
        port = 0;
    }
    let mut output = Output::stdout();
    output.line(&ours.join(","))?;
    output.flush()?;
    let mut lives = Lives::default();
    let outcome = tell(told, &mut output, &mut lives, interrupt).await;
    proxy.close().await;
    if let Some(path) = &args.html {
        write_page(path, &lives).await?;
        note(format!(
            "{} transactions drawn in {}",
            lives.all().len(),
            path.display()
        ));
    }
    outcome
}

/// Prints what passes until Ctrl-C.
async fn tell(
    mut told: mpsc::Receiver<Exchange>,
    output: &mut Output,
    lives: &mut Lives,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    loop {
        let exchange = tokio::select! {
            exchange = told.recv() => exchange,
            () = interrupt.raised() => break,
        };
        let Some(exchange) = exchange else {
            break;
        };
        lives.note(&exchange);
        output.line(&exchange.to_string())?;
        if told.is_empty() {
            output.flush()?;
        }
    }
    // What had passed before.
    while let Ok(exchange) = told.try_recv() {
        lives.note(&exchange);
        output.line(&exchange.to_string())?;
    }
    output.flush()?;
    Ok(())
}

async fn write_page(path: &Path, lives: &Lives) -> Result<(), Failure> {
    let written = tokio::fs::write(path, page::page(lives)).await;
    written.map_err(|error| at_file("cannot be written", Some(path), error))
}

fn brokers(bootstrap: &str) -> Result<Vec<Address>, Failure> {
    let broker = |text: &str| {
        let (host, port) = text.trim().rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().ok().filter(|port| *port > 0)?;
        (!host.is_empty()).then(|| (host.to_owned(), port))
    };
    let brokers: Option<Vec<_>> = bootstrap.split(',').map(broker).collect();
    brokers.ok_or_else(|| Failure::Usage(format!("--bootstrap {bootstrap}: write host:port")))
}

fn host_port(host: IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(host, port).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_hosts_and_ports() {
        let found = brokers("a:1, [::1]:2").unwrap();
        assert_eq!(found, [("a".to_owned(), 1), ("::1".to_owned(), 2)]);
        for wrong in ["", "a", "a:", ":1", "a:0", "a:1,", "a:99999"] {
            assert!(brokers(wrong).is_err(), "{wrong}");
        }
    }
}
