//! Answers as text in which both brokers agree: producers are numbered by first appearance, partitions
//! within the sequence, times from its beginning.

use super::player::Player;
use super::step::{Answer, Learnt, Partition};
use kafka_protocol::messages::describe_producers_response::PartitionResponse;
use kafka_protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    AddPartitionsToTxnResponse, DescribeTransactionsResponse, FetchResponse, OffsetFetchResponse,
};
use milena_codec::ErrorCode;
use milena_codec::record::Batches;
use std::fmt::Write as _;

pub(super) fn code(code: i16) -> Answer {
    Answer {
        text: name(code),
        learnt: Learnt::Nothing,
    }
}

pub(super) fn name(code: i16) -> String {
    ErrorCode::from(code).name().to_owned()
}

/// A producer id as both brokers have it.
fn producer(player: &Player, producer_id: i64) -> String {
    match player.producers.iter().position(|id| *id == producer_id) {
        Some(index) => format!("p{index}"),
        None if producer_id == -1 => "none".to_owned(),
        None => "p?".to_owned(),
    }
}

fn partition(player: &Player, index: i32) -> String {
    match index - player.place.partition {
        own @ 0.. if usize::try_from(own).is_ok_and(|own| own < Partition::COUNT) => {
            own.to_string()
        }
        _ => "missing".to_owned(),
    }
}

fn time(player: &Player, timestamp: i64) -> String {
    match timestamp {
        -1 => "-1".to_owned(),
        // Markers carry the broker's clock.
        marker if marker < player.place.time => "now".to_owned(),
        time => format!("+{}", time - player.place.time),
    }
}

pub(super) fn identity(player: &mut Player, code: i16, producer_id: i64, epoch: i16) -> Answer {
    let mut learnt = Learnt::Nothing;
    if code == 0 && producer_id >= 0 {
        learnt = Learnt::Identity(player.meet(producer_id, epoch));
    }
    let text = format!("{} {} e{epoch}", name(code), producer(player, producer_id));
    Answer { text, learnt }
}

pub(super) fn produced(partition: &PartitionProduceResponse) -> Answer {
    let (code, offset) = (partition.error_code, partition.base_offset);
    let mut text = format!("{} at {offset}", name(code));
    let _ = write!(
        text,
        ", log start {}, append time {}",
        partition.log_start_offset, partition.log_append_time_ms
    );
    for error in &partition.record_errors {
        let _ = write!(text, ", record {} refused", error.batch_index);
    }
    let learnt = match code {
        0 => Learnt::Appended(offset),
        _ => Learnt::Nothing,
    };
    Answer { text, learnt }
}

/// The code of each partition of an AddPartitionsToTxn, or of the whole.
pub(super) fn added_codes(answer: &AddPartitionsToTxnResponse) -> impl Iterator<Item = (i32, i16)> {
    let whole = (answer.error_code != 0).then_some((-1, answer.error_code));
    let transactions = answer.results_by_transaction.iter();
    let topics = transactions.flat_map(|transaction| &transaction.topic_results);
    let topics = topics.chain(&answer.results_by_topic_v3_and_below);
    let partitions = topics.flat_map(|topic| &topic.results_by_partition);
    let codes = partitions.map(|p| (p.partition_index, p.partition_error_code));
    whole.into_iter().chain(codes)
}

pub(super) fn added(player: &Player, answer: &AddPartitionsToTxnResponse) -> Answer {
    let codes = added_codes(answer);
    let mut codes: Vec<String> = codes
        .map(|(index, code)| format!("{}: {}", partition(player, index), name(code)))
        .collect();
    codes.sort();
    Answer {
        text: codes.join(", "),
        learnt: Learnt::Nothing,
    }
}

pub(super) fn fetched(player: &Player, answer: &FetchResponse) -> Answer {
    let mut text = name(answer.error_code);
    for data in answer.responses.iter().flat_map(|topic| &topic.partitions) {
        let _ = write!(
            text,
            " {} high watermark {}, last stable {}, log start {}, aborted ",
            name(data.error_code),
            data.high_watermark,
            data.last_stable_offset,
            data.log_start_offset
        );
        match &data.aborted_transactions {
            None => text.push_str("null"),
            Some(listed) => {
                let listed = listed.iter();
                let listed = listed
                    .map(|t| format!("{}@{}", producer(player, t.producer_id.0), t.first_offset));
                text.push_str(&listed.collect::<Vec<_>>().join(" "));
            }
        }
        text.push_str(", batches");
        for batch in Batches::new(data.records.clone().unwrap_or_default()) {
            let batch = batch.unwrap();
            batch.check_crc().unwrap();
            let who = batch.producer();
            let _ = write!(
                text,
                " [{}-{} {} e{} s{} n{}{}{} t{}",
                batch.base_offset(),
                batch.last_offset(),
                producer(player, who.producer_id.0),
                who.producer_epoch.0,
                batch.base_sequence().0,
                batch.record_count(),
                if batch.is_transactional() { " T" } else { "" },
                if batch.is_control() { " C" } else { "" },
                time(player, batch.max_timestamp()),
            );
            if batch.is_control() {
                let _ = write!(text, " {:?}", batch.control().unwrap().unwrap());
            }
            text.push(']');
        }
    }
    Answer {
        text,
        learnt: Learnt::Nothing,
    }
}

pub(super) fn listed(player: &Player, partition: &ListOffsetsPartitionResponse) -> Answer {
    Answer {
        text: format!(
            "{} {} at {}, leader epoch {}",
            name(partition.error_code),
            partition.offset,
            time(player, partition.timestamp),
            partition.leader_epoch
        ),
        learnt: Learnt::Nothing,
    }
}

pub(super) fn offsets(player: &Player, answer: &OffsetFetchResponse) -> Answer {
    let mut text = name(answer.error_code);
    let old = answer.topics.iter().flat_map(|topic| &topic.partitions);
    let old = old.map(|p| (p.partition_index, p.error_code, p.committed_offset));
    let groups = answer.groups.iter();
    for group in groups.clone() {
        let _ = write!(text, " {}", name(group.error_code));
    }
    let new = groups.flat_map(|group| &group.topics);
    let new = new.flat_map(|topic| &topic.partitions);
    let new = new.map(|p| (p.partition_index, p.error_code, p.committed_offset));
    let mut all: Vec<_> = old.chain(new).collect();
    all.sort_unstable();
    for (index, code, offset) in all {
        let _ = write!(
            text,
            ", {}: {} {offset}",
            partition(player, index),
            name(code)
        );
    }
    Answer {
        text,
        learnt: Learnt::Nothing,
    }
}

pub(super) fn producers(player: &Player, partition: &PartitionResponse) -> Answer {
    let mut writers: Vec<String> = partition
        .active_producers
        .iter()
        .map(|writer| {
            format!(
                "{} e{} last s{} open at {} coordinator e{} last t{}",
                producer(player, writer.producer_id.0),
                writer.producer_epoch,
                writer.last_sequence,
                writer.current_txn_start_offset,
                writer.coordinator_epoch,
                time(player, writer.last_timestamp)
            )
        })
        .collect();
    writers.sort();
    Answer {
        text: format!("{} {}", name(partition.error_code), writers.join("; ")),
        learnt: Learnt::Nothing,
    }
}

pub(super) fn transactions(player: &Player, answer: &DescribeTransactionsResponse) -> Answer {
    let state = &answer.transaction_states[0];
    if state.error_code != 0 {
        // All else is what an empty message holds, and 0 is some producer's id.
        return code(state.error_code);
    }
    let topics = state.topics.iter();
    let mut partitions: Vec<String> = topics
        .flat_map(|topic| topic.partitions.iter().map(move |p| (&topic.topic, *p)))
        .map(|(topic, index)| match ***topic == *player.place.topic {
            true => partition(player, index),
            // Which partition the group is kept in depends on how many there are.
            false => topic.to_string(),
        })
        .collect();
    partitions.sort();
    Answer {
        text: format!(
            "{} {} {} e{} timeout {} {} partitions {}",
            name(state.error_code),
            &*state.transaction_state,
            producer(player, state.producer_id.0),
            state.producer_epoch,
            state.transaction_timeout_ms,
            match state.transaction_start_time_ms {
                -1 => "not started",
                _ => "started",
            },
            partitions.join(" ")
        ),
        learnt: Learnt::Nothing,
    }
}
