//! Clients that are not ours on the embedded broker: Apache Kafka's own, its command line tools, and
//! librdkafka through kcat and confluent-kafka. They know nothing of milena, so they say whether the broker speaks Kafka.

#[cfg(test)]
mod confluent;
#[cfg(test)]
mod embedded;
#[cfg(test)]
mod java_admin;
#[cfg(test)]
mod java_groups;
#[cfg(test)]
mod java_producers;
#[cfg(test)]
mod java_tools;
#[cfg(test)]
mod kcat;
