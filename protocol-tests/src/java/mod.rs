//! Apache Kafka's own side of a test: the JVM, and the clients and tools that run in it.

use crate::Failure;
mod clients;
mod console;
mod dump;
mod lines;
mod records;
mod tool;

pub use clients::{Java, JavaProducer};
pub use dump::{DumpedBatch, Marker};
pub use lines::Program;
pub use records::{Header, Isolation, ReadRecord, WriteRecord, Written};
pub use tool::Tool;

use crate::jars::{self, Jars};
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The oldest Java that Kafka 4 runs on.
const OLDEST_JAVA: u32 = 17;

/// The programs of `protocol-tests/java`, by file name.
const SOURCES: &[(&str, &str)] = &[
    (
        "Administration.java",
        include_str!("../../java/Administration.java"),
    ),
    ("Broker.java", include_str!("../../java/Broker.java")),
    ("Commands.java", include_str!("../../java/Commands.java")),
    (
        "Inspection.java",
        include_str!("../../java/Inspection.java"),
    ),
    ("Members.java", include_str!("../../java/Members.java")),
    (
        "MessageVectors.java",
        include_str!("../../java/MessageVectors.java"),
    ),
    ("Reading.java", include_str!("../../java/Reading.java")),
    (
        "RecordVectors.java",
        include_str!("../../java/RecordVectors.java"),
    ),
    ("Tool.java", include_str!("../../java/Tool.java")),
    ("Writing.java", include_str!("../../java/Writing.java")),
];

/// A JVM that starts fast and stays small: tests are short, so the second compiler never pays.
pub const FLAGS: &[&str] = &[
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config.AbstractConfig=warn",
];

/// The harness's own Java programs, compiled, with the jars of [`jars::NEWEST`] they were compiled
/// against.
#[derive(Clone, Debug)]
pub struct Programs {
    classes: PathBuf,
    jars: Jars,
}

impl Programs {
    /// Compiles the programs, unless that was done before.
    ///
    /// # Errors
    ///
    /// [`Failure::Missing`] without a JDK of version 17 or newer; [`Failure::Program`] if they do not
    /// compile; and those of [`Jars::fetch`].
    pub fn at_hand() -> Result<Self, Failure> {
        check_java()?;
        let jars = Jars::fetch(jars::NEWEST)?;
        let mut hasher = DefaultHasher::new();
        (SOURCES, jars::NEWEST).hash(&mut hasher);
        let name = format!("programs-{:016x}", hasher.finish());
        let classes = jars::root().join(&name);
        if !classes.is_dir() {
            let _lock = jars::lock(&jars::root().join(".programs.lock"))?;
            if !classes.is_dir() {
                compile(&jars, &classes)?;
            }
        }
        Ok(Self { classes, jars })
    }

    /// The class path of the programs on the jars of one version of Kafka.
    #[must_use]
    pub fn class_path(&self, jars: &Jars) -> String {
        format!("{}:{}", self.classes.display(), jars.class_path())
    }

    /// The jars the programs were compiled against.
    #[must_use]
    pub fn jars(&self) -> &Jars {
        &self.jars
    }
}

fn check_java() -> Result<(), Failure> {
    let remedy = format!("install a JDK, version {OLDEST_JAVA} or newer");
    let version = run(Command::new("javac").arg("-version"), &remedy)?;
    let text = String::from_utf8_lossy(&version.stdout).into_owned()
        + &String::from_utf8_lossy(&version.stderr);
    let major = text
        .trim()
        .strip_prefix("javac ")
        .and_then(|version| version.split(['.', '-']).next()?.parse::<u32>().ok());
    match major {
        Some(major) if major >= OLDEST_JAVA => Ok(()),
        _ => Err(Failure::Missing {
            what: format!("a recent Java (found {})", text.trim()),
            remedy,
        }),
    }
}

fn compile(jars: &Jars, classes: &Path) -> Result<(), Failure> {
    let partial = classes.with_extension("partial");
    let _ = fs::remove_dir_all(&partial);
    fs::create_dir_all(&partial).map_err(Failure::io("making a folder for classes"))?;
    let mut javac = Command::new("javac");
    javac.arg("-cp").arg(jars.class_path());
    javac.arg("-d").arg(&partial);
    for (name, text) in SOURCES {
        let source = partial.join(name);
        fs::write(&source, text).map_err(Failure::io(format!("writing {name}")))?;
        javac.arg(source);
    }
    let done = run(&mut javac, "install a JDK")?;
    if !done.status.success() {
        return Err(Failure::Program {
            program: "javac".to_owned(),
            output: String::from_utf8_lossy(&done.stderr).into_owned(),
        });
    }
    fs::rename(&partial, classes).map_err(Failure::io("moving the classes into place"))
}

fn run(command: &mut Command, remedy: &str) -> Result<Output, Failure> {
    command.output().map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            Failure::Missing {
                what: command.get_program().to_string_lossy().into_owned(),
                remedy: remedy.to_owned(),
            }
        } else {
            Failure::io(format!("starting {command:?}"))(error)
        }
    })
}
