//! Bytes from hexadecimal digits or a file, and the frames in them.

use bytes::Bytes;

use crate::failure::Failure;

const LENGTH_BYTES: usize = 4;

/// What was given is text of hexadecimal digits, or else the bytes themselves.
pub(crate) fn bytes(given: Vec<u8>) -> Result<Bytes, Failure> {
    let is_text = |byte: &u8| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace();
    if given.iter().all(is_text) {
        return hex(&String::from_utf8_lossy(&given));
    }
    Ok(given.into())
}

/// Pairs of hexadecimal digits; spaces, line feeds, colons and a `0x` in front mean nothing.
pub(crate) fn hex(text: &str) -> Result<Bytes, Failure> {
    let text = text.trim();
    let text = text.strip_prefix("0x").unwrap_or(text);
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut half = None;
    for (place, character) in text.char_indices() {
        if character.is_whitespace() || character == ':' {
            continue;
        }
        let digit = character
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok());
        let Some(digit) = digit else {
            let line = format!("{character:?} at {place} is no hexadecimal digit");
            return Err(Failure::Said(line));
        };
        match half.take() {
            None => half = Some(digit),
            Some(high) => bytes.push(high << 4 | digit),
        }
    }
    if half.is_some() {
        let line = "an odd number of hexadecimal digits makes no bytes".to_owned();
        return Err(Failure::Said(line));
    }
    if bytes.is_empty() {
        return Err(Failure::Said("there are no bytes to dissect".to_owned()));
    }
    Ok(bytes.into())
}

/// The frames in these bytes: several with their lengths if those fit to the last byte, else one.
pub(crate) fn frames(bytes: Bytes) -> Vec<Bytes> {
    let mut frames = Vec::new();
    let mut rest = bytes.clone();
    while !rest.is_empty() {
        let length = rest.first_chunk::<LENGTH_BYTES>();
        let length = length.and_then(|length| usize::try_from(i32::from_be_bytes(*length)).ok());
        let end = length.and_then(|length| length.checked_add(LENGTH_BYTES));
        match end.filter(|end| *end > LENGTH_BYTES && *end <= rest.len()) {
            Some(end) => frames.push(rest.split_to(end).slice(LENGTH_BYTES..)),
            None => return vec![bytes],
        }
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_make_bytes_however_they_are_written() {
        for text in ["00120004", "0x00120004", "00 12 00 04\n", "00:12:00:04"] {
            assert_eq!(&hex(text).unwrap()[..], [0, 18, 0, 4], "{text:?}");
        }
        for wrong in ["", "0", "001", "0g", "0x", "é0"] {
            assert!(hex(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_file_is_text_or_bytes() {
        assert_eq!(&bytes(b"0012\n".to_vec()).unwrap()[..], [0, 18]);
        assert_eq!(&bytes(vec![0, 18]).unwrap()[..], [0, 18]);
    }

    #[test]
    fn frames_are_told_apart_by_lengths_that_fit_exactly() {
        let frame = |frames: Vec<Bytes>| {
            frames
                .iter()
                .map(|frame| frame.to_vec())
                .collect::<Vec<_>>()
        };
        let two = [0, 0, 0, 2, 7, 7, 0, 0, 0, 1, 8];
        assert_eq!(
            frame(frames(Bytes::from(two.to_vec()))),
            [vec![7, 7], vec![8]]
        );
        // One byte more or less, and it is a frame without a length.
        assert_eq!(frames(Bytes::from(two[..10].to_vec())).len(), 1);
        assert_eq!(
            frame(frames(Bytes::from(vec![0, 18, 0, 0]))),
            [vec![0, 18, 0, 0]]
        );
    }
}
