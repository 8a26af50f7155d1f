//! The rules of this repository about its own sources, checked on the parsed sources.
//!
//! [`source`] follows the `mod` declarations of a crate from its `lib.rs` and knows which items exist only for tests;
//! [`names`] collects every name that a module uses and resolves it through imports, aliases and re-exports;
//! [`purity`] decides whether a resolved name waits, reads a clock or draws chance.
//! [`figures`] measures. The tests are in `tests/purity.rs` and `tests/figures.rs`; `--bin figures` prints.

pub mod figures;
pub mod names;
pub mod purity;
pub mod source;
