//! Breaks a cluster of three real brokers under milena's clients, and says which promises were broken.
//!
//! `cargo run --release -p milena-protocol-tests --bin breaking-cluster -- [--workload NAME]... [--seconds N] [--seed S] [--kafka FLAVOUR]`
//!
//! The workloads are `produce`, `transact`, `copy` and `rivals`; all of them side by side if none is named. With
//! `late` alone the brokers are left in peace, and requests come late (KAFKA-17754). 60 seconds, a seed of its own
//! and `kafka_4_3_1_tv2` unless told otherwise. The exit code is 0 if no promise was broken.
//! As `breaking-cluster client …` it is one of the clients.

use std::process::ExitCode;
use std::time::Duration;

use milena_protocol_tests::breaking::{Plan, Workload, client, run};
use milena_protocol_tests::flavour::by_name;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((first, rest)) if first == "client" => {
            client::run(rest.first().map_or("", String::as_str)).map(|()| true)
        }
        _ => plan(&arguments).and_then(|plan| execute(&plan)),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("breaking-cluster: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn execute(plan: &Plan) -> Result<bool, String> {
    eprintln!(
        "seed {}, {:?}, {:?}",
        plan.seed, plan.length, plan.workloads
    );
    let report = run(plan).map_err(|failure| failure.to_string())?;
    println!("{report}");
    Ok(report.violations.is_empty())
}

fn plan(arguments: &[String]) -> Result<Plan, String> {
    let mut plan = Plan {
        seed: fastrand::u64(..1_000_000),
        length: Duration::from_secs(60),
        workloads: Vec::new(),
        flavour: by_name::kafka_4_3_1_tv2,
        program: std::env::current_exe().map_err(|error| error.to_string())?,
    };
    for pair in arguments.chunks(2) {
        let [option, value] = pair else {
            return Err(format!("{} needs a value", pair.concat()));
        };
        let number = || {
            let number = value.parse::<u64>();
            number.map_err(|_| format!("{option} {value}: not a number"))
        };
        match option.as_str() {
            "--seconds" => plan.length = Duration::from_secs(number()?),
            "--seed" => plan.seed = number()?,
            "--workload" => plan.workloads.push(workload(value)?),
            "--kafka" => {
                let flavours = [
                    by_name::kafka_4_4_0,
                    by_name::kafka_4_3_1_tv2,
                    by_name::kafka_4_3_1_tv1,
                    by_name::kafka_4_3_1_tv0,
                    by_name::kafka_3_9_2,
                ];
                let named = flavours.into_iter().find(|flavour| flavour.name() == value);
                plan.flavour = named.ok_or_else(|| format!("there is no flavour {value}"))?;
            }
            _ => return Err(format!("there is no option {option}")),
        }
    }
    if plan.workloads.is_empty() {
        plan.workloads = Workload::ALL.to_vec();
    }
    Ok(plan)
}

fn workload(name: &str) -> Result<Workload, String> {
    let named = Workload::NAMED.into_iter().find(|it| it.name() == name);
    named.ok_or_else(|| {
        let names = Workload::NAMED.map(Workload::name);
        format!(
            "there is no workload {name}; take one of {}",
            names.join(", ")
        )
    })
}
