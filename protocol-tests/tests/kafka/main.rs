//! All tests on real brokers, in one program: its tests share one broker of each flavour.

#[cfg(test)]
mod harness;
