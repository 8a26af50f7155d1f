//! Regular expressions that clients send.

use milena_codec::ErrorCode;
use regex::{Regex, RegexBuilder};

/// Bytes that a compiled expression may take.
const BYTES_MAX: usize = 1 << 20;

/// An expression that a whole name must match, as with Kafka, which uses RE2. Ours takes linear time as well,
/// and its syntax is that of RE2 but for rarities.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    source: String,
    whole: Regex,
}

impl Pattern {
    /// # Errors
    /// [`ErrorCode::InvalidRegularExpression`] for what is none, or too large.
    pub(crate) fn new(source: &str) -> Result<Self, ErrorCode> {
        let compile = |source: &str| {
            let compiled = RegexBuilder::new(source).size_limit(BYTES_MAX).build();
            compiled.map_err(|_| ErrorCode::InvalidRegularExpression)
        };
        // On its own first: what only makes sense between our parentheses is no expression.
        compile(source)?;
        let whole = compile(&format!("^(?:{source})$"))?;
        let source = source.to_owned();
        Ok(Self { source, whole })
    }

    /// As the client sent it.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        self.whole.is_match(name)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_name_must_match() {
        let pattern = Pattern::new("a|bc+").unwrap();
        let matching = ["a", "bc", "bccc", "ab", "xbc", "b", ""].map(|name| pattern.matches(name));
        assert_eq!(matching, [true, true, true, false, false, false, false]);
        assert_eq!(pattern.source(), "a|bc+");
    }

    #[test]
    fn what_is_no_expression_or_too_large_is_refused() {
        for source in ["(", "a)(b", "[z-a]", "x{1000000}", r"(a)\1"] {
            let refused = Pattern::new(source).unwrap_err();
            assert_eq!(refused, ErrorCode::InvalidRegularExpression, "{source}");
        }
    }
}
