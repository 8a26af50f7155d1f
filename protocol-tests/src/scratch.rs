//! Where the harness keeps files: caches and logs under the target folder, broker data in memory.

use crate::Failure;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Room a memory file system must have free to hold broker data.
const ROOM_IN_MEMORY: u64 = 2 << 30;

/// How the folder of one cluster's data is named, before the random part.
const PREFIX: &str = "milena-kafka-";

/// Held for as long as the folder is in use, so that others can tell a dead owner's from a live one's.
const LOCK: &str = "lock";

/// The target folder this process was built into.
#[must_use]
pub fn target_dir() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|exe| {
            exe.ancestors()
                .find(|folder| folder.join("CACHEDIR.TAG").exists())
                .map(Path::to_owned)
        })
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"))
}

/// The folder of broker and tool logs, which outlive the test run.
///
/// # Errors
///
/// [`Failure::Io`] if it cannot be made.
pub fn log_dir() -> Result<PathBuf, Failure> {
    let folder = target_dir().join("kafka-logs");
    fs::create_dir_all(&folder).map_err(Failure::io(format!("making {}", folder.display())))?;
    Ok(folder)
}

/// A cluster's data folder: in memory where there is room, because a broker syncs a lot.
///
/// Whoever watches over the brokers removes the contents once the last one is dead; what was left by
/// owners who could not is removed here.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Locked for the life of this process.
    _lock: File,
}

impl DataDir {
    /// Makes a new folder.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`] if it cannot be made.
    pub fn new() -> Result<Self, Failure> {
        let base = base_dir();
        fs::create_dir_all(&base).map_err(Failure::io(format!("making {}", base.display())))?;
        sweep(&base);
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&base)
            .map_err(Failure::io(format!(
                "making a folder in {}",
                base.display()
            )))?;
        let lock = lock_in(folder.path()).map_err(Failure::io("locking the data folder"))?;
        Ok(Self {
            path: folder.keep(),
            _lock: lock,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        // Best effort: the next sweep takes what stays.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Makes the lock file. It gets its name once it is locked, or a sweep could come between.
fn lock_in(folder: &Path) -> io::Result<File> {
    let unnamed = folder.join("lock.new");
    let lock = File::create(&unnamed)?;
    lock.lock()?;
    fs::rename(unnamed, folder.join(LOCK))?;
    Ok(lock)
}

fn base_dir() -> PathBuf {
    let memory = Path::new("/dev/shm");
    match nix::sys::statvfs::statvfs(memory) {
        Ok(room) if room.blocks_available() * room.fragment_size() >= ROOM_IN_MEMORY => {
            memory.to_owned()
        }
        _ => target_dir().join("kafka-data"),
    }
}

/// Removes the folders whose owner is gone.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else {
        return;
    };
    for folder in entries.flatten() {
        if !folder.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        // A folder without a lock file may be one that another process is just making.
        if let Ok(lock) = File::open(folder.path().join(LOCK))
            && lock.try_lock().is_ok()
        {
            let _ = fs::remove_dir_all(folder.path());
        }
    }
}
