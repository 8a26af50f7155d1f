//! Who leads which partition, with which epoch, and when that knowledge is stale.

mod driver;
pub mod machine;
pub mod snapshot;

pub(crate) use driver::MetadataShared;
pub use snapshot::{
    BrokerNode, LeaderHint, MetadataSnapshot, PartitionMetadata, TopicMetadata, TopicsWanted,
};
