//! The bank's books: what a transfer is, and how its two entries are written down.
//!
//! A teller owns the accounts whose number leaves its own number as remainder, so that it alone
//! knows their balances. A transfer moves money between two accounts of one teller; its two entries
//! go to the partitions of the two accounts, in one transaction.

use serde::{Deserialize, Serialize};

/// Which half of a transfer an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Debit,
    Credit,
}

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Debit => Self::Credit,
            Self::Credit => Self::Debit,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
        }
    }
}

/// The two partitions that a transfer touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Partitions {
    pub(crate) debit: i32,
    pub(crate) credit: i32,
}

impl Partitions {
    pub(crate) fn of(self, side: Side) -> i32 {
        match side {
            Side::Debit => self.debit,
            Side::Credit => self.credit,
        }
    }
}

/// One half of a transfer, as it stands in the topic: a record whose value is this, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) teller: u32,
    /// Counted from 0 by the teller, in the order of its transactions.
    pub(crate) transfer: u64,
    pub(crate) side: Side,
    pub(crate) account: u32,
    pub(crate) amount: i64,
    /// What the account holds after this entry.
    pub(crate) balance: i64,
    pub(crate) partitions: Partitions,
    /// The teller means to abort the transaction: nobody who reads committed records may see this.
    pub(crate) to_be_aborted: bool,
}

/// The size of the bank.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bank {
    pub(crate) accounts: u32,
    pub(crate) tellers: u32,
    pub(crate) partitions: i32,
    /// What every account holds before the first transfer.
    pub(crate) opening_balance: i64,
    /// Every so many-th transfer is aborted on purpose; 0 for none.
    pub(crate) abort_every: u64,
}

impl Bank {
    pub(crate) fn total(&self) -> i64 {
        i64::from(self.accounts) * self.opening_balance
    }

    pub(crate) fn partition_of(&self, account: u32) -> i32 {
        let partitions = u32::try_from(self.partitions).unwrap_or(1).max(1);
        // By owner first: a teller's accounts spread over all partitions for any number of tellers.
        let place = account / self.tellers.max(1);
        i32::try_from(place % partitions).unwrap_or(0)
    }

    pub(crate) fn is_aborted_on_purpose(&self, transfer: u64) -> bool {
        self.abort_every > 0 && transfer % self.abort_every == self.abort_every - 1
    }
}

/// A teller's books: the balances after all of its committed transfers.
#[derive(Clone, Debug)]
pub(crate) struct Books {
    bank: Bank,
    teller: u32,
    /// By account, ascending, only this teller's.
    balances: Vec<(u32, i64)>,
    next_transfer: u64,
    random: fastrand::Rng,
}

/// A transfer that has been thought up and not been written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    pub(crate) debit: Entry,
    pub(crate) credit: Entry,
}

impl Books {
    pub(crate) fn open(bank: Bank, teller: u32, seed: u64) -> Self {
        let own = (0..bank.accounts).filter(|account| account % bank.tellers == teller);
        Self {
            bank,
            teller,
            balances: own.map(|account| (account, bank.opening_balance)).collect(),
            next_transfer: 0,
            random: fastrand::Rng::with_seed(seed ^ u64::from(teller)),
        }
    }

    /// The next transfer. Nothing is booked before [`book`](Self::book). `None` if this teller has
    /// fewer than two accounts.
    pub(crate) fn plan(&mut self) -> Option<Transfer> {
        let (from, from_balance) = self.solvent()?;
        let (to, to_balance) = self.receiver(from)?;
        let amount = self.random.i64(1..=from_balance.min(100));
        let transfer = self.next_transfer;
        self.next_transfer += 1;
        let partitions = Partitions {
            debit: self.bank.partition_of(from),
            credit: self.bank.partition_of(to),
        };
        let entry = |side, account, balance| Entry {
            teller: self.teller,
            transfer,
            side,
            account,
            amount,
            balance,
            partitions,
            to_be_aborted: self.bank.is_aborted_on_purpose(transfer),
        };
        Some(Transfer {
            debit: entry(Side::Debit, from, from_balance - amount),
            credit: entry(Side::Credit, to, to_balance + amount),
        })
    }

    /// The transfer was committed.
    pub(crate) fn book(&mut self, transfer: &Transfer) {
        for entry in [&transfer.debit, &transfer.credit] {
            for (account, balance) in &mut self.balances {
                if *account == entry.account {
                    *balance = entry.balance;
                }
            }
        }
    }

    /// An account with money: the first one at or after a random place.
    fn solvent(&mut self) -> Option<(u32, i64)> {
        let start = self.random.usize(0..self.balances.len().max(1));
        let turned = self
            .balances
            .iter()
            .cycle()
            .skip(start)
            .take(self.balances.len());
        turned.copied().find(|(_, balance)| *balance > 0)
    }

    /// Another account, on another partition if there is one.
    fn receiver(&mut self, from: u32) -> Option<(u32, i64)> {
        let start = self.random.usize(0..self.balances.len().max(1));
        let turned = || {
            self.balances
                .iter()
                .cycle()
                .skip(start)
                .take(self.balances.len())
                .copied()
        };
        let away = self.bank.partition_of(from);
        turned()
            .find(|(account, _)| self.bank.partition_of(*account) != away)
            .or_else(|| turned().find(|(account, _)| *account != from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const BANK: Bank = Bank {
        accounts: 10,
        tellers: 2,
        partitions: 4,
        opening_balance: 100,
        abort_every: 4,
    };

    #[test]
    fn a_transfer_keeps_the_sum_and_no_account_goes_below_zero() {
        let mut books = Books::open(BANK, 1, 7);
        for _ in 0..5_000 {
            let transfer = books.plan().unwrap();
            assert!(transfer.debit.balance >= 0);
            assert_eq!(transfer.debit.amount, transfer.credit.amount);
            books.book(&transfer);
        }
        assert_eq!(
            books
                .balances
                .iter()
                .map(|(_, balance)| balance)
                .sum::<i64>(),
            500
        );
    }

    #[test]
    fn a_transfer_spans_two_partitions_and_stays_with_its_teller() {
        let mut books = Books::open(BANK, 1, 7);
        for _ in 0..100 {
            let Transfer { debit, credit } = books.plan().unwrap();
            assert_ne!(debit.partitions.debit, debit.partitions.credit);
            assert_eq!((debit.account % 2, credit.account % 2), (1, 1));
        }
    }

    #[test]
    fn what_is_not_booked_leaves_the_balances() {
        let mut books = Books::open(BANK, 0, 7);
        let before = books.balances.clone();
        let first = books.plan().unwrap();
        let second = books.plan().unwrap();
        assert_eq!(books.balances, before);
        assert_eq!((first.debit.transfer, second.debit.transfer), (0, 1));
    }

    #[test]
    fn every_fourth_transfer_is_to_be_aborted() {
        let aborted = (0..1_000)
            .filter(|transfer| BANK.is_aborted_on_purpose(*transfer))
            .count();
        assert_eq!(aborted, 250);
        let never = Bank {
            abort_every: 0,
            ..BANK
        };
        assert!((0..1_000).all(|transfer| !never.is_aborted_on_purpose(transfer)));
    }

    #[test]
    fn a_teller_with_one_account_has_nothing_to_transfer() {
        let bank = Bank {
            accounts: 2,
            ..BANK
        };
        assert_eq!(Books::open(bank, 0, 7).plan(), None);
    }

    #[test]
    fn an_entry_survives_the_topic() {
        let entry = Books::open(BANK, 0, 7).plan().unwrap().credit;
        let text = serde_json::to_string(&entry).unwrap();
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
    }
}
