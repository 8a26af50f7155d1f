//! Apache Kafka's jars, fetched once from Maven Central and kept.

use crate::Failure;
use crate::scratch::target_dir;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names another folder for the jars, which then holds one folder per Kafka version.
pub const JARS: &str = "MILENA_KAFKA_JARS";

/// The newest Kafka tested against; its clients and tools are the ones tests use.
pub const NEWEST: &str = "4.4.0";

/// The jars of one version of Kafka: broker, clients and tools.
#[derive(Clone, Debug)]
pub struct Jars {
    folder: PathBuf,
}

impl Jars {
    /// The jars of `version`, fetched now if nobody has done so before.
    ///
    /// # Errors
    ///
    /// [`Failure::Missing`] if they have to be fetched and Maven is not installed;
    /// [`Failure::Program`] if Maven fails.
    pub fn fetch(version: &str) -> Result<Self, Failure> {
        let root = root();
        let folder = root.join(version);
        if folder.is_dir() {
            return Ok(Self { folder });
        }
        fs::create_dir_all(&root).map_err(Failure::io(format!("making {}", root.display())))?;
        let _lock = lock(&root.join(format!(".{version}.lock")))?;
        // Somebody else may have fetched them while this process waited for the lock.
        if !folder.is_dir() {
            let partial = root.join(format!(".{version}.partial"));
            copy_dependencies(version, &partial)?;
            fs::rename(&partial, &folder).map_err(Failure::io("moving the jars into place"))?;
        }
        Ok(Self { folder })
    }

    /// The class path that holds all of them, in Java's wildcard form.
    #[must_use]
    pub fn class_path(&self) -> String {
        format!("{}/*", self.folder.display())
    }

    /// The folder they are in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Where jars and compiled tools are kept.
#[must_use]
pub fn root() -> PathBuf {
    std::env::var_os(JARS).map_or_else(|| target_dir().join("kafka-jars"), PathBuf::from)
}

/// Takes the lock file at `path`; dropping the file gives it back.
///
/// # Errors
///
/// [`Failure::Io`] if it cannot be made or locked.
pub fn lock(path: &Path) -> Result<File, Failure> {
    File::create(path)
        .and_then(|file| file.lock().map(|()| file))
        .map_err(Failure::io(format!("locking {}", path.display())))
}

fn copy_dependencies(version: &str, output: &Path) -> Result<(), Failure> {
    let project = tempfile::tempdir().map_err(Failure::io("making a folder for Maven"))?;
    let pom = project.path().join("pom.xml");
    fs::write(&pom, pom_of(version)).map_err(Failure::io("writing a pom"))?;
    if output.exists() {
        fs::remove_dir_all(output).map_err(Failure::io("removing half-fetched jars"))?;
    }
    let run = Command::new("mvn")
        .args(["--quiet", "--batch-mode", "--file"])
        .arg(&pom)
        .arg("dependency:copy-dependencies")
        // Kafka 3.9 brings a log4j binding, which would win over slf4j-simple and print nothing.
        .arg("-DexcludeArtifactIds=slf4j-reload4j")
        .arg(format!("-DoutputDirectory={}", output.display()))
        .output();
    match run {
        Ok(done) if done.status.success() => Ok(()),
        Ok(done) => Err(Failure::Program {
            program: format!("mvn dependency:copy-dependencies for Kafka {version}"),
            output: String::from_utf8_lossy(&done.stdout).into_owned(),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Failure::Missing {
            what: "mvn".to_owned(),
            remedy: format!("install Maven, or put the jars of Kafka {version} under ${JARS}"),
        }),
        Err(error) => Err(Failure::io("starting mvn")(error)),
    }
}

fn pom_of(version: &str) -> String {
    let dependency = |group: &str, artifact: &str, version: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version></dependency>"
        )
    };
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>milena</groupId><artifactId>kafka-jars</artifactId><version>1</version>\
         <dependencies>{}{}{}</dependencies></project>",
        dependency("org.apache.kafka", "kafka_2.13", version),
        dependency("org.apache.kafka", "kafka-tools", version),
        dependency("org.slf4j", "slf4j-simple", "1.7.36"),
    )
}
