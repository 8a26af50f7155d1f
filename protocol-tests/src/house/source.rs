//! Follows the modules of a crate and tells the product from its tests.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "syn's kinds of expressions grow with the language"
)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Item, ItemMod, Lit, Meta, MetaNameValue, Token};

/// Whether only developers switch a feature on: their names begin with an underscore.
fn is_for_developers(feature: &str) -> bool {
    feature.starts_with('_') || feature == "proptest"
}

/// One module of a crate: a file, or a `mod name { … }` inside one.
pub struct Module {
    /// The file, from the repository's root, such as `crates/client/src/producer/queue.rs`.
    pub file: String,
    /// The name of the crate as code spells it, then the modules down to this one.
    pub path: Vec<String>,
    /// Everything declared here. Modules with a body are modules of their own as well.
    pub items: Vec<Item>,
    /// Whether it is compiled for tests only.
    pub for_tests: bool,
}

/// All modules of the crate in `folder` (from the repository's root, such as `crates/codec`), its root first.
///
/// # Errors
///
/// A file that a `mod` declaration names and that cannot be read, or a file that is not Rust
/// (as [`io::ErrorKind::InvalidData`]).
pub fn modules(root: &Path, folder: &str, name: &str) -> io::Result<Vec<Module>> {
    let mut reader = Reader {
        root,
        modules: Vec::new(),
    };
    let main = root.join(folder).join("src/lib.rs");
    let main = if main.exists() {
        main
    } else {
        root.join(folder).join("src/main.rs")
    };
    let children = main.with_file_name("");
    reader.file(&main, &children, vec![name.to_owned()], false)?;
    Ok(reader.modules)
}

/// One module made of a text, for the tests of the tools.
///
/// # Errors
///
/// A text that is not Rust.
pub fn module_of(file: &str, path: &[&str], text: &str) -> syn::Result<Vec<Module>> {
    let items = syn::parse_file(text)?.items;
    let mut modules = Vec::new();
    let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
    inline_modules(file, &path, &items, false, &mut modules);
    modules.insert(
        0,
        Module {
            file: file.to_owned(),
            path,
            items,
            for_tests: false,
        },
    );
    Ok(modules)
}

/// The modules with a body among `items`, and those inside them.
fn inline_modules(
    file: &str,
    path: &[String],
    items: &[Item],
    for_tests: bool,
    into: &mut Vec<Module>,
) {
    for item in items {
        if let Item::Mod(module) = item
            && let Some((_, inner)) = &module.content
        {
            let path = below(path, module);
            let for_tests = for_tests || is_for_tests(&module.attrs);
            inline_modules(file, &path, inner, for_tests, into);
            into.push(Module {
                file: file.to_owned(),
                path,
                items: inner.clone(),
                for_tests,
            });
        }
    }
}

fn below(path: &[String], module: &ItemMod) -> Vec<String> {
    let mut path = path.to_vec();
    path.push(module.ident.to_string());
    path
}

struct Reader<'a> {
    root: &'a Path,
    modules: Vec<Module>,
}

impl Reader<'_> {
    /// Reads `path`, whose modules are in the folder `children`.
    fn file(
        &mut self,
        path: &Path,
        children: &Path,
        name: Vec<String>,
        for_tests: bool,
    ) -> io::Result<()> {
        let with_name = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = fs::read_to_string(path)
            .map_err(|error| io::Error::new(error.kind(), with_name(&error)))?;
        let parsed = syn::parse_file(&text)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, with_name(&error)))?;
        let file = path.strip_prefix(self.root).unwrap_or(path);
        let file = file.to_string_lossy().replace('\\', "/");
        let folder = path.parent().unwrap_or(self.root);
        self.declared(&parsed.items, (folder, children), &name, for_tests)?;
        inline_modules(&file, &name, &parsed.items, for_tests, &mut self.modules);
        let module = Module {
            file,
            path: name,
            items: parsed.items,
            for_tests,
        };
        self.modules.push(module);
        Ok(())
    }

    /// Reads the files that `items` declare as modules. `#[path]` counts from the folder of the file,
    /// other modules are looked for in `children`.
    fn declared(
        &mut self,
        items: &[Item],
        (folder, children): (&Path, &Path),
        name: &[String],
        for_tests: bool,
    ) -> io::Result<()> {
        for item in items {
            let Item::Mod(module) = item else { continue };
            let ident = module.ident.to_string();
            let path = below(name, module);
            let for_tests = for_tests || is_for_tests(&module.attrs);
            let inner = children.join(&ident);
            if let Some((_, items)) = &module.content {
                self.declared(items, (&inner, &inner), &path, for_tests)?;
                continue;
            }
            let (always, sometimes) = named_files(&module.attrs);
            for named in always.iter().chain(&sometimes) {
                let file = folder.join(named);
                let children = file.with_file_name("");
                self.file(&file, &children, path.clone(), for_tests)?;
            }
            if always.is_empty() {
                let file = children.join(format!("{ident}.rs"));
                let file = if file.exists() {
                    file
                } else {
                    inner.join("mod.rs")
                };
                self.file(&file, &inner, path, for_tests)?;
            }
        }
        Ok(())
    }
}

/// The files that `#[path = "…"]` names, and those that it names within a `cfg_attr`.
fn named_files(attributes: &[Attribute]) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut always, mut sometimes) = (Vec::new(), Vec::new());
    for attribute in attributes {
        always.extend(named_file(&attribute.meta));
        if attribute.path().is_ident("cfg_attr") {
            let parser = Punctuated::<Meta, Token![,]>::parse_terminated;
            let inner = attribute.parse_args_with(parser).unwrap_or_default();
            sometimes.extend(inner.iter().skip(1).filter_map(named_file));
        }
    }
    (always, sometimes)
}

fn named_file(attribute: &Meta) -> Option<PathBuf> {
    let Meta::NameValue(MetaNameValue { path, value, .. }) = attribute else {
        return None;
    };
    if let Expr::Lit(ExprLit {
        lit: Lit::Str(file),
        ..
    }) = value
        && path.is_ident("path")
    {
        return Some(PathBuf::from(file.value()));
    }
    None
}

/// Whether these attributes leave something out of every build that users get: `#[cfg(test)]`,
/// `#[cfg(any(test, feature = "_fuzzing"))]`, `#[test]`, `#[tokio::test]`.
#[must_use]
pub fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        if path.is_ident("cfg") {
            return attribute
                .parse_args::<Meta>()
                .is_ok_and(|condition| holds(&condition) == Some(false));
        }
        path.segments
            .last()
            .is_some_and(|last| last.ident == "test")
    })
}

/// Whether a condition holds in users' builds; `None` if that depends on the build.
fn holds(condition: &Meta) -> Option<bool> {
    match condition {
        Meta::Path(path) if path.is_ident("test") => Some(false),
        Meta::NameValue(feature) if feature.path.is_ident("feature") => match &feature.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(name),
                ..
            }) if is_for_developers(&name.value()) => Some(false),
            _ => None,
        },
        Meta::List(list) => {
            let parser = Punctuated::<Meta, Token![,]>::parse_terminated;
            let inner: Vec<Option<bool>> = list
                .parse_args_with(parser)
                .ok()?
                .iter()
                .map(holds)
                .collect();
            if list.path.is_ident("not") {
                inner.first().copied().flatten().map(|holds| !holds)
            } else if list.path.is_ident("all") {
                decided(&inner, false)
            } else if list.path.is_ident("any") {
                decided(&inner, true)
            } else {
                None
            }
        }
        Meta::Path(_) | Meta::NameValue(_) => None,
    }
}

/// `all` with `by = false`, `any` with `by = true`: one such member decides, else all have to be known.
fn decided(inner: &[Option<bool>], by: bool) -> Option<bool> {
    if inner.contains(&Some(by)) {
        Some(by)
    } else if inner.contains(&None) {
        None
    } else {
        Some(!by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(attribute: &str) -> bool {
        let item: Item = syn::parse_str(&format!("{attribute} fn f() {{}}")).unwrap();
        let Item::Fn(function) = item else {
            panic!("{attribute}")
        };
        is_for_tests(&function.attrs)
    }

    #[test]
    fn what_only_tests_compile_is_told_from_the_product() {
        for attribute in [
            "#[cfg(test)]",
            "#[test]",
            "#[tokio::test(start_paused = true)]",
            "#[cfg(all(test, unix))]",
            "#[cfg(any(test, feature = \"_fuzzing\"))]",
            "#[cfg(all(feature = \"_test-support\", unix))]",
        ] {
            assert!(hidden(attribute), "{attribute}");
        }
        for attribute in [
            "",
            "#[cfg(not(test))]",
            "#[cfg(unix)]",
            "#[cfg(any(test, feature = \"two-phase-commit\"))]",
            "#[cfg(not(feature = \"_fuzzing\"))]",
            "#[inline]",
        ] {
            assert!(!hidden(attribute), "{attribute}");
        }
    }

    #[test]
    fn declared_files_are_followed_from_every_kind_of_module() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join("c/src").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "lib.rs",
            "mod a; mod b; mod c { mod d; } #[cfg_attr(feature = \"z\", path = \"z.rs\")] mod y; #[cfg(test)] #[path = \"elsewhere.rs\"] mod e;",
        );
        write("a.rs", "mod f; fn a() {}");
        write("a/f.rs", "");
        write("b/mod.rs", "mod g;");
        write("b/g.rs", "");
        write("c/d.rs", "");
        write("y.rs", "");
        write("z.rs", "");
        write("elsewhere.rs", "mod h;");
        write("h.rs", "");
        let modules = modules(folder.path(), "c", "c").unwrap();
        let mut found: Vec<String> = modules
            .iter()
            .map(|module| {
                format!(
                    "{} {} {}",
                    module.path.join("::"),
                    module.file,
                    module.for_tests
                )
            })
            .collect();
        found.sort();
        assert_eq!(
            found,
            [
                "c c/src/lib.rs false",
                "c::a c/src/a.rs false",
                "c::a::f c/src/a/f.rs false",
                "c::b c/src/b/mod.rs false",
                "c::b::g c/src/b/g.rs false",
                "c::c c/src/lib.rs false",
                "c::c::d c/src/c/d.rs false",
                "c::e c/src/elsewhere.rs true",
                "c::e::h c/src/h.rs true",
                "c::y c/src/y.rs false",
                "c::y c/src/z.rs false",
            ]
        );
        write("b/mod.rs", "mod missing;");
        let error = super::modules(folder.path(), "c", "c").err().unwrap();
        assert!(error.to_string().contains("missing"), "{error}");
    }
}
