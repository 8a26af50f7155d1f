//! Bytes, uuids and strings as text.

use std::fmt::{self, Write};

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64 with padding, as Kafka's JSON has bytes.
pub(super) fn put_base64(out: &mut impl Write, bytes: &[u8]) -> fmt::Result {
    encode(out, bytes, STANDARD, true)
}

/// A uuid as Kafka's tools write it: base64 for URLs, without padding.
pub(super) fn put_uuid(out: &mut impl Write, uuid: [u8; 16]) -> fmt::Result {
    encode(out, &uuid, URL_SAFE, false)
}

fn encode(out: &mut impl Write, bytes: &[u8], alphabet: &[u8; 64], padded: bool) -> fmt::Result {
    for chunk in bytes.chunks(3) {
        let mut group = [0; 4];
        for (place, byte) in group[1..].iter_mut().zip(chunk) {
            *place = *byte;
        }
        let bits = u32::from_be_bytes(group);
        for (digit, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            if digit <= chunk.len() {
                let index = usize::try_from((bits >> shift) & 0x3f).unwrap_or_default();
                out.write_char(char::from(alphabet.get(index).copied().unwrap_or(b'?')))?;
            } else if padded {
                out.write_char('=')?;
            }
        }
    }
    Ok(())
}

/// The first bytes in hexadecimal.
pub(super) fn put_hex(out: &mut impl Write, bytes: &[u8], most: usize) -> fmt::Result {
    for byte in bytes.iter().take(most) {
        write!(out, "{byte:02x}")?;
    }
    if bytes.len() > most {
        out.write_str("..")
    } else {
        Ok(())
    }
}

/// A string in quotes, with everything escaped that JSON wants escaped.
pub(super) fn put_quoted(out: &mut impl Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            control if control.is_control() => {
                // All control characters of Unicode are below U+00A0.
                write!(out, "\\u{:04x}", u32::from(control))?;
            }
            plain => out.write_char(plain)?,
        }
    }
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let known = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ];
        for (bytes, expected) in known {
            let mut out = String::new();
            put_base64(&mut out, bytes.as_bytes()).unwrap();
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn a_uuid_is_written_as_kafka_writes_it() {
        let mut out = String::new();
        put_uuid(&mut out, [0; 16]).unwrap();
        assert_eq!(out, "AAAAAAAAAAAAAAAAAAAAAA");
        out.clear();
        put_uuid(&mut out, [0xff; 16]).unwrap();
        assert_eq!(out, "_____________________w");
    }

    #[test]
    fn quoted_text_is_json() {
        let text = "a\"b\\c\n\r\t\u{1}\u{9f}\u{e9}\u{1f600}";
        let mut out = String::new();
        put_quoted(&mut out, text).unwrap();
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
    }

    #[test]
    fn hexadecimal_is_cut() {
        let mut out = String::new();
        put_hex(&mut out, &[0, 0xab, 0xff], 2).unwrap();
        assert_eq!(out, "00ab..");
    }
}
