//! A place in a partition, as it is written on the command line.

use std::str::FromStr;
use std::time::SystemTime;

/// A place in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Earliest,
    Latest,
    /// So many offsets before the end.
    Last(i64),
    /// The record with this offset.
    Offset(i64),
    /// The first record with this time or a later one, in milliseconds since 1970.
    Timestamp(i64),
    /// So many milliseconds ago.
    Ago(i64),
}

/// How a place is written, for help texts and errors.
pub(crate) const PLACES: &str = "earliest, latest, an offset, -N for the last N offsets of each partition, \
     -5m (s, m, h, d) for five minutes ago, @ and milliseconds since 1970, or a time such as 2026-11-21T09:30:00Z";

impl Place {
    /// The same with times made absolute.
    pub(crate) fn at(self, now: SystemTime) -> Self {
        let Self::Ago(millis) = self else {
            return self;
        };
        let now = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| {
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            });
        Self::Timestamp(now.saturating_sub(millis).max(0))
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is none of {PLACES}");
        match text {
            "earliest" | "beginning" => return Ok(Self::Earliest),
            "latest" | "end" => return Ok(Self::Latest),
            _ => {}
        }
        let not_negative = |number: i64| (number >= 0).then_some(number).ok_or_else(wrong);
        if let Some(millis) = text.strip_prefix('@') {
            return not_negative(millis.parse().map_err(|_| wrong())?).map(Self::Timestamp);
        }
        if let Some(back) = text.strip_prefix('-') {
            let last = number(back).map(Self::Last);
            return last
                .or_else(|| duration_millis(back).map(Self::Ago))
                .ok_or_else(wrong);
        }
        if let Some(offset) = number(text) {
            return Ok(Self::Offset(offset));
        }
        utc_millis(text).map(Self::Timestamp).ok_or_else(wrong)
    }
}

fn number(text: &str) -> Option<i64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Milliseconds of `90s`, `5m`, `2h`, `7d`.
fn duration_millis(text: &str) -> Option<i64> {
    let (amount, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number(amount)?.checked_mul(seconds * 1_000)
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

/// Milliseconds since 1970 as `YYYY-MM-DDTHH:MM:SS.mmmZ`, and as they are if that is before 1970 or after 9999.
pub(crate) fn utc(millis: i64) -> String {
    let (mut days, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let mut year = 1970;
    while year <= 9999 && days >= days_in_year(year) {
        days -= days_in_year(year);
        year += 1;
    }
    if millis < 0 || year > 9999 {
        return format!("@{millis}");
    }
    let mut month = 1;
    while days >= days_in(year, month) {
        days -= days_in(year, month);
        month += 1;
    }
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, fraction) = (of_day / 1_000 % 60, of_day % 1_000);
    format!(
        "{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{fraction:03}Z",
        days + 1
    )
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
    fn every_way_to_name_a_place_is_read() {
        let table = [
            ("earliest", Place::Earliest),
            ("latest", Place::Latest),
            ("0", Place::Offset(0)),
            ("42", Place::Offset(42)),
            ("-10", Place::Last(10)),
            ("-90s", Place::Ago(90_000)),
            ("-5m", Place::Ago(300_000)),
            ("-2h", Place::Ago(7_200_000)),
            ("-1d", Place::Ago(86_400_000)),
            ("@1700000000123", Place::Timestamp(1_700_000_000_123)),
            ("1970-01-01T00:00:00Z", Place::Timestamp(0)),
            ("2023-11-14T22:13:20Z", Place::Timestamp(1_700_000_000_000)),
            (
                "2024-02-29T12:00:00.25Z",
                Place::Timestamp(1_709_208_000_250),
            ),
            ("2000-03-01T00:00:00Z", Place::Timestamp(951_868_800_000)),
        ];
        for (text, place) in table {
            assert_eq!(text.parse::<Place>(), Ok(place), "{text}");
        }
    }

    #[test]
    fn what_names_no_place_is_rejected() {
        for text in [
            "",
            "soon",
            "-",
            "-m",
            "-5w",
            "-99999999999999999999",
            "-9223372036854775807d",
            "@",
            "@-1",
            "2023-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-01-01T24:00:00Z",
            "2023-01-01T00:00:00",
            "2023-01-01",
            "+2023-01-01T00:00:00Z",
        ] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_relative_time_is_counted_back_from_now() {
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000);
        assert_eq!(Place::Ago(300_000).at(now), Place::Timestamp(700_000));
        assert_eq!(Place::Ago(i64::MAX).at(now), Place::Timestamp(0));
        assert_eq!(Place::Latest.at(now), Place::Latest);
    }

    #[test]
    fn a_time_is_printed_as_it_is_read() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_709_208_000_250, "2024-02-29T12:00:00.250Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(utc(millis), text);
            assert_eq!(text.parse(), Ok(Place::Timestamp(millis)));
        }
        assert_eq!(utc(-1), "@-1");
        assert_eq!(utc(i64::MAX), format!("@{}", i64::MAX));
    }
}
