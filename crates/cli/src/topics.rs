//! `milena topics`: list, create, describe, add partitions, delete records, delete.

use milena::Admin;
use milena::admin::{NewTopic, TopicDescription, TopicListing};

use crate::connect::Connect;
use crate::failure::{Failure, chain};
use crate::output::{Output, count, table};

/// What to do with topics, and how to print it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object a line instead of tables and sentences.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// What to do with topics.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the topics and how many partitions they have.
    List {
        /// Kafka's own topics too.
        #[arg(long)]
        internal: bool,
    },
    /// Create topics.
    Create(Create),
    /// Describe topics: leader, replicas and in-sync replicas of every partition.
    Describe {
        /// The topics.
        #[arg(required = true, value_name = "TOPIC")]
        topics: Vec<String>,
    },
    /// Raise the number of partitions of a topic.
    AddPartitions {
        /// The topic.
        topic: String,
        /// How many partitions it shall have, those that are there included.
        #[arg(long, value_name = "PARTITIONS", allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(1..))]
        to: i32,
    },
    /// Delete the records of a partition that lie before an offset.
    DeleteRecords {
        /// The topic.
        topic: String,
        /// The partition, from 0.
        #[arg(long, short, allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(0..))]
        partition: i32,
        /// The first offset to keep; without it all records up to the high watermark are deleted.
        #[arg(long, value_name = "OFFSET", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..))]
        before: Option<i64>,
    },
    /// Delete topics with all their records.
    Delete {
        /// The topics.
        #[arg(required = true, value_name = "TOPIC")]
        topics: Vec<String>,
    },
}

/// How to create topics.
#[derive(Debug, clap::Args)]
struct Create {
    /// The topics.
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// Partitions of each; the broker's default if unset.
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// Replicas of each partition; the broker's default if unset.
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(i16).range(1..))]
    replication_factor: Option<i16>,
    /// A configuration of the topic, such as `cleanup.policy=compact`. Repeatable.
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = config)]
    configs: Vec<(String, String)>,
}

fn config(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(crate) async fn run(connect: &Connect, args: Args) -> Result<(), Failure> {
    let admin = connect.admin()?;
    let mut output = Output::stdout();
    let json = args.json;
    let outcome = match args.command {
        Command::List { internal } => list(&admin, &mut output, internal, json).await,
        Command::Create(create) => {
            let topics: Vec<_> = create
                .topics
                .iter()
                .map(|name| new_topic(name, &create))
                .collect();
            each(admin.create_topics(&topics).await?, |name, created| {
                if json {
                    return output.json(&serde_json::json!({
                        "created": name,
                        "topic_id": created.topic_id.to_string(),
                        "partitions": created.partitions,
                        "replication_factor": created.replication_factor,
                    }));
                }
                let partitions = count(created.partitions, "partition");
                output.line(&format!("created {name} with {partitions}"))
            })
        }
        Command::Describe { topics } => {
            each(admin.describe_topics(&topics).await?, |name, topic| {
                if json {
                    return output.json(&described(name, &topic));
                }
                describe(&mut output, name, &topic)
            })
        }
        Command::AddPartitions { topic, to } => {
            let raised = admin.create_partitions(&[(topic, to)]).await?;
            each(raised, |name, ()| {
                if json {
                    return output.json(&serde_json::json!({ "topic": name, "partitions": to }));
                }
                output.line(&format!("{name} has {} now", count(to, "partition")))
            })
        }
        Command::DeleteRecords {
            topic,
            partition,
            before,
        } => {
            let first = admin.delete_records(&topic, partition, before).await?;
            deleted_before(&mut output, (&topic, partition), first, json)
        }
        Command::Delete { topics } => each(admin.delete_topics(&topics).await?, |name, ()| {
            if json {
                return output.json(&serde_json::json!({ "deleted": name }));
            }
            output.line(&format!("deleted {name}"))
        }),
    };
    output.flush()?;
    admin.close().await;
    outcome
}

async fn list(
    admin: &Admin,
    output: &mut Output,
    internal: bool,
    json: bool,
) -> Result<(), Failure> {
    let mut topics = admin.list_topics().await?;
    topics.retain(|topic| internal || !topic.is_internal);
    topics.sort_by(|one, other| one.name.cmp(&other.name));
    if !json {
        let row = |topic: &TopicListing| vec![topic.name.clone(), topic.partitions.to_string()];
        let rows: Vec<_> = topics.iter().map(row).collect();
        return Ok(output.line(&table(&["TOPIC", "PARTITIONS"], &rows))?);
    }
    for topic in &topics {
        output.json(&serde_json::json!({
            "topic": topic.name,
            "topic_id": topic.topic_id.to_string(),
            "partitions": topic.partitions,
            "internal": topic.is_internal,
        }))?;
    }
    Ok(())
}

fn deleted_before(
    output: &mut Output,
    (topic, partition): (&str, i32),
    first: i64,
    json: bool,
) -> Result<(), Failure> {
    if json {
        output.json(&serde_json::json!({
            "topic": topic, "partition": partition, "log_start_offset": first,
        }))?;
    } else {
        output.line(&format!(
            "{topic}-{partition} begins with offset {first} now"
        ))?;
    }
    Ok(())
}

fn new_topic(name: &str, create: &Create) -> NewTopic {
    let mut topic = NewTopic::new(name);
    topic.partitions = create.partitions;
    topic.replication_factor = create.replication_factor;
    topic.configs.clone_from(&create.configs);
    topic
}

/// Prints what went well, and fails in one line with all that did not.
pub(crate) fn each<T>(
    results: Vec<(String, Result<T, milena::Error>)>,
    mut print: impl FnMut(&str, T) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let mut failed = Vec::new();
    for (name, result) in results {
        match result {
            Ok(value) => print(&name, value)?,
            Err(error) => {
                let line = chain(&error);
                let named = line.contains(&name);
                failed.push(if named {
                    line
                } else {
                    format!("{name}: {line}")
                });
            }
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::Said(failed.join("; ")))
    }
}

/// Fails at once, and in one line, where the topic is missing: a producer would wait for it to
/// appear. Gives the number of its partitions.
pub(crate) async fn require(connect: &Connect, topic: &str) -> Result<i32, Failure> {
    let admin = connect.admin_quietly()?;
    let described = admin.describe_topics(&[topic.to_owned()]).await;
    admin.close().await;
    let mut partitions = 0;
    each(described?, |_, topic| {
        partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        Ok(())
    })?;
    Ok(partitions)
}

fn described(name: &str, topic: &TopicDescription) -> serde_json::Value {
    let partitions: Vec<_> = topic
        .partitions
        .iter()
        .map(|partition| {
            serde_json::json!({
                "partition": partition.partition,
                "leader": partition.leader,
                "leader_epoch": partition.leader_epoch,
                "replicas": partition.replicas,
                "in_sync_replicas": partition.in_sync_replicas,
                "offline_replicas": partition.offline_replicas,
            })
        })
        .collect();
    serde_json::json!({
        "topic": name,
        "topic_id": topic.topic_id.to_string(),
        "internal": topic.is_internal,
        "partitions": partitions,
    })
}

fn describe(output: &mut Output, name: &str, topic: &TopicDescription) -> std::io::Result<()> {
    let brokers = |ids: &[i32]| {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        ids.join(",")
    };
    let rows: Vec<_> = topic
        .partitions
        .iter()
        .map(|partition| {
            vec![
                partition.partition.to_string(),
                partition
                    .leader
                    .map_or("-".to_owned(), |leader| leader.to_string()),
                partition
                    .leader_epoch
                    .map_or("-".to_owned(), |epoch| epoch.to_string()),
                brokers(&partition.replicas),
                brokers(&partition.in_sync_replicas),
                brokers(&partition.offline_replicas),
            ]
        })
        .collect();
    output.line(&format!("{name}  id {}", topic.topic_id))?;
    let heading = [
        "PARTITION",
        "LEADER",
        "EPOCH",
        "REPLICAS",
        "IN SYNC",
        "OFFLINE",
    ];
    output.line(&table(&heading, &rows))
}
