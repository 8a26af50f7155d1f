//! Connections to Kafka brokers.
