//! As much of HTTP/1.1 as a control port needs: one request a connection, with a length and a body of JSON.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Bytes of a request's first line and headers.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Bytes of its body.
const BODY_BYTES_MAX: usize = 1 << 20;
/// How long a request may take to arrive.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(30);

/// A request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    /// The pairs behind the question mark.
    pub(super) query: Vec<(String, String)>,
    /// Null if there is none.
    pub(super) body: Value,
}

/// A status and what goes with it.
#[derive(Debug, PartialEq)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Response {
    pub(super) fn ok(body: Value) -> Self {
        Self { status: 200, body }
    }

    pub(super) fn failed(status: u16, reason: impl ToString) -> Self {
        let body = json!({"error": reason.to_string()});
        Self { status, body }
    }
}

/// Reads one request, has it carried out, and writes the response.
pub(super) async fn exchange<F: Future<Output = Response>>(
    mut stream: TcpStream,
    respond: impl FnOnce(Request) -> F,
) {
    let response = match timeout(ARRIVAL_LIMIT, read(&mut stream)).await {
        Ok(Ok(request)) => respond(request).await,
        Ok(Err(failed)) => failed,
        Err(_) => Response::failed(408, "the request did not arrive within 30 s"),
    };
    let body = response.body.to_string();
    let head = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        response.status,
        reason(response.status),
        body.len()
    );
    // The client may have gone; it is of no matter then.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body.as_bytes()).await;
    let _ = stream.shutdown().await;
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        _ => "Bad Request",
    }
}

async fn read(stream: &mut TcpStream) -> Result<Request, Response> {
    let broken = |error: std::io::Error| Response::failed(400, error);
    let mut bytes = Vec::new();
    let head_bytes = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if bytes.len() > HEAD_BYTES_MAX {
            return Err(Response::failed(413, "the headers are too long"));
        }
        if stream.read_buf(&mut bytes).await.map_err(broken)? == 0 {
            return Err(Response::failed(400, "the request ends early"));
        }
    };
    let mut body = bytes.split_off(head_bytes.saturating_add(4).min(bytes.len()));
    let head = String::from_utf8(bytes).map_err(|error| Response::failed(400, error))?;
    let (mut request, length) = parse_head(&head)?;
    if length > BODY_BYTES_MAX {
        return Err(Response::failed(413, "the body is longer than 1 MiB"));
    }
    while body.len() < length {
        if stream.read_buf(&mut body).await.map_err(broken)? == 0 {
            return Err(Response::failed(400, "the body ends early"));
        }
    }
    if !body.is_empty() {
        request.body = serde_json::from_slice(&body)
            .map_err(|error| Response::failed(400, format!("the body is not JSON: {error}")))?;
    }
    Ok(request)
}

/// The request without its body, and the body's length.
fn parse_head(head: &str) -> Result<(Request, usize), Response> {
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version)) = (first.next(), first.next(), first.next())
    else {
        return Err(Response::failed(
            400,
            "the first line is not that of a request",
        ));
    };
    if !version.starts_with("HTTP/1.") {
        return Err(Response::failed(400, "only HTTP/1.1 is spoken here"));
    }
    let mut length = 0;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => {
                let parsed = value.parse();
                length =
                    parsed.map_err(|_| Response::failed(400, "content-length is no number"))?;
            }
            "transfer-encoding" => {
                return Err(Response::failed(400, "a body needs a content-length"));
            }
            // A page in a browser must not reach a port that has no password.
            "origin" => return Err(Response::failed(400, "requests of web pages are rejected")),
            _ => {}
        }
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = query.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    let request = Request {
        method: method.to_owned(),
        path: path.trim_end_matches('/').to_owned(),
        query: query.collect(),
        body: Value::Null,
    };
    Ok((request, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_taken_apart_and_what_cannot_be_served_is_rejected() {
        let (request, length) =
            parse_head("POST /faults/?a=1&b=2 HTTP/1.1\r\nContent-Length: 12").unwrap();
        assert_eq!(
            (&*request.method, &*request.path, length),
            ("POST", "/faults", 12)
        );
        assert_eq!(request.query.len(), 2);
        for wrong in [
            "",
            "GET",
            "GET / SPDY/1",
            "POST / HTTP/1.1\r\ncontent-length: x",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked",
            "POST / HTTP/1.1\r\norigin: http://evil",
        ] {
            assert_eq!(parse_head(wrong).unwrap_err().status, 400, "{wrong}");
        }
    }
}
