//! Collects every name that a module uses, and resolves it through imports, aliases and re-exports.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "syn's kinds of items grow with the language"
)]

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Arm, Attribute, Field, ImplItem, Item, Local, Macro, Path, TraitItem, Type, UseTree};

use super::source::{self, Module};

/// Something a module does or names, and the line where it does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// The line, from 1.
    pub line: usize,
    /// What is there.
    pub kind: UseKind,
}

/// What stands at a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UseKind {
    /// `async` or `.await`.
    Async,
    /// `use path::*`.
    Glob(Vec<String>),
    /// A path that `use` or `extern crate` brings in.
    Import(Vec<String>),
    /// A call of the macro of this name.
    Macro(String),
    /// A call of a method of this name.
    Method(String),
    /// A path as it is written, generic arguments left out.
    Path(Vec<String>),
}

/// The names of a module: what it uses, and what it binds.
#[derive(Debug, Default)]
pub struct Names {
    /// Everything used, tests left out.
    pub uses: Vec<Use>,
    /// What `use`, `type` and `extern crate` make of a name, in this module and inside its functions.
    bindings: BTreeMap<String, BTreeSet<Vec<String>>>,
    /// Targets of `use path::*`.
    globs: BTreeSet<Vec<String>>,
    /// Names of the items declared here.
    declared: BTreeSet<String>,
}

impl Names {
    /// What `module` uses and binds, outside tests.
    #[must_use]
    pub fn of(module: &Module) -> Self {
        let mut names = Self::default();
        for item in &module.items {
            if let Some(name) = declared_name(item) {
                names.declared.insert(name);
            }
            names.visit_item(item);
        }
        names
    }

    /// What a single item uses, outside tests.
    #[must_use]
    pub fn of_item(item: &Item) -> Vec<Use> {
        let mut names = Self::default();
        names.visit_item(item);
        names.uses
    }

    /// What a single member of an `impl` uses, outside tests.
    #[must_use]
    pub fn of_member(item: &ImplItem) -> Vec<Use> {
        let mut names = Self::default();
        names.visit_impl_item(item);
        names.uses
    }

    /// One module may have two files, of which a feature chooses one.
    fn merge(&mut self, other: Self) {
        self.uses.extend(other.uses);
        for (name, targets) in other.bindings {
            self.bindings.entry(name).or_default().extend(targets);
        }
        self.globs.extend(other.globs);
        self.declared.extend(other.declared);
    }

    fn used(&mut self, line: usize, kind: UseKind) {
        self.uses.push(Use { line, kind });
    }

    fn bind(&mut self, name: &str, target: Vec<String>) {
        self.bindings
            .entry(name.to_owned())
            .or_default()
            .insert(target);
    }

    fn imported(&mut self, tree: &UseTree, prefix: &[String]) {
        let with = |name: &syn::Ident| {
            let mut path = prefix.to_vec();
            path.push(name.to_string());
            path
        };
        match tree {
            UseTree::Path(path) => self.imported(&path.tree, &with(&path.ident)),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.imported(tree, prefix);
                }
            }
            UseTree::Name(name) if name.ident == "self" => {
                self.import(name.span(), prefix.last().cloned(), prefix.to_vec());
            }
            UseTree::Name(name) => {
                self.import(name.span(), Some(name.ident.to_string()), with(&name.ident));
            }
            UseTree::Rename(rename) => {
                let target = if rename.ident == "self" {
                    prefix.to_vec()
                } else {
                    with(&rename.ident)
                };
                self.import(rename.span(), Some(rename.rename.to_string()), target);
            }
            UseTree::Glob(glob) => {
                self.used(line(glob), UseKind::Glob(prefix.to_vec()));
                self.globs.insert(prefix.to_vec());
            }
        }
    }

    fn import(&mut self, span: proc_macro2::Span, name: Option<String>, target: Vec<String>) {
        self.used(span.start().line, UseKind::Import(target.clone()));
        if let Some(name) = name.filter(|name| name != "_") {
            self.bind(&name, target);
        }
    }

    /// The tokens of a macro: what looks like a path is one.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        let mut after_dot = false;
        let mut method: Option<String> = None;
        let mut begin = 0;
        for token in tokens {
            let line = token.span().start().line;
            let called = method.take();
            match token {
                TokenTree::Ident(name) => {
                    let name = name.to_string();
                    if colons != 2 {
                        self.path(begin, &mut path);
                        begin = line;
                    }
                    match &*name {
                        "async" => self.used(line, UseKind::Async),
                        "await" if after_dot => self.used(line, UseKind::Async),
                        _ if after_dot => method = Some(name),
                        _ => path.push(name),
                    }
                    (colons, after_dot) = (0, false);
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Punct(mark) if mark.as_char() == '!' => {
                    if let [name] = &path[..] {
                        self.used(begin, UseKind::Macro(name.clone()));
                    }
                    self.path(begin, &mut path);
                    (colons, after_dot) = (0, false);
                }
                TokenTree::Punct(mark) => {
                    self.path(begin, &mut path);
                    (colons, after_dot) = (0, mark.as_char() == '.');
                }
                TokenTree::Group(group) => {
                    if let Some(name) = called {
                        self.used(line, UseKind::Method(name));
                    }
                    self.path(begin, &mut path);
                    (colons, after_dot) = (0, false);
                    self.tokens(group.stream());
                }
                TokenTree::Literal(_) => {
                    self.path(begin, &mut path);
                    (colons, after_dot) = (0, false);
                }
            }
        }
        self.path(begin, &mut path);
    }

    fn path(&mut self, line: usize, path: &mut Vec<String>) {
        if !path.is_empty() {
            self.used(line, UseKind::Path(std::mem::take(path)));
        }
    }
}

fn line(node: &impl Spanned) -> usize {
    node.span().start().line
}

fn segments(path: &Path) -> Vec<String> {
    path.segments
        .iter()
        .map(|segment| segment.ident.to_string())
        .collect()
}

/// The name that an item declares.
#[must_use]
pub fn declared_name(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Macro(item) => item.ident.as_ref()?.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        _ => return None,
    })
}

fn item_attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn skipped(attributes: &[Attribute]) -> bool {
    source::is_for_tests(attributes)
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item(&mut self, item: &'ast Item) {
        if skipped(item_attributes(item)) {
            return;
        }
        match item {
            // A module of its own.
            Item::Mod(_) => {}
            Item::Use(item) => self.imported(&item.tree, &[]),
            Item::ExternCrate(item) => {
                let target = vec![item.ident.to_string()];
                self.used(line(item), UseKind::Import(target.clone()));
                if let Some((_, name)) = &item.rename {
                    self.bind(&name.to_string(), target);
                }
            }
            Item::Type(alias) => {
                if let Type::Path(path) = &*alias.ty {
                    self.bind(&alias.ident.to_string(), segments(&path.path));
                }
                visit::visit_item(self, item);
            }
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes: &[Attribute] = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            _ => &[],
        };
        if !skipped(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let attributes: &[Attribute] = match item {
            TraitItem::Const(item) => &item.attrs,
            TraitItem::Fn(item) => &item.attrs,
            TraitItem::Type(item) => &item.attrs,
            _ => &[],
        };
        if !skipped(attributes) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if !skipped(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_local(&mut self, local: &'ast Local) {
        if !skipped(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        if !skipped(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        self.used(line(path), UseKind::Path(segments(path)));
        visit::visit_path(self, path);
    }

    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        // `<Instant>::now` and `<Instant as Trait>::now` are `Instant::now`.
        if let Some(of) = &path.qself
            && let Type::Path(of) = &*of.ty
            && let Some(last) = path.path.segments.last()
        {
            let mut named = segments(&of.path);
            named.push(last.ident.to_string());
            self.used(line(path), UseKind::Path(named));
        }
        visit::visit_expr_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        if let Some(name) = call.path.get_ident() {
            self.used(line(call), UseKind::Macro(name.to_string()));
        }
        self.tokens(call.tokens.clone());
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        if signature.asyncness.is_some() {
            self.used(line(signature), UseKind::Async);
        }
        visit::visit_signature(self, signature);
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        self.used(line(block), UseKind::Async);
        visit::visit_expr_async(self, block);
    }

    fn visit_expr_await(&mut self, wait: &'ast syn::ExprAwait) {
        self.used(line(&wait.await_token), UseKind::Async);
        visit::visit_expr_await(self, wait);
    }

    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        if closure.asyncness.is_some() {
            self.used(line(closure), UseKind::Async);
        }
        visit::visit_expr_closure(self, closure);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.used(line(&call.method), UseKind::Method(call.method.to_string()));
        visit::visit_expr_method_call(self, call);
    }
}

/// How many imports and re-exports a name is followed through.
const DEPTH_MAX: usize = 24;

/// The names of all crates of the house, and how they hang together.
#[derive(Debug, Default)]
pub struct House {
    modules: BTreeMap<Vec<String>, Names>,
    /// Names of crates that are not of the house.
    external: BTreeSet<String>,
}

impl House {
    /// The names of `modules`; `external` are the other crates that they may name, beside the standard library's.
    #[must_use]
    pub fn new<'a>(
        modules: impl IntoIterator<Item = &'a Module>,
        external: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut house = Self::default();
        for module in modules {
            let names = if module.for_tests {
                Names::default()
            } else {
                Names::of(module)
            };
            house
                .modules
                .entry(module.path.clone())
                .or_default()
                .merge(names);
        }
        house.external = external.into_iter().collect();
        for own in ["alloc", "core", "std"] {
            house.external.insert(own.to_owned());
        }
        house
    }

    /// What the module at `path` uses.
    #[must_use]
    pub fn uses(&self, path: &[String]) -> &[Use] {
        self.modules.get(path).map_or(&[], |names| &names.uses)
    }

    /// What a path written in the module `within` may mean, from the name of a crate on. Nothing for what is local,
    /// such as a variable or a type parameter.
    #[must_use]
    pub fn resolve(&self, within: &[String], path: &[String]) -> BTreeSet<Vec<String>> {
        self.resolve_module(within, path, DEPTH_MAX)
    }

    /// As [`House::resolve`], for a path that an import brings in: there a crate's name alone is the crate.
    #[must_use]
    pub fn resolve_import(&self, within: &[String], path: &[String]) -> BTreeSet<Vec<String>> {
        let mut found = self.resolve(within, path);
        if let [name] = path
            && found.is_empty()
            && self.external.contains(name)
        {
            found.insert(path.to_vec());
        }
        found
    }

    fn resolve_into(
        &self,
        within: &[String],
        path: &[String],
        depth: usize,
        found: &mut BTreeSet<Vec<String>>,
    ) {
        let (Some((first, rest)), Some(depth)) = (path.split_first(), depth.checked_sub(1)) else {
            return;
        };
        let parent = || within.split_last().map_or(&[][..], |(_, parent)| parent);
        match &**first {
            "crate" | "$crate" => {
                let root = within.iter().take(1).cloned().collect::<Vec<_>>();
                return self.walk(&joined(&root, rest), depth, found);
            }
            "self" => return self.walk(&joined(within, rest), depth, found),
            "super" if rest.first().is_some_and(|next| next == "super") => {
                return self.resolve_into(parent(), rest, depth, found);
            }
            "super" => return self.walk(&joined(parent(), rest), depth, found),
            _ => {}
        }
        let Some(names) = self.modules.get(within) else {
            return;
        };
        let before = found.len();
        let child = joined(within, std::slice::from_ref(first));
        let is_here = self.modules.contains_key(&child) || names.declared.contains(first);
        for target in names.bindings.get(first).into_iter().flatten() {
            let full = joined(target, rest);
            if target.first() != Some(first) {
                self.resolve_into(within, &full, depth, found);
            } else if is_here {
                // `use walk::walk;` beside `mod walk;`.
                self.walk(&joined(within, &full), depth, found);
            } else {
                // `use tokio;` names the crate, not itself.
                self.walk(&full, depth, found);
            }
        }
        if is_here {
            self.walk(&joined(within, path), depth, found);
        }
        if found.len() == before {
            for glob in &names.globs {
                for module in self.resolve_module(within, glob, depth) {
                    if module != within && self.knows(&module, first) {
                        self.resolve_into(&module, path, depth, found);
                    }
                }
            }
        }
        // A crate's name alone is a variable's.
        if found.len() == before
            && !rest.is_empty()
            && (self.external.contains(first)
                || self.modules.contains_key(std::slice::from_ref(first)))
        {
            self.walk(path, depth, found);
        }
    }

    fn resolve_module(
        &self,
        within: &[String],
        path: &[String],
        depth: usize,
    ) -> BTreeSet<Vec<String>> {
        let mut found = BTreeSet::new();
        self.resolve_into(within, path, depth, &mut found);
        found
    }

    fn knows(&self, module: &[String], name: &str) -> bool {
        let child = joined(module, &[name.to_owned()]);
        self.modules.contains_key(&child)
            || self.modules.get(module).is_some_and(|names| {
                names.bindings.contains_key(name)
                    || names.declared.contains(name)
                    || !names.globs.is_empty()
            })
    }

    /// Follows a path from the name of its crate on, through the modules it passes.
    fn walk(&self, path: &[String], depth: usize, found: &mut BTreeSet<Vec<String>>) {
        let mut at = 0;
        while at < path.len()
            && path
                .get(..=at)
                .is_some_and(|to| self.modules.contains_key(to))
        {
            at += 1;
        }
        let (Some(within), Some(rest)) = (path.get(..at), path.get(at..)) else {
            return;
        };
        let bound = |names: &Names| {
            rest.first().is_some_and(|next| {
                !names.declared.contains(next)
                    && (names.bindings.contains_key(next) || !names.globs.is_empty())
            })
        };
        if self.modules.get(within).is_some_and(bound) {
            let before = found.len();
            self.resolve_into(within, rest, depth, found);
            if found.len() > before {
                return;
            }
        }
        found.insert(path.to_vec());
    }
}

fn joined(first: &[String], rest: &[String]) -> Vec<String> {
    first.iter().chain(rest).cloned().collect()
}
