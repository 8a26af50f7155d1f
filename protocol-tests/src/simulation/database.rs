//! The other system of a two-phase commit: it outlives every process, and each of its commits happens at once.

use super::journal::{Life, Number, Value};
use std::sync::{Mutex, MutexGuard};

/// A commit of the database: the decision over a transaction of Kafka's, with what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Commit {
    pub(super) number: Number,
    /// The transaction's name, as its text.
    pub(super) name: String,
    /// What was written in it.
    pub(super) values: Vec<Value>,
}

/// A newer process has the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Superseded;

/// One row with the name that the last commit goes with, and a table of what was committed.
///
/// Kafka fences older instances of a transactional id, and cannot do it for the other system: had an instance been
/// between its preparing and its decision when the next one took over, it could decide for a commit after that one has
/// looked here, found nothing and aborted. So the row names its owner, and every commit is on condition of it.
///
/// Who takes over does so here first, and then in Kafka. The other way round an instance that Kafka has fenced could own
/// the row: with an empty transaction, of which Kafka hears nothing, it would put another name in the place of the one
/// that has just been decided.
#[derive(Debug, Default)]
pub(super) struct Database(Mutex<Rows>);

#[derive(Debug, Default)]
struct Rows {
    owner: Life,
    commits: Vec<Commit>,
}

impl Database {
    /// From now on nobody but this process commits.
    pub(super) fn take_over(&self, life: Life) {
        self.lock().owner = life;
    }

    /// The name that the last commit goes with, if this process still is the owner: then it was so all the time.
    pub(super) fn prepared_if_owned(&self, life: Life) -> Result<Option<String>, Superseded> {
        let is_owner = self.lock().owner == life;
        is_owner.then(|| self.prepared()).ok_or(Superseded)
    }

    /// The name that the last commit goes with.
    pub(super) fn prepared(&self) -> Option<String> {
        let rows = self.lock();
        rows.commits.last().map(|commit| commit.name.clone())
    }

    /// All of it or, if somebody else has taken over, nothing.
    pub(super) fn commit(&self, life: Life, commit: Commit) -> Result<(), Superseded> {
        let mut rows = self.lock();
        if rows.owner != life {
            return Err(Superseded);
        }
        rows.commits.push(commit);
        Ok(())
    }

    /// The transaction that was decided to be committed under a name.
    pub(super) fn number_of(&self, name: &str) -> Option<Number> {
        let rows = self.lock();
        let commit = rows.commits.iter().find(|commit| commit.name == name);
        commit.map(|commit| commit.number)
    }

    /// Everything that was committed, in order.
    pub(super) fn commits(&self) -> Vec<Commit> {
        self.lock().commits.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        super::lock(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(name: &str) -> Commit {
        Commit {
            number: 0,
            name: name.to_owned(),
            values: Vec::new(),
        }
    }

    #[test]
    fn nobody_commits_but_who_took_over_last() {
        let database = Database::default();
        assert_eq!(database.commit(1, commit("1:1")), Err(Superseded));
        database.take_over(1);
        assert_eq!(database.prepared_if_owned(1), Ok(None));
        assert_eq!(database.commit(1, commit("1:1")), Ok(()));
        database.take_over(2);
        assert_eq!(database.commit(1, commit("1:2")), Err(Superseded));
        assert_eq!(database.prepared_if_owned(1), Err(Superseded));
        assert_eq!(database.prepared().as_deref(), Some("1:1"));
        assert_eq!(database.commits(), [commit("1:1")]);
    }
}
