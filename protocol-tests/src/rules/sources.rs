//! Reads the citations out of the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::{Attribute, File, Item};

use super::{Area, Citations, Cited, RuleId, cited_in, sections_in};
use crate::house::source::{is_for_tests, modules};

/// The folders with sources, from the repository's root.
const FOLDERS: [&str; 3] = ["crates", "protocol-tests", "fuzz/fuzz_targets"];

/// The macros of this crate whose first argument is a test written as a plain function.
const DECLARING: [&str; 2] = ["conformance", "own_kafka"];

/// Where the tools that read sources are, in the names that [`shown`] gives: what their tests name proves nothing.
const TOOLS: [&str; 6] = [
    "protocol-tests/figures",
    "protocol-tests/house",
    "protocol-tests/rules",
    "protocol-tests/tests/dependencies.rs",
    "protocol-tests/tests/purity.rs",
    "protocol-tests/tests/rules.rs",
];

/// Reads every source below `root`; `known` are the rules that there are.
///
/// # Errors
///
/// A file or folder that cannot be read, or a source that is not Rust (as [`io::ErrorKind::InvalidData`]).
pub fn read(root: &Path, known: &BTreeSet<RuleId>) -> io::Result<Cited> {
    let product = product_files(root)?;
    let mut cited = Cited::new();
    for_each(root, |name, path, text| {
        let file = path.strip_prefix(root).unwrap_or(path);
        let kind = if product.contains(file) {
            Kind::Product
        } else if name.starts_with("protocol-tests/") && !name.starts_with("protocol-tests/tests") {
            Kind::Harness
        } else {
            Kind::Tests
        };
        read_source(name, text, kind, known, &mut cited)
    })?;
    Ok(cited)
}

/// The sections (`§1.6`) that sources cite, and a file that does.
///
/// # Errors
///
/// As [`read`].
pub fn sections(root: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut cited = BTreeMap::new();
    for_each(root, |name, _, text| {
        for section in sections_in(text) {
            cited.insert(section, name.to_owned());
        }
        Ok(())
    })?;
    Ok(cited)
}

/// Calls with the name, the path and the text of each source that is no tool's.
fn for_each(
    root: &Path,
    mut read: impl FnMut(&str, &Path, &str) -> syn::Result<()>,
) -> io::Result<()> {
    for folder in FOLDERS {
        for path in rust_files(&root.join(folder))? {
            let name = shown(root, &path);
            if TOOLS.iter().any(|tool| Path::new(&name).starts_with(tool)) {
                continue;
            }
            let text = fs::read_to_string(&path)?;
            read(&name, &path, &text).map_err(|error| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{name}: {error}"))
            })?;
        }
    }
    Ok(())
}

/// The files of the crates that users get.
fn product_files(root: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    for folder in fs::read_dir(root.join("crates"))? {
        let name = folder?.file_name().to_string_lossy().into_owned();
        let all = modules(root, &format!("crates/{name}"), &name)?;
        let product = all.into_iter().filter(|module| !module.for_tests);
        files.extend(product.map(|module| PathBuf::from(module.file)));
    }
    Ok(files)
}

/// What the code of a file outside tests is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Keeps rules.
    Product,
    /// Judges histories ([`Area::Judging`]).
    Harness,
    /// Helps tests.
    Tests,
}

/// Reads one source: its tests' citations, and those of the rest by what the file is.
fn read_source(
    name: &str,
    text: &str,
    kind: Kind,
    known: &BTreeSet<RuleId>,
    cited: &mut Cited,
) -> syn::Result<()> {
    let file = syn::parse_file(text)?;
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Found::default();
    found.items(&file.items, &declared(&file));
    for (test, span) in &found.tests {
        let text = lines.get(span.clone()).unwrap_or_default().join("\n");
        for rule in cited_in(&text, known) {
            entry(cited, rule).tests.insert(test.clone());
        }
    }
    let in_tests = |line: usize| {
        let mut spans = found.tests.iter().map(|(_, span)| span);
        spans.any(|span| span.contains(&line))
            || found.hidden.iter().any(|span| span.contains(&line))
    };
    let code: Vec<&str> = lines
        .iter()
        .enumerate()
        .filter(|(line, _)| !in_tests(*line))
        .map(|(_, text)| *text)
        .collect();
    for rule in cited_in(&code.join("\n"), known) {
        let implements = match kind {
            Kind::Product => true,
            Kind::Harness => rule.area() == Area::Judging,
            Kind::Tests => false,
        };
        // Cited all the same: a number that stands in no table has to be found wherever it is.
        let entry = entry(cited, rule);
        if implements {
            entry.files.insert(name.to_owned());
        }
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
                if is_for_tests(&module.attrs) {
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
//! Of the machine (P-1, J-2).

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

    fn read_one(name: &str, kind: Kind) -> Vec<String> {
        let mut cited = Cited::new();
        read_source(name, SOURCE, kind, &BTreeSet::new(), &mut cited)
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
            "T-2: client/machine.rs",
            "R-1: declared_by_macro",
            "J-2: client/machine.rs",
        ];
        assert_eq!(read_one("client/machine.rs", Kind::Product), expected);
    }

    #[test]
    fn a_file_of_tests_implements_nothing_and_the_harness_only_its_checks() {
        let files = |kind| {
            let found = read_one("x.rs", kind);
            found
                .into_iter()
                .filter(|line| line.ends_with(".rs"))
                .collect::<Vec<_>>()
        };
        assert_eq!(files(Kind::Tests), Vec::<String>::new());
        assert_eq!(files(Kind::Harness), ["J-2: x.rs"]);
    }

    /// A repository with a client, and a tool whose test names the client's rule.
    #[test]
    fn what_only_tests_compile_implements_nothing_and_a_tools_test_proves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            (
                "crates/c/src/lib.rs",
                "mod a; #[cfg(any(test, feature = \"_fuzzing\"))] mod operations;",
            ),
            ("crates/c/src/a.rs", "// P-1, §1.2\n"),
            ("crates/c/src/operations.rs", "// P-1, P-2\n"),
            ("crates/c/tests/a.rs", "/// P-1\n#[test] fn a_promise() {}"),
            (
                "protocol-tests/src/rules/mod.rs",
                "/// P-1, P-2, §9.9\n#[test] fn of_the_tool() {}",
            ),
            (
                "protocol-tests/tests/rules.rs",
                "/// P-2\n#[test] fn also_of_the_tool() {}",
            ),
            ("fuzz/fuzz_targets/x.rs", ""),
        ] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let cited = read(folder.path(), &BTreeSet::new()).unwrap();
        let found = |rule: &str| {
            cited
                .get(&rule.parse().unwrap())
                .cloned()
                .unwrap_or_default()
        };
        let names = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
        assert_eq!(names(&found("P-1").files), ["c/a.rs"]);
        assert_eq!(names(&found("P-1").tests), ["a_promise"]);
        assert_eq!(found("P-2"), Citations::default());
        let sections = sections(folder.path()).unwrap();
        assert_eq!(
            sections.into_iter().collect::<Vec<_>>(),
            [("1.2".to_owned(), "c/a.rs".to_owned())]
        );
    }
}
