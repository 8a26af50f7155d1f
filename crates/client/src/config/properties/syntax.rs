//! The syntax of Java's `.properties` files.

use super::super::ConfigError;
use super::file::Properties;

/// The settings of a text; `name` is that of the text in errors.
pub(super) fn parse(name: &str, text: &str) -> Result<Properties, ConfigError> {
    let mut properties = Properties::default();
    for (number, line) in logical_lines(text) {
        let (key, value) = split(&line);
        let unescaped = |text| {
            unescape(text).map_err(|escape| {
                let reason = format!("{escape} is not \\u and four hexadecimal digits");
                let remedy = "write \\\\ for a backslash";
                ConfigError::without_value(format!("{name}:{number}"), reason, remedy)
            })
        };
        properties.set(unescaped(key)?, unescaped(value)?);
    }
    Ok(properties)
}

const WHITE: [char; 3] = [' ', '\t', '\x0c'];

/// Lines with their continuations, without comments and empty ones, each with the number of its first line.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut continued = false;
    // As Java: a line ends with \n, \r or both.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    for (index, natural) in text.split('\n').enumerate() {
        let line = natural.trim_start_matches(WHITE);
        if !continued && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        let backslashes = line.chars().rev().take_while(|end| *end == '\\').count();
        let continues = backslashes % 2 == 1;
        let part = if continues {
            line.strip_suffix('\\').unwrap_or(line)
        } else {
            line
        };
        match lines.last_mut() {
            Some((_, so_far)) if continued => so_far.push_str(part),
            _ => lines.push((index + 1, part.to_owned())),
        }
        continued = continues;
    }
    lines
}

/// At the first `=`, `:` or white space that is not escaped, with the white space around it.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|character| {
        let ends = !escaped && (matches!(character, '=' | ':') || WHITE.contains(&character));
        escaped = character == '\\' && !escaped;
        ends
    });
    let Some((key, rest)) = end.and_then(|end| line.split_at_checked(end)) else {
        return (line, "");
    };
    let rest = rest.trim_start_matches(WHITE);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, value.trim_start_matches(WHITE))
}

/// The text without its escapes, or the escape that is none.
fn unescape(text: &str) -> Result<String, String> {
    // \u escapes are UTF-16: a character outside the basic plane is two of them.
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let plain = if character == '\\' {
            match characters.next() {
                None => continue,
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\x0c',
                Some('u') => {
                    let digits: String = characters.by_ref().take(4).collect();
                    let is_hex = digits.len() == 4 && digits.chars().all(|d| d.is_ascii_hexdigit());
                    let unit = u16::from_str_radix(&digits, 16).ok().filter(|_| is_hex);
                    units.push(unit.ok_or_else(|| format!("\\u{digits}"))?);
                    continue;
                }
                Some(other) => other,
            }
        } else {
            character
        };
        units.extend_from_slice(plain.encode_utf16(&mut [0; 2]));
    }
    Ok(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        Properties::parse(text).unwrap().into_iter().collect()
    }

    /// What java.util.Properties reads from the same text.
    #[test]
    fn the_syntax_is_that_of_java() {
        for (text, key, value) in [
            ("a=b", "a", "b"),
            ("a = b ", "a", "b "),
            ("a:b", "a", "b"),
            ("a b c", "a", "b c"),
            ("a\t:\tb", "a", "b"),
            ("a", "a", ""),
            ("a==b", "a", "=b"),
            (r"a\=b=c", "a=b", "c"),
            (r"a\ b c", "a b", "c"),
            (r"a=\tb\n\q", "a", "\tb\nq"),
            (r"a=C:\\kafka\\", "a", r"C:\kafka\"),
            (r"a=\u0041\u00e4", "a", "Aä"),
            (r"a=\ud83d\ude00", "a", "😀"),
            ("a=b\\\n   c", "a", "bc"),
            ("a=b\\\r\n   # c", "a", "b# c"),
            ("a=b\\\n\nc=d", "c", "d"),
            ("  # no\n\r! no\r  a=b", "a", "b"),
            ("a=1\na=2", "a", "2"),
            ("a=b\\", "a", "b"),
            ("=b", "", "b"),
            ("a=ä", "a", "ä"),
        ] {
            let read = pairs(text);
            let last = read.last().map(|(k, v)| (k.as_str(), v.as_str()));
            assert_eq!(last, Some((key, value)), "{text:?}");
        }
        assert_eq!(pairs("\n \n#\n"), []);
    }

    #[test]
    fn a_broken_escape_is_named_with_its_line() {
        let error = Properties::parse("a=b\n\nc=\\u12g4").unwrap_err();
        assert_eq!(error.setting(), "properties:3");
        assert!(error.to_string().contains(r"\u12g4"), "{error}");
    }
}
