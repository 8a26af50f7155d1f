//! Kafka clients for Python: virtual environments in the target folder, each with the packages that a test names.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::scratch::target_dir;

/// A virtual environment.
#[derive(Clone, Debug)]
pub struct Environment {
    folder: PathBuf,
}

impl Environment {
    /// The environment of this name with these packages, which pip installs when the environment is made.
    ///
    /// # Errors
    ///
    /// Why there is none: no Python, or no way to install the packages.
    pub fn with(name: &str, packages: &[&str]) -> Result<Self, String> {
        let wanted = packages.join(" ");
        let folder = target_dir().join("python").join(name);
        let environment = Self { folder };
        let stamp = environment.folder.join("packages.txt");
        // Written last, so that an interrupted installation is made again.
        if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(environment);
        }
        let arguments = ["-m", "venv", "--clear"];
        run(
            Path::new("python3"),
            &[&arguments[..], &[path(&environment.folder)?]].concat(),
        )?;
        let install = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ];
        run(&environment.python(), &[&install[..], packages].concat())?;
        std::fs::write(&stamp, wanted)
            .map_err(|error| format!("{} cannot be written: {error}", stamp.display()))?;
        Ok(environment)
    }

    /// Its interpreter.
    #[must_use]
    pub fn python(&self) -> PathBuf {
        self.folder.join("bin").join("python")
    }
}

/// A program of this workspace's folder `protocol-tests/python`.
#[must_use]
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("python")
        .join(name)
}

fn path(path: &Path) -> Result<&str, String> {
    path.to_str()
        .ok_or_else(|| format!("{} is not UTF-8", path.display()))
}

fn run(program: &Path, arguments: &[&str]) -> Result<(), String> {
    let program = program.display();
    let done = Command::new(program.to_string())
        .args(arguments)
        .output()
        .map_err(|error| format!("{program} cannot be run: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(format!(
        "{program} {} failed: {}",
        arguments.join(" "),
        said.trim()
    ))
}
