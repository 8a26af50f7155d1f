//! Lines of standard input or a file, read beside the runtime.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use tokio::sync::mpsc;

/// Batches of lines that wait to be produced; reading pauses beyond that.
const BATCHES_MAX: usize = 4;
/// Lines and bytes from which a batch is handed over although more could be read at once.
const BATCH_LINES: usize = 1_000;
const BATCH_BYTES: usize = 1 << 20;
/// The longest line, in bytes; no broker takes a record of that size.
const LINE_BYTES_MAX: usize = 128 << 20;

/// Lines, without their line feeds, in the order they came.
pub(crate) type Lines = mpsc::Receiver<io::Result<Vec<Vec<u8>>>>;

/// Reads `path`, or standard input, on a thread of its own: reading a terminal cannot be cancelled,
/// and so must not hold up the end of the program.
///
/// With `whole`, everything together is the only line.
pub(crate) fn read(path: Option<&Path>, whole: bool) -> io::Result<Lines> {
    let input: Box<dyn Read + Send> = match path {
        Some(path) => Box::new(File::open(path)?),
        None => Box::new(io::stdin()),
    };
    let (batches, lines) = mpsc::channel(BATCHES_MAX);
    std::thread::Builder::new()
        .name("lines".to_owned())
        .spawn(move || {
            let input = BufReader::with_capacity(64 << 10, input);
            let handed_over = match whole {
                true => hand_over_whole(input, &batches),
                false => hand_over(input, &batches),
            };
            if let Err(error) = handed_over {
                let _ = batches.blocking_send(Err(error));
            }
        })?;
    Ok(lines)
}

type Batches = mpsc::Sender<io::Result<Vec<Vec<u8>>>>;

fn hand_over_whole(input: impl Read, batches: &Batches) -> io::Result<()> {
    let mut all = Vec::new();
    input
        .take(LINE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut all)?;
    if all.len() > LINE_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is longer than 128 MiB",
        ));
    }
    // An error means that the receiver is gone.
    let _ = batches.blocking_send(Ok(vec![all]));
    Ok(())
}

fn hand_over(mut input: BufReader<impl Read>, batches: &Batches) -> io::Result<()> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    loop {
        let line = read_line(&mut input)?;
        let ended = line.is_none();
        bytes += line.as_ref().map_or(0, Vec::len);
        batch.extend(line);
        // A line typed by hand goes at once: nothing more waits in the buffer.
        let full = batch.len() >= BATCH_LINES || bytes >= BATCH_BYTES;
        let hand_over = ended || full || input.buffer().is_empty();
        if hand_over && !batch.is_empty() {
            bytes = 0;
            if batches
                .blocking_send(Ok(std::mem::take(&mut batch)))
                .is_err()
            {
                return Ok(());
            }
        }
        if ended {
            return Ok(());
        }
    }
}

fn read_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let limit = LINE_BYTES_MAX as u64 + 1;
    if input.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > LINE_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a line is longer than 128 MiB",
        ));
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(text: &[u8]) -> Vec<Vec<u8>> {
        let (batches, mut lines) = mpsc::channel(100);
        hand_over(BufReader::new(text), &batches).unwrap();
        drop(batches);
        let mut all = Vec::new();
        while let Some(batch) = lines.blocking_recv() {
            all.extend(batch.unwrap());
        }
        all
    }

    #[test]
    fn lines_keep_order_and_bytes_and_lose_the_line_feed_only() {
        assert_eq!(
            lines_of(b"a\nb\r\n\n\xff"),
            [&b"a"[..], b"b\r", b"", b"\xff"]
        );
        assert_eq!(lines_of(b"a\n"), [b"a"]);
        assert!(lines_of(b"").is_empty());
    }

    #[test]
    fn more_lines_than_a_batch_holds_all_arrive() {
        let text = "x\n".repeat(5_500);
        assert_eq!(lines_of(text.as_bytes()).len(), 5_500);
    }
}
