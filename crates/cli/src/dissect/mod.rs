//! `milena dissect`: prints frames, from digits, a file or a capture.

mod capture;
mod connections;
mod conversation;
mod input;
mod reassembly;
mod skipped;

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use milena_codec::dissect::{self, DissectError};
use milena_codec::{Limits, schema};

use crate::connect::Connect;
use crate::failure::{Failure, at_file, chain};
use crate::output::{Output, note};
use connections::{Connections, Ends};
use conversation::Heard;
use skipped::Skipped;

/// The largest file that is read as one or several frames.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Which frames, and how to print them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Hexadecimal digits of frames, with or without their lengths; standard input if there are none.
    #[arg(value_name = "HEX", conflicts_with_all = ["file", "pcap"])]
    hex: Vec<String>,
    /// Frames as bytes, or as hexadecimal digits.
    #[arg(long, value_name = "FILE", conflicts_with = "pcap")]
    file: Option<PathBuf>,
    /// A capture, pcap or pcapng, also compressed with gzip: all requests and responses on the ports.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// The brokers' ports in the capture.
    #[arg(long, value_delimiter = ',', default_values_t = [9092], requires = "pcap")]
    port: Vec<u16>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The frames are answers.
    #[arg(long, requires_all = ["api", "api_version"], conflicts_with = "pcap")]
    response: bool,
    /// The API that is answered, by name or key, such as Fetch or 1.
    #[arg(long, requires = "response", value_parser = api)]
    api: Option<i16>,
    /// And its version.
    #[arg(long, requires = "response")]
    api_version: Option<i16>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One line a field, indented.
    #[default]
    Tree,
    /// One JSON object a frame, on a line.
    Json,
}

impl From<Format> for dissect::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Tree => Self::Tree,
            Format::Json => Self::Json,
        }
    }
}

fn api(text: &str) -> Result<i16, String> {
    let named = |key: &i16| {
        let name = schema::api_name(*key);
        name.is_some_and(|name| name.eq_ignore_ascii_case(text))
    };
    let number = text
        .parse()
        .ok()
        .filter(|key| schema::api_name(*key).is_some());
    number
        .or_else(|| schema::api_keys().find(named))
        .ok_or_else(|| "write the name or the key of an API, such as Fetch or 1".to_owned())
}

/// What a frame is.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Request,
    Response { api_key: i16, api_version: i16 },
}

pub(crate) fn run(connect: &Connect, args: &Args) -> Result<(), Failure> {
    connect.is_not_for("dissect")?;
    let mut printer = Printer {
        output: Output::stdout(),
        format: args.format,
        limits: Limits::default(),
        malformed: 0,
        first_malformed: None,
    };
    let outcome = match &args.pcap {
        Some(path) => of_capture(&mut printer, path, &args.port),
        None => of_bytes(&mut printer, args),
    };
    printer.output.flush()?;
    outcome?;
    match printer.first_malformed {
        None => Ok(()),
        Some(first) if printer.malformed == 1 => Err(Failure::Said(first)),
        Some(first) => {
            let count = printer.malformed;
            Err(Failure::Said(format!(
                "{count} frames are malformed; {first}"
            )))
        }
    }
}

fn of_bytes(printer: &mut Printer, args: &Args) -> Result<(), Failure> {
    let given = if args.hex.is_empty() {
        input::bytes(read_given(args.file.as_deref())?)?
    } else {
        input::hex(&args.hex.concat())?
    };
    let kind = match (args.api, args.api_version) {
        (Some(api_key), Some(api_version)) => Kind::Response {
            api_key,
            api_version,
        },
        (_, _) => Kind::Request,
    };
    for frame in input::frames(given) {
        printer.frame(kind, &frame)?;
    }
    Ok(())
}

/// The file, or standard input.
fn read_given(path: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let mut given = Vec::new();
    let read = match path {
        Some(path) => open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut given),
        None => io::stdin()
            .lock()
            .take(FILE_BYTES_MAX + 1)
            .read_to_end(&mut given),
    };
    read.map_err(|error| at_file("cannot be read", path, error))?;
    if u64::try_from(given.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(Failure::Said(
            "more than 256 MiB are no frames to print".to_owned(),
        ));
    }
    Ok(given)
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| at_file("cannot be read", Some(path), error))
}

/// The file itself, or what is in it if it is compressed with gzip, as tools often leave captures.
///
/// Memory: a buffer of 64 KiB; the capture is read as a stream.
fn inflated(file: File) -> io::Result<Box<dyn Read + Send>> {
    let mut file = BufReader::with_capacity(64 << 10, file);
    let is_gzip = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(match is_gzip {
        true => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        false => Box::new(file),
    })
}

fn of_capture(printer: &mut Printer, path: &Path, ports: &[u16]) -> Result<(), Failure> {
    let file =
        inflated(open(path)?).map_err(|error| at_file("cannot be read", Some(path), error))?;
    let mut skipped = Skipped::default();
    let mut connections = Connections::new(ports, printer.limits);
    let mut last = 0;
    let read = capture::read(file, ports, &mut skipped, |skipped, segment| {
        last = segment.at_micros;
        for (ends, heard) in connections.push(&segment, skipped) {
            printer.heard(last, ends, &heard, skipped)?;
        }
        Ok(())
    });
    for (ends, heard) in connections.end() {
        printer.heard(last, ends, &heard, &mut skipped)?;
    }
    if let Some(line) = skipped.line() {
        note(line);
    }
    read
}

struct Printer {
    output: Output,
    format: Format,
    limits: Limits,
    malformed: u64,
    first_malformed: Option<String>,
}

impl Printer {
    fn heard(
        &mut self,
        at_micros: u64,
        ends: Ends,
        heard: &Heard,
        skipped: &mut Skipped,
    ) -> Result<(), Failure> {
        let Ends { client, broker } = ends;
        let (kind, frame, from, to) = match heard {
            Heard::Request(frame) => (Kind::Request, frame, client, broker),
            Heard::Response(frame, api_key, api_version) => {
                let kind = Kind::Response {
                    api_key: *api_key,
                    api_version: *api_version,
                };
                (kind, frame, broker, client)
            }
            Heard::Skipped(bytes) => {
                skipped.bytes += u64::try_from(*bytes).unwrap_or(u64::MAX);
                return Ok(());
            }
            Heard::Unmatched => {
                skipped.unmatched += 1;
                return Ok(());
            }
        };
        let seconds = format!("{}.{:06}", at_micros / 1_000_000, at_micros % 1_000_000);
        match self.format {
            Format::Tree => self.output.line(&format!("@{seconds} {from} > {to}"))?,
            Format::Json => {
                let head = format!(r#"{{"at":{seconds},"from":"{from}","to":"{to}","frame":"#);
                self.output.write_all(head.as_bytes())?;
            }
        }
        self.print(kind, frame)?;
        match self.format {
            Format::Tree => self.output.line("")?,
            Format::Json => self.output.line("}")?,
        }
        Ok(())
    }

    fn frame(&mut self, kind: Kind, frame: &[u8]) -> Result<(), Failure> {
        self.print(kind, frame)?;
        if self.format == Format::Json {
            self.output.line("")?;
        }
        Ok(())
    }

    fn print(&mut self, kind: Kind, frame: &[u8]) -> Result<(), Failure> {
        let mut out = Text {
            out: &mut self.output,
            wrote: false,
            failed: None,
        };
        let format = self.format.into();
        let printed = match kind {
            Kind::Request => dissect::request(&mut out, format, frame, &self.limits),
            Kind::Response {
                api_key,
                api_version,
            } => dissect::response(&mut out, format, frame, api_key, api_version, &self.limits),
        };
        let Text { wrote, failed, .. } = out;
        match printed {
            Ok(()) => Ok(()),
            Err(DissectError::Output { source }) => {
                Err(failed.unwrap_or_else(|| io::Error::other(source)).into())
            }
            Err(error) => {
                // It says why by itself, unless nothing at all could be said of the frame.
                if !wrote && self.format == Format::Json {
                    self.output.write_all(b"null")?;
                }
                self.malformed += 1;
                self.first_malformed.get_or_insert_with(|| chain(&error));
                Ok(())
            }
        }
    }
}

/// Text that goes to standard output, whose errors are kept.
struct Text<'o> {
    out: &'o mut Output,
    wrote: bool,
    failed: Option<io::Error>,
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.wrote = true;
        self.out.write_all(text.as_bytes()).map_err(|error| {
            self.failed = Some(error);
            fmt::Error
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_has_a_name_and_a_key() {
        for text in ["EndTxn", "endtxn", "26"] {
            assert_eq!(api(text), Ok(26), "{text}");
        }
        for wrong in ["", "Nothing", "-1", "999", "EndTxnRequest"] {
            assert!(api(wrong).is_err(), "{wrong}");
        }
    }
}
