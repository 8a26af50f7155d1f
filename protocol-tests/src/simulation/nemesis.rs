//! Makes the scheduled faults happen, and ends them.

use super::fault::{END_TXN, Fault, PRODUCE, Trouble};
use super::network::{Between, HostId, Way};
use super::plan::TROUBLE;
use super::workload::{TRANSACTIONAL_ID, client_id};
use super::world::{GROUP, World};
use milena_broker::{Broker, CoordinatorKind, MoveError, Then, When};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Runs the schedule; returns when nothing is wrong any more.
pub(super) async fn run(world: Arc<World>) {
    let start = Instant::now();
    let schedule: Vec<_> = world
        .plan
        .faults()
        .map(|(_, fault)| fault.clone())
        .collect();
    for timed in schedule {
        sleep_until(start + timed.at).await;
        begin(&world, &timed.fault).await;
    }
    sleep_until(start + TROUBLE).await;
    heal(&world).await;
}

/// Makes everything well.
async fn heal(world: &World) {
    let broker = &world.broker;
    broker.faults().clear();
    for partition in world.partitions() {
        // Partitions of the run exist, so these can only succeed.
        let _ = broker.hold_markers(partition.topic(), partition.partition(), false);
        let _ = broker.hold_high_watermark(partition.topic(), partition.partition(), false);
    }
    for broker_id in broker.broker_ids() {
        // There is no port that could be taken.
        let _ = broker.restart_broker(broker_id).await;
    }
    world.network.heal();
    world.heal();
}

async fn begin(world: &Arc<World>, fault: &Fault) {
    let broker = &world.broker;
    let between = |slot: Option<usize>, broker_id| Between {
        host: slot.and_then(|slot| world.host(slot)),
        broker_id,
    };
    // Brokers and partitions of the plan exist, so what could fail fails only where the broker to move to is
    // stopped; then nothing moves.
    match fault {
        Fault::ChangeTransactionVersion { to } => broker.set_transaction_version(*to),
        Fault::Crash { slot, down } => world.crash(*slot, *down),
        Fault::Cut { slot, broker_id } => world.network.cut(between(*slot, *broker_id)),
        Fault::Freeze {
            slot,
            broker_id,
            to_broker,
            to_client,
            lasting,
        } => {
            let way = match (to_broker, to_client) {
                (true, false) => Some(Way::ToBroker),
                (false, true) => Some(Way::ToClient),
                (true, true) | (false, false) => None,
            };
            let between = between(*slot, *broker_id);
            world.network.freeze(between, way, *lasting);
        }
        Fault::HoldHighWatermark { partition, lasting } => {
            hold(world, *partition, *lasting, Broker::hold_high_watermark);
        }
        Fault::HoldMarkers { partition, lasting } => {
            hold(world, *partition, *lasting, Broker::hold_markers);
        }
        Fault::LoadCoordinator { kind, lasting } => {
            // What is loading cannot be healed: it is ready when it is ready.
            broker.load_coordinator(*kind, key(*kind), world.within_trouble(*lasting));
        }
        Fault::MoveCoordinator { kind, broker_id } => {
            let _ = broker.move_coordinator(*kind, key(*kind), *broker_id);
        }
        Fault::MoveLeader {
            partition,
            broker_id,
        } => {
            if let Some(partition) = world.partitions().get(*partition) {
                let _ = broker.move_leader(partition.topic(), partition.partition(), *broker_id);
            }
        }
        Fault::Overtake { slot, by, at_most } => overtake(world, *slot, *by, *at_most),
        Fault::PauseBroker { broker_id, lasting } => {
            let broker_id = *broker_id;
            let _ = broker.pause_broker(broker_id);
            later(world, *lasting, move |world| {
                let _ = world.broker.resume_broker(broker_id);
            });
        }
        Fault::Requests { api_key, trouble } => requests(world, *api_key, trouble),
        Fault::Sleep { slot, lasting } => world.sleep(*slot, *lasting),
        Fault::Slow {
            broker_id,
            by,
            lasting,
        } => world.network.slow(*broker_id, *by, *lasting),
        Fault::StopBroker { broker_id, lasting } => stop(world, *broker_id, *lasting).await,
    }
}

async fn stop(world: &Arc<World>, broker_id: i32, lasting: Duration) {
    let _ = world.broker.stop_broker(broker_id).await;
    let world = Arc::clone(world);
    tokio::spawn(async move {
        sleep(lasting).await;
        if !world.is_healed() {
            let _ = world.broker.restart_broker(broker_id).await;
        }
    });
}

/// Holds something of a partition for a while.
fn hold(
    world: &Arc<World>,
    partition: usize,
    lasting: Duration,
    hold: impl Fn(&Broker, &str, i32, bool) -> Result<(), MoveError> + Send + 'static,
) {
    let Some(partition) = world.partitions().get(partition).cloned() else {
        return;
    };
    let _ = hold(
        &world.broker,
        partition.topic(),
        partition.partition(),
        true,
    );
    later(world, lasting, move |world| {
        let _ = hold(
            &world.broker,
            partition.topic(),
            partition.partition(),
            false,
        );
    });
}

/// The group or id whose coordinator moves.
fn key(kind: CoordinatorKind) -> &'static str {
    match kind {
        CoordinatorKind::Group => GROUP,
        CoordinatorKind::Transaction => TRANSACTIONAL_ID,
    }
}

fn requests(world: &World, api_key: i16, trouble: &Trouble) {
    let (times, then) = match trouble {
        Trouble::CutAnswer { after } => (1, Then::CutAnswer { after: *after }),
        Trouble::DelayAnswer { by } => (1, Then::DelayAnswer(*by)),
        Trouble::DelayRequest { by } => (1, Then::DelayRequest(*by)),
        Trouble::Hold { .. } => (1, Then::Hold),
        Trouble::LoseAnswer { times, loss } => (*times, Then::LoseAnswer(*loss)),
        Trouble::LoseRequest { times, loss } => (*times, Then::LoseRequest(*loss)),
        Trouble::Refuse { code, times } => (*times, Then::Answer(*code)),
    };
    let scripted = world.broker.faults().times(times, When::api(api_key), then);
    if let Trouble::Hold { lasting } = trouble {
        let lasting = *lasting;
        tokio::spawn(async move {
            sleep(lasting).await;
            // Also what it holds already: the late request.
            scripted.release();
            scripted.remove();
        });
    }
}

/// Keeps the next EndTxn of the client in a slot until its sender has gone on.
fn overtake(world: &Arc<World>, slot: usize, by: u64, at_most: Duration) {
    let Some(HostId(life)) = world.host(slot) else {
        return;
    };
    let of = move |api_key| When::api(api_key).client(client_id(life));
    let faults = world.broker.faults();
    let held = faults.once(of(END_TXN), Then::Hold);
    let world = Arc::clone(world);
    tokio::spawn(async move {
        let overtaken = async {
            held.applied(1).await;
            let nothing = Then::DelayRequest(Duration::ZERO);
            let later = world.broker.faults().times(by, of(PRODUCE), nothing);
            later.applied(by).await;
        };
        // If it is not overtaken it is late all the same.
        let _ = timeout(at_most, overtaken).await;
        held.release();
        held.remove();
    });
}

/// Undoes something after a while, if the healing has not.
fn later(world: &Arc<World>, lasting: Duration, undo: impl FnOnce(&World) + Send + 'static) {
    let world = Arc::clone(world);
    tokio::spawn(async move {
        sleep(lasting).await;
        if !world.is_healed() {
            undo(&world);
        }
    });
}
