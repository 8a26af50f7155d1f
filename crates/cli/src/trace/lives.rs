//! The life of each transaction, put together from what went by.
//!
//! Pure. A transaction begins with the first request that names its transactional id after the last one
//! ended, and ends with an EndTxn that went through, or with an InitProducerId that puts an end to it.

use std::collections::BTreeMap;

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
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) more_exchanges: usize,
    pub(crate) end: End,
}

/// All that were seen.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    lives: Vec<Life>,
    /// By transactional id: where its open transaction is, and how many it had.
    current: BTreeMap<String, (Option<usize>, u64)>,
    /// Transactions beyond those that are kept.
    pub(crate) more: u64,
}

impl Lives {
    /// Something went by, in the order of the answers.
    pub(crate) fn note(&mut self, exchange: &Exchange) {
        let Some(id) = exchange.asked.transactional_id.clone() else {
            return;
        };
        if exchange.api_key == FIND_COORDINATOR {
            return;
        }
        if exchange.api_key == INIT_PRODUCER_ID {
            if exchange.is_done()
                && let Some((open, _)) = self.current.get_mut(&id)
                && let Some(life) = open.take().and_then(|place| self.lives.get_mut(place))
            {
                life.exchanges.push(exchange.clone());
                life.end = End::Overtaken;
            }
            return;
        }
        let Some(life) = self.life(id.clone()) else {
            return;
        };
        if life.exchanges.len() < EXCHANGES_MAX {
            life.exchanges.push(exchange.clone());
        } else {
            life.more_exchanges += 1;
        }
        if exchange.api_key == END_TXN && exchange.is_done() {
            life.end = match exchange.asked.committed {
                Some(true) => End::Committed,
                Some(false) | None => End::Aborted,
            };
            if let Some((open, _)) = self.current.get_mut(&id) {
                *open = None;
            }
        }
    }

    /// Oldest first.
    pub(crate) fn all(&self) -> &[Life] {
        &self.lives
    }

    /// The open transaction of an id, or a new one if there is room.
    fn life(&mut self, id: String) -> Option<&mut Life> {
        if self.current.len() >= TRANSACTIONS_MAX && !self.current.contains_key(&id) {
            self.more += 1;
            return None;
        }
        let (open, count) = self.current.entry(id.clone()).or_default();
        let place = match *open {
            Some(place) => place,
            None if self.lives.len() >= TRANSACTIONS_MAX => {
                self.more += 1;
                return None;
            }
            None => {
                *count += 1;
                self.lives.push(Life {
                    transactional_id: id,
                    number: *count,
                    exchanges: Vec::new(),
                    more_exchanges: 0,
                    end: End::Open,
                });
                let place = self.lives.len() - 1;
                *open = Some(place);
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
