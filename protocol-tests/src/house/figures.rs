//! Figures of the sources: lengths of files and functions, lines of rooms, circles of imports.

use std::collections::{BTreeMap, BTreeSet};

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{ImplItemFn, ItemFn, TraitItemFn};

use super::names::{House, UseKind};
use super::source::{Module, is_for_tests};

/// The middle, the ninth of ten and the largest of some numbers; zeros if there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// Half are at most this.
    pub p50: usize,
    /// Nine of ten are at most this.
    pub p90: usize,
    /// The largest.
    pub max: usize,
}

impl Spread {
    /// Of these numbers, in any order.
    #[must_use]
    pub fn of(mut numbers: Vec<usize>) -> Self {
        numbers.sort_unstable();
        let at = |percent: usize| {
            let rank = (numbers.len() * percent).div_ceil(100).max(1) - 1;
            numbers.get(rank).copied().unwrap_or(0)
        };
        Self {
            p50: at(50),
            p90: at(90),
            max: at(100),
        }
    }
}

/// The lines with code of a source, tests left out: neither blank nor only a comment.
///
/// # Errors
///
/// A text that is not Rust.
pub fn lines_of_code(text: &str) -> syn::Result<usize> {
    let file = syn::parse_file(text)?;
    let mut tests = Hidden::default();
    tests.visit_file(&file);
    let is_hidden = |line: usize| {
        tests
            .0
            .iter()
            .any(|(from, to)| (*from..=*to).contains(&line))
    };
    let lines = text.lines().enumerate().filter(|(index, line)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with("//") && !is_hidden(index + 1)
    });
    Ok(lines.count())
}

/// The first and last lines of items that only tests compile.
#[derive(Default)]
struct Hidden(Vec<(usize, usize)>);

impl<'ast> Visit<'ast> for Hidden {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.hide(&module.attrs, module);
        visit::visit_item_mod(self, module);
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.hide(&function.attrs, function);
        visit::visit_item_fn(self, function);
    }
}

impl Hidden {
    fn hide(&mut self, attributes: &[syn::Attribute], item: &impl Spanned) {
        if is_for_tests(attributes) {
            let span = item.span();
            self.0.push((span.start().line, span.end().line));
        }
    }
}

/// The lines of every function of the product, signature and braces included.
#[must_use]
pub fn function_lengths(modules: &[Module]) -> Vec<usize> {
    let mut lengths = Lengths(Vec::new());
    for module in modules.iter().filter(|module| !module.for_tests) {
        for item in &module.items {
            // Modules with a body are in the list by themselves.
            if !matches!(item, syn::Item::Mod(_)) {
                lengths.visit_item(item);
            }
        }
    }
    lengths.0
}

struct Lengths(Vec<usize>);

impl Lengths {
    fn add(
        &mut self,
        attributes: &[syn::Attribute],
        signature: &syn::Signature,
        body: &syn::Block,
    ) {
        if !is_for_tests(attributes) {
            let from = signature.span().start().line;
            self.0.push(body.span().end().line + 1 - from);
        }
    }
}

impl<'ast> Visit<'ast> for Lengths {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.add(&function.attrs, &function.sig, &function.block);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.add(&function.attrs, &function.sig, &function.block);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(body) = &function.default {
            self.add(&function.attrs, &function.sig, body);
        }
    }
}

/// Files that name each other in a circle, largest circle first. What a file names is resolved through
/// re-exports, so a `mod.rs` that only passes names on makes no circle.
#[must_use]
pub fn circles(modules: &[Module]) -> Vec<BTreeSet<String>> {
    let product: Vec<&Module> = modules.iter().filter(|module| !module.for_tests).collect();
    let file_of: BTreeMap<&[String], &str> = product
        .iter()
        .map(|module| (&*module.path, &*module.file))
        .collect();
    let house = House::new(modules, std::iter::empty());
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for module in &product {
        let from = names.entry(&module.file).or_default();
        for used in house.uses(&module.path) {
            let UseKind::Path(path) = &used.kind else {
                continue;
            };
            for target in house.resolve(&module.path, path) {
                // The file of the innermost module on the way.
                let to = (1..=target.len())
                    .rev()
                    .filter_map(|end| target.get(..end))
                    .find_map(|prefix| file_of.get(prefix));
                from.extend(to.filter(|to| **to != module.file));
            }
        }
    }
    let mut found: Vec<BTreeSet<String>> = Vec::new();
    let reached: BTreeMap<&str, BTreeSet<&str>> = names
        .keys()
        .map(|file| (*file, reach(file, &names)))
        .collect();
    for (file, to) in &reached {
        let circle: BTreeSet<String> = to
            .iter()
            .filter(|other| reached.get(*other).is_some_and(|back| back.contains(file)))
            .map(|other| (*other).to_owned())
            .collect();
        if circle.len() > 1 && !found.contains(&circle) {
            found.push(circle);
        }
    }
    found.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    found
}

fn reach<'a>(from: &'a str, names: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(file) = open.pop() {
        for next in names.get(file).into_iter().flatten() {
            if reached.insert(*next) {
                open.push(next);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::source::module_of;

    #[test]
    fn a_spread_is_of_ranks() {
        assert_eq!(Spread::of(Vec::new()), Spread::default());
        let spread = Spread::of((1..=10).rev().collect());
        assert_eq!((spread.p50, spread.p90, spread.max), (5, 9, 10));
    }

    #[test]
    fn lines_of_code_are_neither_comments_nor_tests() {
        let text = "//! One.\n\nfn f() {\n    // why\n    g();\n}\n\n#[cfg(test)]\nmod tests {\n    fn h() {}\n}\n\nfn last() {}\n";
        assert_eq!(lines_of_code(text).unwrap(), 4);
    }

    #[test]
    fn functions_are_measured_wherever_they_are() {
        let text = "fn a() {}\nimpl X {\n  fn b() {\n    c();\n  }\n}\n#[cfg(test)]\nfn d() {\n}\nmod m { fn e() {\n } }";
        let mut found = function_lengths(&module_of("x.rs", &["x"], text).unwrap());
        found.sort_unstable();
        assert_eq!(found, [1, 2, 3]);
    }

    #[test]
    fn circles_are_found_through_re_exports() {
        let module = |file: &str, path: &[&str], text: &str| module_of(file, path, text).unwrap();
        let mut modules = module("lib.rs", &["x"], "mod a; mod b; mod c; pub use a::A;");
        modules.extend(module("a.rs", &["x", "a"], "pub struct A(crate::b::B);"));
        modules.extend(module(
            "b.rs",
            &["x", "b"],
            "use crate::A; pub struct B(Option<A>);",
        ));
        modules.extend(module("c.rs", &["x", "c"], "use crate::A; fn f(_: A) {}"));
        let found = circles(&modules);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].iter().collect::<Vec<_>>(), ["a.rs", "b.rs"]);
    }
}
