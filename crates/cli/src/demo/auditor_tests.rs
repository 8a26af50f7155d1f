use super::super::ledger::{Books, Transfer};
use super::*;

const BANK: Bank = Bank {
    accounts: 12,
    tellers: 2,
    partitions: 3,
    opening_balance: 1_000,
    abort_every: 4,
};

/// Transfers that a correct bank commits, in order, and all fates.
fn day(transfers: usize) -> (Vec<Transfer>, BTreeMap<Id, Fate>) {
    let mut tellers = [Books::open(BANK, 0, 1), Books::open(BANK, 1, 1)];
    let mut committed = Vec::new();
    let mut fates = BTreeMap::new();
    for turn in 0..transfers {
        let books = &mut tellers[turn % 2];
        let transfer = books.plan().unwrap();
        let id = Id {
            teller: transfer.debit.teller,
            transfer: transfer.debit.transfer,
        };
        if transfer.debit.to_be_aborted {
            fates.insert(id, Fate::Aborted);
        } else {
            fates.insert(id, Fate::Committed);
            books.book(&transfer);
            committed.push(transfer);
        }
    }
    (committed, fates)
}

/// The entries by partition, as a reader gets them: partition after partition, `batch` at a time.
fn as_read(committed: &[Transfer], batch: usize) -> Vec<Entry> {
    let mut logs = vec![Vec::new(); 3];
    for transfer in committed {
        for entry in [&transfer.debit, &transfer.credit] {
            logs[usize::try_from(entry.partitions.of(entry.side)).unwrap()].push(entry.clone());
        }
    }
    let mut read = Vec::new();
    while logs.iter().any(|log| !log.is_empty()) {
        for log in &mut logs {
            let some = batch.min(log.len());
            read.extend(log.drain(..some));
        }
    }
    read
}

fn audit(read: Vec<Entry>, fates: &BTreeMap<Id, Fate>) -> (Auditor, Vec<Violation>) {
    let mut auditor = Auditor::new(BANK);
    for entry in read {
        auditor.observe(entry);
    }
    auditor.close(fates);
    let violations = auditor.violations().to_vec();
    (auditor, violations)
}

#[test]
fn a_correct_day_has_no_violations_however_partitions_interleave() {
    let (committed, fates) = day(400);
    for batch in [1, 2, 7, 50, 1_000] {
        let (auditor, violations) = audit(as_read(&committed, batch), &fates);
        assert_eq!(violations, [], "batch {batch}");
        assert_eq!(auditor.settled(), 300);
        assert_eq!(auditor.entries(), 600);
        assert_eq!(auditor.total(), BANK.total());
    }
}

#[test]
fn a_torn_transfer_is_reported_while_the_bank_is_open() {
    let (committed, _) = day(400);
    let mut read = as_read(&committed, 3);
    let missing = read.remove(60);
    let mut auditor = Auditor::new(BANK);
    let id = Id {
        teller: missing.teller,
        transfer: missing.transfer,
    };
    let torn = Violation::Torn {
        id,
        seen: missing.side.other(),
    };
    let open = read.len() - 100;
    for entry in read.drain(..open) {
        auditor.observe(entry);
    }
    assert!(
        auditor.violations().contains(&torn),
        "{:?}",
        auditor.violations()
    );
}

#[test]
fn a_torn_transfer_at_the_end_is_reported_when_the_bank_closes() {
    let (committed, fates) = day(40);
    let mut read = as_read(&committed, 3);
    let last = read.pop().unwrap();
    let id = Id {
        teller: last.teller,
        transfer: last.transfer,
    };
    let (_, violations) = audit(read, &fates);
    assert!(violations.contains(&Violation::Torn {
        id,
        seen: last.side.other()
    }));
}

#[test]
fn an_entry_seen_twice_is_reported_at_once() {
    let (committed, _) = day(40);
    let read = as_read(&committed, 3);
    for again in [0, 5, 20] {
        let mut auditor = Auditor::new(BANK);
        for entry in read.iter().take(again + 1) {
            auditor.observe(entry.clone());
        }
        assert_eq!(auditor.violations(), []);
        let entry = read[again].clone();
        let id = Id {
            teller: entry.teller,
            transfer: entry.transfer,
        };
        let side = entry.side;
        auditor.observe(entry);
        assert_eq!(auditor.violations(), [Violation::Twice { id, side }]);
    }
}

#[test]
fn an_aborted_transfer_is_reported_at_once() {
    let mut books = Books::open(BANK, 0, 1);
    let mut auditor = Auditor::new(BANK);
    loop {
        let transfer = books.plan().unwrap();
        if transfer.debit.to_be_aborted {
            let id = Id {
                teller: 0,
                transfer: transfer.debit.transfer,
            };
            auditor.observe(transfer.debit);
            let side = Side::Debit;
            assert_eq!(auditor.violations(), [Violation::AbortedSeen { id, side }]);
            return;
        }
        books.book(&transfer);
        auditor.observe(transfer.debit);
        auditor.observe(transfer.credit);
    }
}

#[test]
fn a_transfer_that_was_aborted_after_a_failure_and_seen_is_reported_at_the_end() {
    let (committed, mut fates) = day(40);
    let entry = &committed[7].debit;
    let id = Id {
        teller: entry.teller,
        transfer: entry.transfer,
    };
    fates.insert(id, Fate::Aborted);
    let (_, violations) = audit(as_read(&committed, 3), &fates);
    assert_eq!(
        violations,
        [Violation::AbortedSeen {
            id,
            side: Side::Debit
        }]
    );
}

#[test]
fn money_from_nowhere_changes_the_total() {
    let (mut committed, fates) = day(40);
    let last = committed.last_mut().unwrap();
    last.credit.amount += 5;
    last.credit.balance += 5;
    let id = Id {
        teller: last.credit.teller,
        transfer: last.credit.transfer,
    };
    let (auditor, violations) = audit(as_read(&committed, 3), &fates);
    let expected = BANK.total();
    assert_eq!(
        violations,
        [Violation::TotalChanged {
            id,
            expected,
            found: expected + 5
        }]
    );
    assert_eq!(auditor.total(), expected + 5);
}

#[test]
fn a_lost_transfer_breaks_the_balances_after_it_and_is_missed_at_the_end() {
    let (mut committed, fates) = day(400);
    let lost = committed.remove(30);
    let id = Id {
        teller: lost.debit.teller,
        transfer: lost.debit.transfer,
    };
    let (_, violations) = audit(as_read(&committed, 3), &fates);
    assert!(
        violations
            .iter()
            .any(|v| matches!(v, Violation::BalanceBroken { .. }))
    );
    assert!(violations.contains(&Violation::Lost { id }));
}

#[test]
fn an_unknown_outcome_may_be_seen_or_not_but_not_half() {
    let (committed, mut fates) = day(40);
    let last = committed.last().unwrap();
    let id = Id {
        teller: last.debit.teller,
        transfer: last.debit.transfer,
    };
    fates.insert(id, Fate::Unknown);
    let whole = as_read(&committed, 3);
    assert_eq!(audit(whole.clone(), &fates).1, []);
    let of = |entry: &Entry| entry.teller == id.teller && entry.transfer == id.transfer;
    let without: Vec<_> = whole.iter().filter(|entry| !of(entry)).cloned().collect();
    assert_eq!(audit(without, &fates).1, []);
    let half: Vec<_> = whole
        .into_iter()
        .filter(|entry| !of(entry) || entry.side == Side::Debit)
        .collect();
    assert_eq!(
        audit(half, &fates).1,
        [Violation::Torn {
            id,
            seen: Side::Debit
        }]
    );
}

#[test]
fn what_is_no_entry_is_a_violation() {
    let mut auditor = Auditor::new(BANK);
    auditor.observe_unreadable("partition 0, offset 3".to_owned());
    assert_eq!(auditor.violations().len(), 1);
}
