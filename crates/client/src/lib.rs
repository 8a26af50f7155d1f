//! Exactly-once Kafka in Rust.
