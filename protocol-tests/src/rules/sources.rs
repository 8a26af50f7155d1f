//! Reads the citations out of the sources.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::{Attribute, File, Item};

use super::{Citations, Cited, RuleId, cited_in};

/// The folders with sources, from the repository's root.
const FOLDERS: [&str; 3] = ["crates", "protocol-tests", "fuzz/fuzz_targets"];

/// The macros of this crate whose first argument is a test written as a plain function.
const DECLARING: [&str; 2] = ["conformance", "own_kafka"];

/// Reads every source below `root`; `known` are the rules that there are.
///
/// # Errors
///
/// A file or folder that cannot be read, or a source that is not Rust (as [`io::ErrorKind::InvalidData`]).
pub fn read(root: &Path, known: &BTreeSet<RuleId>) -> io::Result<Cited> {
    let mut cited = Cited::new();
    for folder in FOLDERS {
        for path in rust_files(&root.join(folder))? {
            let text = fs::read_to_string(&path)?;
            let name = shown(root, &path);
            read_source(&name, &text, known, &mut cited).map_err(|error| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{name}: {error}"))
            })?;
        }
    }
    Ok(cited)
}

/// Reads one source: its tests' citations, and those of the rest unless the whole file is tests.
fn read_source(
    name: &str,
    text: &str,
    known: &BTreeSet<RuleId>,
    cited: &mut Cited,
) -> syn::Result<()> {
    let file = syn::parse_file(text)?;
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Found::default();
    found.items(&file.items, &declared(&file));
    for (test, span) in &found.tests {
        for rule in cited_in(&lines[span.clone()].join("\n"), known) {
            entry(cited, rule).tests.insert(test.clone());
        }
    }
    if is_tests(name) {
        return Ok(());
    }
    let in_tests = |line: usize| {
        let mut spans = found.tests.iter().map(|(_, span)| span);
        spans.any(|span| span.contains(&line))
            || found.hidden.iter().any(|span| span.contains(&line))
    };
    let product: Vec<&str> = (0..lines.len())
        .filter(|line| !in_tests(*line))
        .map(|line| lines[line])
        .collect();
    for rule in cited_in(&product.join("\n"), known) {
        entry(cited, rule).files.insert(name.to_owned());
    }
    Ok(())
}

fn entry(cited: &mut Cited, rule: RuleId) -> &mut Citations {
    cited.entry(rule).or_default()
}

/// The tests of a file and the lines of its test modules.
#[derive(Default)]
struct Found {
    tests: Vec<(String, Range<usize>)>,
    hidden: Vec<Range<usize>>,
}

impl Found {
    fn items(&mut self, items: &[Item], declared: &[String]) {
        // Other items only hold tests within macros, and those are listed below.
        for item in items {
            if let Item::Fn(function) = item {
                let name = function.sig.ident.to_string();
                if declared.contains(&name) || function.attrs.iter().any(is_test) {
                    self.tests.push((name, lines_of(item.span())));
                }
            } else if let Item::Mod(module) = item {
                if module.attrs.iter().any(is_test_configuration) {
                    self.hidden.push(lines_of(item.span()));
                }
                if let Some((_, items)) = &module.content {
                    self.items(items, declared);
                }
            } else if let Item::Macro(call) = item
                && call.mac.path.is_ident("proptest")
            {
                self.property_tests(call.mac.tokens.clone());
            }
        }
    }

    /// The functions of a `proptest!`: from the first attribute or comment to the end of the body.
    fn property_tests(&mut self, tokens: TokenStream) {
        let mut begin = None;
        let mut name: Option<String> = None;
        let mut after_fn = false;
        for token in tokens {
            begin = begin.or_else(|| Some(token.span().start().line));
            if let TokenTree::Ident(word) = &token {
                if after_fn {
                    name = Some(word.to_string());
                }
                after_fn = word == "fn";
            } else if let TokenTree::Group(group) = &token
                && group.delimiter() == Delimiter::Brace
                && let (Some(begin), Some(name)) = (begin.take(), name.take())
            {
                self.tests.push((name, begin - 1..token.span().end().line));
            }
        }
    }
}

/// The lines of a span, from 0, its attributes and documentation included.
fn lines_of(span: Span) -> Range<usize> {
    span.start().line.saturating_sub(1)..span.end().line
}

/// `#[test]`, `#[tokio::test]`.
fn is_test(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|last| last.ident == "test")
}

/// `#[cfg(test)]`.
fn is_test_configuration(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute
            .parse_args::<syn::Path>()
            .is_ok_and(|path| path.is_ident("test"))
}

/// The functions that a declaring macro makes tests of: every name among its arguments.
fn declared(file: &File) -> Vec<String> {
    let mut declared = Vec::new();
    for item in &file.items {
        if let Item::Macro(call) = item
            && DECLARING.iter().any(|name| {
                let last = call.mac.path.segments.last();
                last.is_some_and(|last| last.ident == name)
            })
        {
            names(call.mac.tokens.clone(), &mut declared);
        }
    }
    declared
}

fn names(tokens: TokenStream, into: &mut Vec<String>) {
    for token in tokens {
        if let TokenTree::Ident(name) = &token {
            into.push(name.to_string());
        } else if let TokenTree::Group(group) = token {
            names(group.stream(), into);
        }
    }
}

/// A file that holds nothing but tests and what they need.
fn is_tests(name: &str) -> bool {
    let path = Path::new(name);
    let file = path.file_stem().and_then(|stem| stem.to_str());
    path.components()
        .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "test_support")
        || file.is_some_and(|file| {
            file == "tests" || file.ends_with("_tests") || file.starts_with("test_")
        })
        || name.starts_with("protocol-tests")
        || name.starts_with("fuzz")
}

/// `crates/client/src/producer/machine.rs` as `client/producer/machine.rs`.
fn shown(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.to_string_lossy()
        .replace('\\', "/")
        .replace("crates/", "")
        .replace("/src/", "/")
}

fn rust_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
//! Of the machine (P-1).

/// Does it (T-2).
fn work() {}

conformance!(declared_by_macro);

/// R-1: plainly.
async fn declared_by_macro(kafka: &Kafka) {}

#[cfg(test)]
mod tests {
    // T-10 in a helper is nobody's test.
    fn helper() {}

    /// P-2, P-3.
    #[test]
    fn documented() {}

    #[tokio::test]
    async fn in_its_body() {
        // P-4: here
    }

    proptest! {
        /// P-5
        #[test]
        fn by_property(x in 0..3) { assert!(x < 3); }
        // P-6
        #[test]
        fn another(y in 0..3) {
            // P-10
        }
    }
}
"#;

    fn read_one(name: &str) -> Vec<String> {
        let mut cited = Cited::new();
        read_source(name, SOURCE, &BTreeSet::new(), &mut cited)
            .unwrap_or_else(|error| panic!("{error}"));
        let line = |(rule, found): (&RuleId, &Citations)| {
            let all: Vec<&str> = found
                .files
                .iter()
                .chain(&found.tests)
                .map(|name| &**name)
                .collect();
            format!("{rule}: {}", all.join(" "))
        };
        cited.iter().map(line).collect()
    }

    #[test]
    fn citations_are_told_apart_by_where_they_stand() {
        let expected = [
            "P-1: client/machine.rs",
            "P-2: documented",
            "P-3: documented",
            "P-4: in_its_body",
            "P-5: by_property",
            "P-10: another",
            "R-1: declared_by_macro",
            "T-2: client/machine.rs",
        ];
        assert_eq!(read_one("client/machine.rs"), expected);
    }

    #[test]
    fn a_file_of_tests_implements_nothing() {
        let found = read_one("client/machine/tests.rs");
        assert!(found.iter().all(|line| !line.contains(".rs")), "{found:?}");
    }
}
