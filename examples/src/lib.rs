//! Small programs to start from; see the README beside this package.

/// The code in the repository's README compiles, and what can run without a broker elsewhere runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// The arguments of a program, with what is used where one is left out.
pub fn arguments<const N: usize>(defaults: [&str; N]) -> [String; N] {
    let mut given = std::env::args().skip(1);
    defaults.map(|default| given.next().unwrap_or_else(|| default.to_owned()))
}
