//! How a record is printed: text, JSON, or a format of the user's own.

use std::io::{self, Write};
use std::str::FromStr;

use crate::output::Shown;

/// A format of the user's own, as kcat's `-f` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Token(Token),
}

/// What a `%` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Headers,
    Key,
    KeyBytes,
    Offset,
    Partition,
    Timestamp,
    Topic,
    Value,
    ValueBytes,
}

/// For help texts.
pub(crate) const TOKENS: &str = "%t topic, %p partition, %o offset, %T timestamp in milliseconds since 1970, \
     %k key, %s value, %h headers as k=v,k=v, %K and %S bytes of key and value (-1 if null), %% a percent sign; \
     \\n, \\t, \\r, \\0, \\\\ and \\xHH";

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            match character {
                '%' => {
                    let token = match rest.next() {
                        Some('%') => {
                            literal.push('%');
                            continue;
                        }
                        Some(letter) => token(letter),
                        None => None,
                    };
                    let token = token.ok_or_else(|| format!("`{text}`: known are {TOKENS}"))?;
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    }
                    pieces.push(Piece::Token(token));
                }
                '\\' => literal.push(
                    escaped(&mut rest).ok_or_else(|| format!("`{text}`: known are {TOKENS}"))?,
                ),
                other => literal.push(other),
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self { pieces })
    }
}

fn token(letter: char) -> Option<Token> {
    Some(match letter {
        'h' => Token::Headers,
        'k' => Token::Key,
        'K' => Token::KeyBytes,
        'o' => Token::Offset,
        'p' => Token::Partition,
        'T' => Token::Timestamp,
        't' => Token::Topic,
        's' => Token::Value,
        'S' => Token::ValueBytes,
        _ => return None,
    })
}

fn escaped(rest: &mut std::str::Chars<'_>) -> Option<char> {
    Some(match rest.next()? {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        '0' => '\0',
        '\\' => '\\',
        'x' => {
            let high = rest.next()?.to_digit(16)?;
            let low = rest.next()?.to_digit(16)?;
            // Above 7F a byte alone is no character.
            char::from_u32(high * 16 + low).filter(char::is_ascii)?
        }
        _ => return None,
    })
}

impl Template {
    /// Prints one record, with `null` in place of a key or value that is null.
    pub(crate) fn print(
        &self,
        out: &mut impl Write,
        record: Shown<'_>,
        null: &str,
    ) -> io::Result<()> {
        let or_null = |bytes: Option<&'_ [u8]>| bytes.unwrap_or(null.as_bytes()).to_vec();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.write_all(text.as_bytes())?,
                Piece::Token(Token::Headers) => headers(out, record, null)?,
                Piece::Token(Token::Key) => out.write_all(&or_null(record.key))?,
                Piece::Token(Token::KeyBytes) => write!(out, "{}", length(record.key))?,
                Piece::Token(Token::Offset) => write!(out, "{}", record.offset)?,
                Piece::Token(Token::Partition) => write!(out, "{}", record.partition)?,
                Piece::Token(Token::Timestamp) => write!(out, "{}", record.timestamp)?,
                Piece::Token(Token::Topic) => out.write_all(record.topic.as_bytes())?,
                Piece::Token(Token::Value) => out.write_all(&or_null(record.value))?,
                Piece::Token(Token::ValueBytes) => write!(out, "{}", length(record.value))?,
            }
        }
        Ok(())
    }
}

fn length(bytes: Option<&[u8]>) -> i64 {
    bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX))
}

fn headers(out: &mut impl Write, record: Shown<'_>, null: &str) -> io::Result<()> {
    for (number, (key, value)) in record.headers.iter().enumerate() {
        if number > 0 {
            out.write_all(b",")?;
        }
        out.write_all(key)?;
        out.write_all(b"=")?;
        out.write_all(value.unwrap_or(null.as_bytes()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(template: &str, record: Shown<'_>) -> String {
        let mut out = Vec::new();
        let template: Template = template.parse().unwrap();
        template.print(&mut out, record, "NULL").unwrap();
        String::from_utf8(out).unwrap()
    }

    const RECORD: Shown<'_> = Shown {
        topic: "orders",
        partition: 3,
        offset: 7,
        timestamp: 5,
        key: None,
        value: Some(b"v"),
        headers: &[(b"a", Some(b"1")), (b"b", None)],
    };

    #[test]
    fn every_token_prints_its_part_of_the_record() {
        assert_eq!(
            printed(r"%t/%p/%o/%T %k(%K)=%s(%S) [%h] 100%%\n", RECORD),
            "orders/3/7/5 NULL(-1)=v(1) [a=1,b=NULL] 100%\n"
        );
        assert_eq!(printed(r"\t\x41\\", RECORD), "\tA\\");
    }

    #[test]
    fn an_unknown_token_is_rejected_with_the_known_ones() {
        for wrong in ["%", "%q", r"\", r"\q", r"\x4", r"\xff"] {
            let error = wrong.parse::<Template>().unwrap_err();
            assert!(error.contains("%k key"), "{wrong}: {error}");
        }
    }
}
