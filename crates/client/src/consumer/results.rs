//! Results of questions about many partitions.

use std::collections::{BTreeMap, btree_map};

use crate::error::Error;
use crate::types::TopicPartition;

/// One result per partition: what failed for one does not hide what was found for the others.
///
/// ```
/// # async fn run(consumer: &milena::Consumer) -> Result<(), milena::Error> {
/// use milena::TopicPartition;
///
/// let partitions = [TopicPartition::new("orders", 0), TopicPartition::new("orders", 1)];
/// for (partition, end) in &consumer.end_offsets(&partitions).await {
///     match end {
///         Ok(end) => println!("{partition} ends at {end}"),
///         Err(error) => println!("{partition}: {}", error.report()),
///     }
/// }
/// // Where one failure is reason enough to stop:
/// let ends = consumer.end_offsets(&partitions).await.all()?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "each partition can have failed"]
pub struct PartitionResults<T> {
    results: BTreeMap<TopicPartition, Result<T, Error>>,
}

impl<T> PartitionResults<T> {
    pub(crate) fn new(results: BTreeMap<TopicPartition, Result<T, Error>>) -> Self {
        Self { results }
    }

    /// The values of all partitions.
    ///
    /// # Errors
    /// The error of the first partition that has one, in the order of topics and partitions.
    pub fn all(self) -> Result<BTreeMap<TopicPartition, T>, Error> {
        let results = self.results.into_iter();
        results
            .map(|(partition, result)| Ok((partition, result?)))
            .collect()
    }

    /// The result of one partition; `None` if it was not asked for.
    #[must_use]
    pub fn get(&self, partition: &TopicPartition) -> Option<&Result<T, Error>> {
        self.results.get(partition)
    }

    /// Partitions and their results, in the order of topics and partitions.
    pub fn iter(&self) -> btree_map::Iter<'_, TopicPartition, Result<T, Error>> {
        self.results.iter()
    }

    /// The results with `op` applied to the error of each partition that has one, as [`Result::map_err`] does for
    /// one result.
    pub fn map_err<E>(
        self,
        mut op: impl FnMut(Error) -> E,
    ) -> BTreeMap<TopicPartition, Result<T, E>> {
        let results = self.results.into_iter();
        results
            .map(|(partition, result)| (partition, result.map_err(&mut op)))
            .collect()
    }

    /// The same results with other values.
    pub(crate) fn filter_map<U>(self, change: impl Fn(T) -> Option<U>) -> PartitionResults<U> {
        let results = self.results.into_iter();
        let changed = results.filter_map(|(partition, result)| {
            let result = match result {
                Ok(value) => Ok(change(value)?),
                Err(error) => Err(error),
            };
            Some((partition, result))
        });
        PartitionResults::new(changed.collect())
    }
}

impl<T> IntoIterator for PartitionResults<T> {
    type Item = (TopicPartition, Result<T, Error>);
    type IntoIter = btree_map::IntoIter<TopicPartition, Result<T, Error>>;

    fn into_iter(self) -> Self::IntoIter {
        self.results.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a PartitionResults<T> {
    type Item = (&'a TopicPartition, &'a Result<T, Error>);
    type IntoIter = btree_map::Iter<'a, TopicPartition, Result<T, Error>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_mapped_and_the_values_beside_them_stay() {
        let name = |partition| TopicPartition::new("t", partition);
        let failed = Err(Error::misuse("no leader"));
        let results = PartitionResults::new([(name(0), Ok(7)), (name(1), failed)].into());
        let mapped = results.map_err(|error| error.to_string());
        assert_eq!(mapped[&name(0)], Ok(7));
        assert!(
            mapped[&name(1)]
                .as_ref()
                .is_err_and(|text| text.contains("no leader"))
        );
    }
}
