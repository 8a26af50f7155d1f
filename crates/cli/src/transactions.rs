//! `milena transactions`: list, describe.

use milena::admin::TransactionDescription;

use crate::connect::Connect;
use crate::failure::Failure;
use crate::offset::utc;
use crate::output::{Output, table};
use crate::topics::each;

/// What to do with transactions, and how to print it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object a line instead of tables.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// What to do with transactions.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the transactional ids that coordinators know, and their states.
    List {
        /// Only those in this state, such as Ongoing. Repeatable.
        #[arg(long = "state", value_name = "STATE")]
        states: Vec<String>,
    },
    /// Describe transactional ids: producer, state, timeout, start, partitions.
    Describe {
        /// The transactional ids.
        #[arg(required = true, value_name = "TRANSACTIONAL_ID")]
        ids: Vec<String>,
    },
}

pub(crate) async fn run(connect: &Connect, args: Args) -> Result<(), Failure> {
    let admin = connect.admin()?;
    let mut output = Output::stdout();
    let json = args.json;
    let outcome = match args.command {
        Command::List { states } => {
            let mut transactions = admin.list_transactions(&states).await?;
            transactions.sort_by(|one, other| one.transactional_id.cmp(&other.transactional_id));
            if json {
                for transaction in &transactions {
                    output.json(&serde_json::json!({
                        "transactional_id": transaction.transactional_id,
                        "state": transaction.state,
                        "producer_id": transaction.producer_id,
                        "coordinator": transaction.coordinator,
                    }))?;
                }
                output.flush()?;
                admin.close().await;
                return Ok(());
            }
            let rows: Vec<_> = transactions
                .into_iter()
                .map(|transaction| {
                    let coordinator = transaction.coordinator.to_string();
                    let producer = transaction.producer_id.to_string();
                    vec![
                        transaction.transactional_id,
                        transaction.state,
                        producer,
                        coordinator,
                    ]
                })
                .collect();
            let heading = ["TRANSACTIONAL ID", "STATE", "PRODUCER ID", "COORDINATOR"];
            output.line(&table(&heading, &rows))?;
            Ok(())
        }
        Command::Describe { ids } => each(admin.describe_transactions(&ids).await?, |id, found| {
            if json {
                return output.json(&described(id, &found));
            }
            describe(&mut output, id, &found)
        }),
    };
    output.flush()?;
    admin.close().await;
    outcome
}

fn described(id: &str, transaction: &TransactionDescription) -> serde_json::Value {
    let partitions: Vec<_> = transaction
        .partitions
        .iter()
        .map(|(topic, partition)| serde_json::json!({ "topic": topic, "partition": partition }))
        .collect();
    serde_json::json!({
        "transactional_id": id,
        "state": transaction.state,
        "coordinator": transaction.coordinator,
        "producer_id": transaction.producer_id,
        "producer_epoch": transaction.producer_epoch,
        "timeout_ms": u64::try_from(transaction.timeout.as_millis()).unwrap_or(u64::MAX),
        "started_ms": transaction.started,
        "partitions": partitions,
    })
}

fn describe(
    output: &mut Output,
    id: &str,
    transaction: &TransactionDescription,
) -> std::io::Result<()> {
    let started = transaction.started.map_or("-".to_owned(), utc);
    let partitions: Vec<_> = transaction
        .partitions
        .iter()
        .map(|(topic, partition)| format!("{topic}-{partition}"))
        .collect();
    let coordinator = transaction
        .coordinator
        .map_or("-".to_owned(), |id| id.to_string());
    output.line(id)?;
    for (name, value) in [
        ("state", transaction.state.clone()),
        ("coordinator", coordinator),
        ("producer id", transaction.producer_id.to_string()),
        ("producer epoch", transaction.producer_epoch.to_string()),
        ("timeout", format!("{:?}", transaction.timeout)),
        ("started", started),
        (
            "partitions",
            if partitions.is_empty() {
                "-".to_owned()
            } else {
                partitions.join(" ")
            },
        ),
    ] {
        output.line(&format!("  {name:<14}  {value}"))?;
    }
    Ok(())
}
