//! Where to start reading, as it is written on the command line.

use std::str::FromStr;

/// Where to start reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Earliest,
    Latest,
    /// The record with this offset.
    Offset(i64),
    /// The first record with this time or a later one, in milliseconds since 1970.
    Timestamp(i64),
}

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is none of earliest, latest, an offset, @ and milliseconds since 1970, \
                 or a time such as 2026-11-21T09:30:00Z"
            )
        };
        match text {
            "earliest" | "beginning" => return Ok(Self::Earliest),
            "latest" | "end" => return Ok(Self::Latest),
            _ => {}
        }
        let not_negative = |number: i64| (number >= 0).then_some(number).ok_or_else(wrong);
        if let Some(millis) = text.strip_prefix('@') {
            return not_negative(millis.parse().map_err(|_| wrong())?).map(Self::Timestamp);
        }
        if let Ok(offset) = text.parse::<i64>() {
            return not_negative(offset).map(Self::Offset);
        }
        utc_millis(text).map(Self::Timestamp).ok_or_else(wrong)
    }
}

/// Milliseconds since 1970 of `YYYY-MM-DDTHH:MM:SS[.fff]Z` (RFC 3339 in UTC).
fn utc_millis(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = three(date, '-')?;
    let (time, fraction) = match time.split_once('.') {
        Some((time, fraction)) => (time, millis(fraction)?),
        None => (time, 0),
    };
    let [hour, minute, second] = three(time, ':')?;
    let in_range = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !in_range {
        return None;
    }
    let days = (1970..year).map(days_in_year).sum::<i64>()
        + (1..month).map(|month| days_in(year, month)).sum::<i64>()
        + day
        - 1;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000 + fraction)
}

fn three(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(digits);
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

fn digits(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn millis(fraction: &str) -> Option<i64> {
    let plain = !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit());
    plain
        .then(|| {
            format!("{fraction:0<3}")
                .get(..3)
                .and_then(|text| text.parse().ok())
        })
        .flatten()
}

fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

fn days_in_year(year: i64) -> i64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_start_is_read() {
        let table = [
            ("earliest", Start::Earliest),
            ("latest", Start::Latest),
            ("0", Start::Offset(0)),
            ("42", Start::Offset(42)),
            ("@1700000000123", Start::Timestamp(1_700_000_000_123)),
            ("1970-01-01T00:00:00Z", Start::Timestamp(0)),
            ("2023-11-14T22:13:20Z", Start::Timestamp(1_700_000_000_000)),
            (
                "2024-02-29T12:00:00.25Z",
                Start::Timestamp(1_709_208_000_250),
            ),
            ("2000-03-01T00:00:00Z", Start::Timestamp(951_868_800_000)),
        ];
        for (text, start) in table {
            assert_eq!(text.parse::<Start>(), Ok(start), "{text}");
        }
    }

    #[test]
    fn what_names_no_start_is_refused() {
        for text in [
            "",
            "soon",
            "-5",
            "@",
            "@-1",
            "2023-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-01-01T24:00:00Z",
            "2023-01-01T00:00:00",
            "2023-01-01",
            "+2023-01-01T00:00:00Z",
        ] {
            assert!(text.parse::<Start>().is_err(), "{text}");
        }
    }
}
