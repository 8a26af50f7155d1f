//! Decides whether a module is pure: it takes the time and a seed as arguments, and neither waits nor reads a clock,
//! draws chance or looks at the outside world.
//!
//! Every name is resolved first, so that an alias, a grouped import or a re-export hides nothing. Of the standard library
//! and of other crates only the listed parts are pure: what is new has to be judged before a pure module can name it.
//! Of this repository's own crates, a function is impure when it is declared in a module that waits and does something
//! impure itself, or names a function that does; so is a type of a module `clock` with such a method, as a module that
//! holds a clock can read it.

use std::collections::{BTreeMap, BTreeSet};

use syn::{ImplItem, Item, Type};

use super::names::{House, Names, Use, UseKind};
use super::source::{Module, is_for_tests};

/// What a pure module may name of the standard library and of other crates; a path covers everything below it.
const PURE: [&str; 43] = [
    "bytes",
    "crc_fast",
    "fastrand::Rng",
    "flate2",
    "indexmap",
    "kafka_protocol",
    "lz4_flex",
    "regex",
    "ruzstd",
    "snap",
    "std::any",
    "std::array",
    "std::borrow",
    "std::boxed",
    "std::cell",
    "std::cmp",
    "std::collections",
    "std::convert",
    "std::error",
    "std::fmt",
    "std::hash",
    "std::io",
    "std::iter",
    "std::marker",
    "std::mem",
    "std::num",
    "std::ops",
    "std::option",
    "std::path::Path",
    "std::pin",
    "std::rc",
    "std::result",
    "std::slice",
    "std::str",
    "std::string",
    "std::sync",
    "std::time",
    "std::vec",
    "thiserror",
    "tracing",
    "uuid::Builder",
    "uuid::Uuid",
    "zstd",
];

/// What it may not name although it lies below one of [`PURE`], and what to do instead.
const IMPURE: [(&str, &str); 22] = [
    ("fastrand::Rng::default", SEED),
    ("fastrand::Rng::new", SEED),
    ("std::collections::hash_map::DefaultHasher", CHANCE),
    ("std::collections::hash_map::RandomState", CHANCE),
    ("std::hash::BuildHasherDefault", CHANCE),
    ("std::hash::DefaultHasher", CHANCE),
    ("std::hash::RandomState", CHANCE),
    ("std::io::stderr", OUTSIDE),
    ("std::io::stdin", OUTSIDE),
    ("std::io::stdout", OUTSIDE),
    ("std::sync::Barrier", WAIT),
    ("std::sync::Condvar", WAIT),
    ("std::sync::mpsc", WAIT),
    ("std::time::Instant::elapsed", NOW),
    ("std::time::Instant::now", NOW),
    ("std::time::SystemTime", NOW),
    ("std::time::UNIX_EPOCH", NOW),
    ("uuid::Uuid::new_v1", CHANCE),
    ("uuid::Uuid::new_v4", CHANCE),
    ("uuid::Uuid::new_v6", CHANCE),
    ("uuid::Uuid::new_v7", CHANCE),
    ("uuid::Uuid::now_v7", NOW),
];

/// Macros of the prelude that look at the outside world.
const IMPURE_MACROS: [&str; 6] = [
    "dbg",
    "eprint",
    "eprintln",
    "print",
    "println",
    "thread_local",
];

const CHANCE: &str = "take the value or a seed as an argument";
const NOW: &str = "take the time as an argument and subtract";
const OUTSIDE: &str = "return an event, or do it in the driver";
const SEED: &str = "take a seed as an argument: `fastrand::Rng::with_seed`";
const UNKNOWN: &str =
    "not among what a pure module may name: do it in the driver, or judge it in house/purity.rs";
const WAIT: &str = "the driver waits; hand it a deadline or an event";
const WAITS: &str =
    "it is declared in a module that waits, and is impure: take its result as an argument";

/// A place where a module is not pure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The file, from the repository's root.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is named or done there.
    pub what: String,
    /// What to do instead.
    pub instead: &'static str,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            file,
            line,
            what,
            instead,
        } = self;
        write!(out, "{file}:{line}: {what}: {instead}")
    }
}

/// Decides for the modules of several crates.
pub struct Purity<'a> {
    modules: &'a [Module],
    house: House,
    /// Functions of waiting modules, and clocks, that are not pure.
    impure: BTreeSet<Vec<String>>,
}

impl<'a> Purity<'a> {
    /// Reads `modules`, which may name the crates `external`; `waits` tells which files are expected to wait.
    #[must_use]
    pub fn new(
        modules: &'a [Module],
        external: impl IntoIterator<Item = String>,
        waits: impl Fn(&str) -> bool,
    ) -> Self {
        let mut purity = Self {
            modules,
            house: House::new(modules, external),
            impure: BTreeSet::new(),
        };
        let declared = declared(
            modules
                .iter()
                .filter(|module| !module.for_tests && waits(&module.file)),
        );
        // What names something impure is impure: until nothing new is found.
        loop {
            let before = purity.impure.len();
            for (key, (module, uses)) in &declared {
                if !purity.impure.contains(key)
                    && uses.iter().any(|used| purity.judge(module, used).is_some())
                {
                    purity.impure.insert(key.clone());
                }
            }
            if purity.impure.len() == before {
                return purity;
            }
        }
    }

    /// Every place in the product's part of `file` that is not pure.
    #[must_use]
    pub fn violations(&self, file: &str) -> Vec<Violation> {
        let mut found = BTreeSet::new();
        for module in self.modules {
            if module.file != file || module.for_tests {
                continue;
            }
            for used in self.house.uses(&module.path) {
                if let Some((what, instead)) = self.judge(&module.path, used) {
                    found.insert(Violation {
                        file: file.to_owned(),
                        line: used.line,
                        what,
                        instead,
                    });
                }
            }
        }
        found.into_iter().collect()
    }

    /// Why a use is impure, if it is.
    fn judge(&self, within: &[String], used: &Use) -> Option<(String, &'static str)> {
        match &used.kind {
            UseKind::Async => Some(("async".to_owned(), WAIT)),
            UseKind::Method(name) if name == "elapsed" => Some((".elapsed()".to_owned(), NOW)),
            UseKind::Method(_) => None,
            UseKind::Glob(path) => {
                let found = self.house.resolve(within, path);
                let mut outside = found.into_iter().filter(|target| !self.is_own(target));
                outside
                    .find(|target| target.first().is_some_and(|name| name != "kafka_protocol"))
                    .map(|target| {
                        let what = format!("{}::*", target.join("::"));
                        (what, "import what is needed by its name")
                    })
            }
            UseKind::Macro(name) => {
                let is_impure = IMPURE_MACROS.contains(&&**name);
                is_impure.then(|| (format!("{name}!"), OUTSIDE))
            }
            // To pass on something of ours is not to use it.
            UseKind::Import(path) if self.is_own_path(within, path) => None,
            UseKind::Import(path) | UseKind::Path(path) => {
                let found = if matches!(used.kind, UseKind::Import(_)) {
                    self.house.resolve_import(within, path)
                } else {
                    self.house.resolve(within, path)
                };
                found.iter().find_map(|target| {
                    let instead = self.judge_target(target)?;
                    let (written, target) = (path.join("::"), target.join("::"));
                    let what = if written == target {
                        target
                    } else {
                        format!("{written} is {target}")
                    };
                    Some((what, instead))
                })
            }
        }
    }

    fn is_own_path(&self, within: &[String], path: &[String]) -> bool {
        let found = self.house.resolve_import(within, path);
        found.iter().all(|target| self.is_own(target))
    }

    fn is_own(&self, target: &[String]) -> bool {
        self.modules
            .iter()
            .any(|module| module.path.first() == target.first())
    }

    fn judge_target(&self, target: &[String]) -> Option<&'static str> {
        if self.is_own(target) {
            let is_impure = (1..=target.len())
                .filter_map(|end| target.get(..end))
                .any(|prefix| self.impure.contains(prefix));
            return is_impure.then_some(WAITS);
        }
        let mut named = target.join("::");
        for alias in ["core", "alloc"] {
            if let Some(rest) = named.strip_prefix(&format!("{alias}::")) {
                named = format!("std::{rest}");
            }
        }
        let covers = |listed: &str| {
            named == listed
                || named
                    .strip_prefix(listed)
                    .is_some_and(|rest| rest.starts_with("::"))
        };
        if let Some((_, instead)) = IMPURE.iter().find(|(listed, _)| covers(listed)) {
            return Some(instead);
        }
        // A module on the way to something pure may be named: `use std::time;`.
        let leads = |listed: &str| listed.starts_with(&format!("{named}::"));
        let is_pure = PURE.iter().any(|listed| covers(listed) || leads(listed))
            || target
                .first()
                .is_some_and(|root| is_primitive_module(root, target));
        (!is_pure).then_some(UNKNOWN)
    }
}

/// `std::u32::MAX` and the like.
fn is_primitive_module(root: &str, target: &[String]) -> bool {
    const PRIMITIVES: [&str; 16] = [
        "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize", "u128", "u16",
        "u32", "u64", "u8", "usize",
    ];
    root == "std"
        && target
            .get(1)
            .is_some_and(|name| PRIMITIVES.contains(&&**name))
}

/// The functions that modules declare and the types of clocks: the module, and all that they use.
type Declared<'a> = BTreeMap<Vec<String>, (&'a [String], Vec<Use>)>;

fn declared<'a>(modules: impl Iterator<Item = &'a Module>) -> Declared<'a> {
    let mut declared = Declared::new();
    for module in modules {
        let is_clock = module.path.last().is_some_and(|name| name == "clock");
        let mut add = |names: &[String], uses: Vec<Use>| {
            let key = module.path.iter().chain(names).cloned().collect();
            let entry = declared.entry(key);
            entry.or_insert((&module.path, Vec::new())).1.extend(uses);
        };
        for item in &module.items {
            if let Item::Fn(function) = item {
                add(&[function.sig.ident.to_string()], Names::of_item(item));
            } else if let Item::Impl(block) = item
                && !is_for_tests(&block.attrs)
                && let Type::Path(of) = &*block.self_ty
                && let Some(of) = of.path.segments.last()
            {
                let of = of.ident.to_string();
                if is_clock {
                    add(std::slice::from_ref(&of), Names::of_item(item));
                }
                for member in &block.items {
                    if let ImplItem::Fn(function) = member {
                        let name = function.sig.ident.to_string();
                        add(&[of.clone(), name], Names::of_member(member));
                    }
                }
            }
        }
    }
    declared
}
