//! The life of each transaction, put together from what went by.
//!
//! Pure. A transaction begins with the first request that names its transactional id after the last one
//! ended, and ends with an EndTxn that went through, or with an InitProducerId that puts an end to it.
//! What was asked before that end belongs to it, whenever its answer is told: connections race each other.

use std::collections::BTreeMap;
use std::time::Duration;

use super::exchange::Exchange;

const INIT_PRODUCER_ID: i16 = 22;
const END_TXN: i16 = 26;
const FIND_COORDINATOR: i16 = 10;
/// Transactions that are kept, and exchanges of one.
const TRANSACTIONS_MAX: usize = 2_000;
const EXCHANGES_MAX: usize = 200;

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Aborted,
    Committed,
    /// Its producer started anew before it ended.
    Overtaken,
    /// Nothing that ended it was seen.
    Open,
}

impl End {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::Committed => "committed",
            Self::Overtaken => "overtaken",
            Self::Open => "open",
        }
    }
}

/// One transaction.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) transactional_id: String,
    /// Counts from 1 for each transactional id.
    pub(crate) number: u64,
    /// As they were asked.
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) more_exchanges: usize,
    pub(crate) end: End,
}

/// All that were seen.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    lives: Vec<Life>,
    by_id: BTreeMap<String, OfId>,
    /// Transactions beyond those that are kept.
    pub(crate) more: u64,
}

/// Of one transactional id; places are in the list of all.
#[derive(Debug, Default)]
struct OfId {
    open: Option<usize>,
    /// The last that ended, and when its end was asked for.
    ended: Option<(usize, Duration)>,
    /// How many began.
    count: u64,
}

impl OfId {
    fn end(&mut self, asked: Duration) -> Option<usize> {
        let place = self.open.take()?;
        self.ended = Some((place, asked));
        Some(place)
    }
}

impl Lives {
    /// Something went by: in the order of the answers, as far as that is known.
    pub(crate) fn note(&mut self, exchange: &Exchange) {
        let Some(id) = exchange.asked.transactional_id.as_deref() else {
            return;
        };
        match exchange.api_key {
            FIND_COORDINATOR => return,
            INIT_PRODUCER_ID => {
                if exchange.is_done()
                    && let Some(of_id) = self.by_id.get_mut(id)
                    && let Some(place) = of_id.end(exchange.at)
                    && let Some(life) = self.lives.get_mut(place)
                {
                    life.exchanges.push(exchange.clone());
                    life.end = End::Overtaken;
                }
                return;
            }
            _ => {}
        }
        let Some(life) = self.life(id, exchange.at) else {
            return;
        };
        if life.exchanges.len() < EXCHANGES_MAX {
            let asked_before = |other: &Exchange| other.at <= exchange.at;
            let place = life.exchanges.partition_point(asked_before);
            life.exchanges.insert(place, exchange.clone());
        } else {
            life.more_exchanges += 1;
        }
        if exchange.api_key == END_TXN && exchange.is_done() {
            life.end = match exchange.asked.committed {
                Some(true) => End::Committed,
                Some(false) | None => End::Aborted,
            };
            if let Some(of_id) = self.by_id.get_mut(id) {
                of_id.end(exchange.at);
            }
        }
    }

    /// Oldest first.
    pub(crate) fn all(&self) -> &[Life] {
        &self.lives
    }

    /// The transaction that a request of this time belongs to: the last that ended, the open one, or a new
    /// one if there is room.
    fn life(&mut self, id: &str, asked: Duration) -> Option<&mut Life> {
        if self.by_id.len() >= TRANSACTIONS_MAX && !self.by_id.contains_key(id) {
            self.more += 1;
            return None;
        }
        let of_id = self.by_id.entry(id.to_owned()).or_default();
        let place = match (of_id.ended, of_id.open) {
            (Some((place, end)), _) if asked < end => place,
            (_, Some(place)) => place,
            (_, None) if self.lives.len() >= TRANSACTIONS_MAX => {
                self.more += 1;
                return None;
            }
            (_, None) => {
                of_id.count += 1;
                self.lives.push(Life {
                    transactional_id: id.to_owned(),
                    number: of_id.count,
                    exchanges: Vec::new(),
                    more_exchanges: 0,
                    end: End::Open,
                });
                let place = self.lives.len() - 1;
                of_id.open = Some(place);
                place
            }
        };
        self.lives.get_mut(place)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::super::facts::Facts;
    use super::*;

    pub(crate) fn exchange(
        api_key: i16,
        id: &str,
        committed: Option<bool>,
        error: Option<i64>,
    ) -> Exchange {
        let asked = Facts {
            transactional_id: Some(id.to_owned()),
            committed,
            ..Facts::default()
        };
        let answered = error.map(|error| Facts {
            error,
            ..Facts::default()
        });
        Exchange {
            at: Duration::from_millis(1),
            took: answered.as_ref().map(|_| Duration::from_micros(500)),
            connection: 1,
            client_id: "c".to_owned(),
            broker: "broker 1".to_owned(),
            api_key,
            api_version: 5,
            asked,
            answered,
        }
    }

    fn ends(exchanges: &[Exchange]) -> Vec<(String, u64, &'static str, usize)> {
        let mut lives = Lives::default();
        for exchange in exchanges {
            lives.note(exchange);
        }
        let of = |life: &Life| {
            (
                life.transactional_id.clone(),
                life.number,
                life.end.name(),
                life.exchanges.len(),
            )
        };
        lives.all().iter().map(of).collect()
    }

    #[test]
    fn a_transaction_lasts_until_an_end_that_went_through() {
        let seen = ends(&[
            exchange(22, "a", None, Some(0)),
            exchange(0, "a", None, Some(0)),
            exchange(0, "b", None, Some(0)),
            exchange(26, "a", Some(true), None),
            exchange(26, "a", Some(true), Some(51)),
            exchange(26, "a", Some(true), Some(0)),
            exchange(0, "a", None, Some(0)),
            exchange(26, "b", Some(false), Some(0)),
        ]);
        let expected = [
            ("a".to_owned(), 1, "committed", 4),
            ("b".to_owned(), 1, "aborted", 2),
            ("a".to_owned(), 2, "open", 1),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn what_was_asked_before_the_end_belongs_to_it_even_if_told_after() {
        let at = |millis, exchange| Exchange {
            at: Duration::from_millis(millis),
            ..exchange
        };
        let exchanges = [
            at(1, exchange(24, "a", None, Some(0))),
            at(3, exchange(26, "a", Some(true), Some(0))),
            at(2, exchange(0, "a", None, Some(0))),
            at(4, exchange(0, "a", None, Some(0))),
            at(2, exchange(0, "a", None, None)),
            at(6, exchange(22, "a", None, Some(0))),
            at(5, exchange(0, "a", None, None)),
        ];
        let expected = [
            ("a".to_owned(), 1, "committed", 4),
            ("a".to_owned(), 2, "overtaken", 3),
        ];
        assert_eq!(ends(&exchanges), expected);
        let mut lives = Lives::default();
        for exchange in &exchanges {
            lives.note(exchange);
        }
        let [first, _] = lives.all() else {
            panic!("{lives:?}");
        };
        assert!(first.exchanges.is_sorted_by_key(|exchange| exchange.at));
    }

    #[test]
    fn a_producer_that_starts_anew_overtakes_what_was_open() {
        let seen = ends(&[
            exchange(0, "a", None, Some(0)),
            exchange(22, "a", None, Some(51)),
            exchange(22, "a", None, Some(0)),
            exchange(22, "a", None, Some(0)),
        ]);
        assert_eq!(seen, [("a".to_owned(), 1, "overtaken", 2)]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut lives = Lives::default();
        for number in 0..3_000 {
            lives.note(&exchange(0, &number.to_string(), None, Some(0)));
        }
        assert_eq!((lives.all().len(), lives.more), (2_000, 1_000));
        let mut lives = Lives::default();
        for _ in 0..300 {
            lives.note(&exchange(0, "a", None, Some(0)));
        }
        let life = &lives.all()[0];
        assert_eq!((life.exchanges.len(), life.more_exchanges), (200, 100));
    }
}
