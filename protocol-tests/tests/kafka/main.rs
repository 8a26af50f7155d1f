//! All tests on real brokers, in one program: its tests share one broker of each flavour.

#[cfg(test)]
mod admin;
#[cfg(test)]
mod differential;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod identical;
#[cfg(test)]
mod network;
#[cfg(test)]
mod old_segments;
#[cfg(test)]
mod rejections;
#[cfg(test)]
mod served_versions;
#[cfg(test)]
mod support;
#[cfg(test)]
mod transactions;
#[cfg(feature = "two-phase-commit")]
#[cfg(test)]
mod two_phase;
#[cfg(test)]
mod verdicts;
