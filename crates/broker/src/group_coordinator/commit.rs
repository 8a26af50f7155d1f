//! Who may commit offsets for a group, and read them (4.5 to 4.7 of groups.md).

use super::offsets::{CommittedOffset, Fetched, OffsetKey};
use super::{Group, GroupCoordinator};
use crate::Time;
use crate::cluster::nodes::partition_of;
use milena_codec::{ErrorCode, ProducerIdentity};
use std::sync::Arc;
use uuid::Uuid;

/// Who commits, as the request says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Committer<'a> {
    pub(crate) group_id: &'a str,
    pub(crate) member_id: &'a str,
    pub(crate) instance_id: Option<&'a str>,
    /// The generation of a classic group, or the member's epoch of a consumer group.
    pub(crate) generation: i32,
}

/// One offset to commit.
#[derive(Clone, Debug)]
pub(crate) struct ToCommit {
    pub(crate) key: OffsetKey,
    pub(crate) topic_id: Uuid,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
}

/// What a commit is checked against, beyond the group as a whole.
enum Permission {
    Everything,
    /// An older epoch of a member: only what it was assigned by then and still has (G-64).
    SinceEpoch(i32),
}

/// From this version of OffsetCommit on, a group that is not known is called so.
const TELLS_NOT_FOUND_SINCE: i16 = 9;

impl GroupCoordinator {
    /// Commits offsets outside of transactions; gives a code for each.
    ///
    /// # Errors
    /// A code for all of them: see the tables of groups.md.
    pub(crate) fn commit(
        &mut self,
        committer: &Committer<'_>,
        offsets: Vec<ToCommit>,
        api_version: i16,
        now: Time,
    ) -> Result<Vec<ErrorCode>, ErrorCode> {
        let permission = match self.groups.get(committer.group_id) {
            None if committer.generation < 0 => Permission::Everything,
            None if api_version >= TELLS_NOT_FOUND_SINCE => {
                return Err(ErrorCode::GroupIdNotFound);
            }
            None => return Err(ErrorCode::IllegalGeneration),
            Some(group) => group.permission(committer, Some(api_version))?,
        };
        if let Some(Group::Classic(group)) = self.groups.get_mut(committer.group_id) {
            group.heard_from(committer.member_id, now);
        }
        self.check_each(committer, &permission, &offsets)?;
        let group = self.ensure_simple_group(committer.group_id)?;
        let metadata_bytes_max = self.settings.metadata_bytes_max;
        let commit = |commit: ToCommit| {
            if commit.metadata.len() > metadata_bytes_max {
                return ErrorCode::OffsetMetadataTooLarge;
            }
            let (key, committed) = commit.split();
            self.offsets.commit(&group, key, committed);
            ErrorCode::None
        };
        Ok(offsets.into_iter().map(commit).collect())
    }

    /// Commits offsets as part of a transaction, whose coordinator has agreed; gives a code for each.
    ///
    /// # Errors
    /// A code for all of them (G-61, G-80); a rebalance that keeps the generation is none (T-57).
    pub(crate) fn commit_in_transaction(
        &mut self,
        committer: &Committer<'_>,
        producer: ProducerIdentity,
        offsets: Vec<ToCommit>,
    ) -> Result<Vec<ErrorCode>, ErrorCode> {
        let permission = match self.groups.get(committer.group_id) {
            None if committer.generation < 0 => Permission::Everything,
            None => return Err(ErrorCode::IllegalGeneration),
            Some(group) => group.permission(committer, None).map_err(translate)?,
        };
        self.check_each(committer, &permission, &offsets)
            .map_err(translate)?;
        let group = self.ensure_simple_group(committer.group_id)?;
        let metadata_bytes_max = self.settings.metadata_bytes_max;
        let commit = |commit: ToCommit| {
            if commit.metadata.len() > metadata_bytes_max {
                return ErrorCode::OffsetMetadataTooLarge;
            }
            let (key, committed) = commit.split();
            self.offsets
                .commit_pending(&group, producer, key, committed);
            ErrorCode::None
        };
        Ok(offsets.into_iter().map(commit).collect())
    }

    /// One partition that may not be committed refuses all of them.
    fn check_each(
        &self,
        committer: &Committer<'_>,
        permission: &Permission,
        offsets: &[ToCommit],
    ) -> Result<(), ErrorCode> {
        let Permission::SinceEpoch(epoch) = permission else {
            return Ok(());
        };
        let Some(Group::Consumer(group)) = self.groups.get(committer.group_id) else {
            return Ok(());
        };
        let allowed = offsets.iter().all(|commit| {
            let since =
                group.assigned_since(committer.member_id, commit.topic_id, commit.key.partition);
            since.is_some_and(|since| *epoch >= since)
        });
        if allowed {
            Ok(())
        } else {
            Err(ErrorCode::StaleMemberEpoch)
        }
    }

    /// Whether a member may read the offsets of its group.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownMemberId`], [`ErrorCode::StaleMemberEpoch`] (G-73).
    pub(crate) fn check_fetch(
        &self,
        group_id: &str,
        member_id: Option<&str>,
        member_epoch: i32,
    ) -> Result<(), ErrorCode> {
        let Some(Group::Consumer(group)) = self.groups.get(group_id) else {
            return Ok(());
        };
        if member_id.is_none() && member_epoch < 0 {
            return Ok(());
        }
        let epoch = member_id
            .and_then(|id| group.member_epoch(id))
            .ok_or(ErrorCode::UnknownMemberId)?;
        if epoch == member_epoch {
            Ok(())
        } else {
            Err(ErrorCode::StaleMemberEpoch)
        }
    }

    /// The offset of a partition, as long as the group is known.
    pub(crate) fn fetch_offset(
        &self,
        group_id: &str,
        key: &OffsetKey,
        require_stable: bool,
    ) -> Fetched {
        if self.groups.contains_key(group_id) {
            self.offsets.fetch(group_id, key, require_stable)
        } else {
            Fetched::Nothing
        }
    }

    /// The partition of the offsets topic that belongs to a group; part of its transactions.
    pub(crate) fn offsets_partition(group_id: &str) -> i32 {
        partition_of(group_id)
    }
}

impl Group {
    /// What the committer may commit. `api_version` is that of OffsetCommit, `None` in a transaction.
    fn permission(
        &self,
        committer: &Committer<'_>,
        api_version: Option<i16>,
    ) -> Result<Permission, ErrorCode> {
        match self {
            Self::Classic(group) => {
                group.check_commit(committer, api_version.is_none())?;
                Ok(Permission::Everything)
            }
            Self::Consumer(group) => {
                let nobody = committer.generation < 0
                    && committer.member_id.is_empty()
                    && committer.instance_id.is_none();
                let in_transaction = api_version.is_none();
                if committer.generation < 0 && group.is_empty() || in_transaction && nobody {
                    return Ok(Permission::Everything);
                }
                let epoch = group
                    .member_epoch(committer.member_id)
                    .ok_or(ErrorCode::UnknownMemberId)?;
                if api_version.is_some_and(|version| version < TELLS_NOT_FOUND_SINCE) {
                    return Err(ErrorCode::UnsupportedVersion);
                }
                match committer.generation.cmp(&epoch) {
                    std::cmp::Ordering::Equal => Ok(Permission::Everything),
                    std::cmp::Ordering::Greater => Err(ErrorCode::StaleMemberEpoch),
                    std::cmp::Ordering::Less => Ok(Permission::SinceEpoch(committer.generation)),
                }
            }
        }
    }
}

/// In a transaction there are no member epochs, only generations.
fn translate(code: ErrorCode) -> ErrorCode {
    if code == ErrorCode::StaleMemberEpoch {
        ErrorCode::IllegalGeneration
    } else {
        code
    }
}

impl ToCommit {
    fn split(self) -> (OffsetKey, CommittedOffset) {
        let committed = CommittedOffset {
            offset: self.offset,
            leader_epoch: self.leader_epoch,
            metadata: Arc::from(self.metadata),
        };
        (self.key, committed)
    }
}
