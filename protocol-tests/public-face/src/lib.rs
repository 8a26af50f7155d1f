//! A package with two dependencies, milena and tokio, as an application has them: its tests use every setting, and
//! name every type that a set-up needs, so that nothing of the public interface is reachable through another crate only.
