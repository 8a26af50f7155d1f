//! The kinds of Kafka at hand, and the tests that run on each.

use crate::java::Programs;
use crate::skip::skipped;
use crate::{Failure, Kafka, KafkaConfig};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::OnceLock;
use std::time::Duration;

/// How long a test may take before it counts as hanging.
const LIMIT: Duration = Duration::from_secs(180);

/// How long what a test left running may take to end.
const LEFTOVERS_LIMIT: Duration = Duration::from_secs(5);

/// A kind of Kafka: a version, and the protocol its transactions speak.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flavour {
    /// 3.9.2, which knows no transaction.version: transactions as they were before KIP-890.
    Kafka392,
    /// 4.3.1 formatted with transaction.version 0.
    Kafka431Tv0,
    /// 4.3.1 formatted with transaction.version 1: flexible records in its log, the same protocol.
    Kafka431Tv1,
    /// 4.3.1 formatted with transaction.version 2, the default: KIP-890 in full.
    Kafka431Tv2,
    /// 4.4.0 formatted with transaction.version 2, its default.
    Kafka440,
    /// The embedded broker with transaction.version 0.
    EmbeddedTv0,
    /// The embedded broker with transaction.version 1.
    EmbeddedTv1,
    /// The embedded broker with transaction.version 2, its default.
    EmbeddedTv2,
}

impl Flavour {
    /// The version of Kafka, e.g. `4.3.1`; for the embedded broker, the one whose answers it gives.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::Kafka392 => "3.9.2",
            Self::Kafka431Tv0
            | Self::Kafka431Tv1
            | Self::Kafka431Tv2
            | Self::EmbeddedTv0
            | Self::EmbeddedTv1
            | Self::EmbeddedTv2 => "4.3.1",
            Self::Kafka440 => "4.4.0",
        }
    }

    /// Whether it is the embedded broker.
    #[must_use]
    pub fn is_embedded(self) -> bool {
        match self {
            Self::Kafka392
            | Self::Kafka431Tv0
            | Self::Kafka431Tv1
            | Self::Kafka431Tv2
            | Self::Kafka440 => false,
            Self::EmbeddedTv0 | Self::EmbeddedTv1 | Self::EmbeddedTv2 => true,
        }
    }

    /// The level of transaction.version; none where Kafka does not know the feature.
    #[must_use]
    pub fn transaction_version(self) -> Option<u8> {
        match self {
            Self::Kafka392 => None,
            Self::Kafka431Tv0 | Self::EmbeddedTv0 => Some(0),
            Self::Kafka431Tv1 | Self::EmbeddedTv1 => Some(1),
            Self::Kafka431Tv2 | Self::Kafka440 | Self::EmbeddedTv2 => Some(2),
        }
    }

    /// The name that tests and logs have for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kafka392 => "kafka_3_9_2",
            Self::Kafka431Tv0 => "kafka_4_3_1_tv0",
            Self::Kafka431Tv1 => "kafka_4_3_1_tv1",
            Self::Kafka431Tv2 => "kafka_4_3_1_tv2",
            Self::Kafka440 => "kafka_4_4_0",
            Self::EmbeddedTv0 => "embedded_tv0",
            Self::EmbeddedTv1 => "embedded_tv1",
            Self::EmbeddedTv2 => "embedded_tv2",
        }
    }

    /// The broker of this flavour that all tests of this process share, started on first use. It ends
    /// with the process.
    ///
    /// # Errors
    ///
    /// Why it could not be started; the same for every caller.
    pub fn shared(self) -> Result<&'static Kafka, &'static Failure> {
        static SHARED: [OnceLock<Result<Kafka, Failure>>; 8] = [const { OnceLock::new() }; 8];
        let [k392, k431_0, k431_1, k431_2, k440, e0, e1, e2] = &SHARED;
        let shared = match self {
            Self::Kafka392 => k392,
            Self::Kafka431Tv0 => k431_0,
            Self::Kafka431Tv1 => k431_1,
            Self::Kafka431Tv2 => k431_2,
            Self::Kafka440 => k440,
            Self::EmbeddedTv0 => e0,
            Self::EmbeddedTv1 => e1,
            Self::EmbeddedTv2 => e2,
        };
        shared
            .get_or_init(|| Kafka::try_start(&KafkaConfig::new(self)))
            .as_ref()
    }
}

/// Runs one claim on the shared broker of one flavour; [`conformance!`](crate::conformance) calls it.
///
/// The runtime has workers of its own, so the claim may block in Java while the client goes on.
///
/// # Panics
///
/// If the claim does, or does not end within three minutes, or the broker cannot be started.
pub fn run<Claim>(flavour: Flavour, claim: Claim)
where
    Claim: AsyncFnOnce(&Kafka),
{
    let test = format!("{}::{}", std::any::type_name::<Claim>(), flavour.name());
    match flavour.shared() {
        Ok(kafka) => run_on(kafka, claim),
        Err(missing @ Failure::Missing { .. }) => skipped(&test, missing),
        Err(failure) => failure.fail(),
    }
}

/// As [`run`], for a claim about Kafka's own clients: without Java it is skipped on the embedded broker
/// too.
///
/// # Panics
///
/// As [`run`].
pub fn run_with_java<Claim>(flavour: Flavour, claim: Claim)
where
    Claim: AsyncFnOnce(&Kafka),
{
    match Programs::at_hand() {
        Ok(_) => run(flavour, claim),
        Err(missing @ Failure::Missing { .. }) => {
            let test = format!("{}::{}", std::any::type_name::<Claim>(), flavour.name());
            skipped(&test, &missing);
        }
        Err(failure) => failure.fail(),
    }
}

/// Runs a test that starts clusters of its own; [`own_kafka!`](crate::own_kafka) calls it.
///
/// # Panics
///
/// If the test does, or does not end within three minutes.
pub fn run_alone<Test>(test: Test)
where
    Test: AsyncFnOnce(),
{
    if let Err(missing @ Failure::Missing { .. }) = Programs::at_hand() {
        skipped(std::any::type_name::<Test>(), &missing);
        return;
    }
    block_on(test());
}

fn run_on<Claim>(kafka: &Kafka, claim: Claim)
where
    Claim: AsyncFnOnce(&Kafka),
{
    let outcome = catch_unwind(AssertUnwindSafe(|| block_on(claim(kafka))));
    if let Err(panic) = outcome {
        eprintln!("{}", kafka.tail(40));
        resume_unwind(panic);
    }
}

#[expect(clippy::panic, reason = "a test that hangs has to fail")]
fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::io("starting a runtime"))
        .unwrap_or_else(|failure| failure.fail());
    let outcome = runtime.block_on(async { tokio::time::timeout(LIMIT, test).await });
    runtime.shutdown_timeout(LEFTOVERS_LIMIT);
    if outcome.is_err() {
        panic!("the test did not end within {LIMIT:?}");
    }
}

/// Makes one test of each claim for each [`Flavour`]: `claim::embedded_tv2`, `claim::kafka_4_3_1_tv2` and so
/// on. A claim is an `async fn(&Kafka)`. One that cannot be made of every flavour says why.
///
/// ```text
/// conformance!(a_claim, another_claim);
/// conformance!(on [embedded_tv2, kafka_4_3_1_tv2]; a_claim_about_transaction_version_2);
/// conformance!(with Java: "it is about Kafka's own producer"; a_claim_about_that);
/// conformance!(real brokers only: "it reads Kafka's log files"; a_claim_about_those);
/// conformance!(embedded only: "it scripts faults inside the broker"; a_claim_under_faults);
/// ```
#[macro_export]
macro_rules! conformance {
    (on $flavours:tt; $($claim:ident),+ $(,)?) => {
        $($crate::conformance!(@claim run "" $claim $flavours);)+
    };
    (with Java: $why:literal; on $flavours:tt; $($claim:ident),+ $(,)?) => {
        $($crate::conformance!(@claim run_with_java $why $claim $flavours);)+
    };
    (with Java: $why:literal; $($claim:ident),+ $(,)?) => {
        $crate::conformance!(
            with Java: $why;
            on [
                embedded_tv2, embedded_tv1, embedded_tv0,
                kafka_4_4_0, kafka_4_3_1_tv2, kafka_4_3_1_tv1, kafka_4_3_1_tv0, kafka_3_9_2,
            ];
            $($claim),+
        );
    };
    (real brokers only: $why:literal; $($claim:ident),+ $(,)?) => {
        $(
            $crate::conformance!(
                @claim run $why $claim
                [kafka_4_4_0, kafka_4_3_1_tv2, kafka_4_3_1_tv1, kafka_4_3_1_tv0, kafka_3_9_2]
            );
        )+
    };
    (embedded only: $why:literal; $($claim:ident),+ $(,)?) => {
        $(
            $crate::conformance!(
                @claim run $why $claim [embedded_tv2, embedded_tv1, embedded_tv0]
            );
        )+
    };
    (@claim $run:ident $why:literal $claim:ident [$($flavour:ident),+ $(,)?]) => {
        #[doc = $why]
        mod $claim {
            $(
                #[test]
                fn $flavour() {
                    $crate::flavour::$run($crate::flavour::by_name::$flavour, super::$claim);
                }
            )+
        }
    };
    ($($claim:ident),+ $(,)?) => {
        $crate::conformance!(
            on [
                embedded_tv2, embedded_tv1, embedded_tv0,
                kafka_4_4_0, kafka_4_3_1_tv2, kafka_4_3_1_tv1, kafka_4_3_1_tv0, kafka_3_9_2,
            ];
            $($claim),+
        );
    };
}

/// Makes a test of each claim that starts its own clusters. A claim is an `async fn()`.
#[macro_export]
macro_rules! own_kafka {
    ($($claim:ident),+ $(,)?) => {
        $(
            mod $claim {
                #[test]
                fn own_kafka() {
                    $crate::flavour::run_alone(super::$claim);
                }
            }
        )+
    };
}

/// The flavours under the names that tests have for them.
pub mod by_name {
    #![expect(
        non_upper_case_globals,
        reason = "each is the name of a test function as well"
    )]
    use super::Flavour;

    /// The embedded broker with transaction.version 0.
    pub const embedded_tv0: Flavour = Flavour::EmbeddedTv0;
    /// The embedded broker with transaction.version 1.
    pub const embedded_tv1: Flavour = Flavour::EmbeddedTv1;
    /// The embedded broker with transaction.version 2.
    pub const embedded_tv2: Flavour = Flavour::EmbeddedTv2;
    /// Kafka 3.9.2.
    pub const kafka_3_9_2: Flavour = Flavour::Kafka392;
    /// Kafka 4.3.1 with transaction.version 0.
    pub const kafka_4_3_1_tv0: Flavour = Flavour::Kafka431Tv0;
    /// Kafka 4.3.1 with transaction.version 1.
    pub const kafka_4_3_1_tv1: Flavour = Flavour::Kafka431Tv1;
    /// Kafka 4.3.1 with transaction.version 2.
    pub const kafka_4_3_1_tv2: Flavour = Flavour::Kafka431Tv2;
    /// Kafka 4.4.0 with transaction.version 2.
    pub const kafka_4_4_0: Flavour = Flavour::Kafka440;
}
