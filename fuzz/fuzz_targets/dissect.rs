//! Whole frames, printed: never a panic, always JSON, and the verdict of the guard.
//!
//! The first bytes say how the frame is taken: as a request, as the response to some request, or as any
//! other message of the table.

#![no_main]

use libfuzzer_sys::fuzz_target;
use milena_codec::dissect::{self, DissectError, Format};
use milena_codec::guard::{self, Fault, GuardError};
use milena_codec::{Limits, schema};
use serde::de::IgnoredAny;

fuzz_target!(|data: &[u8]| {
    let Some((&[mode, which, version], frame)) = data.split_first_chunk() else {
        return;
    };
    let limits = Limits::default();
    let (key, version) = (i16::from(which % 95), i16::from(version % 20));
    let mut json = String::new();
    let mut tree = String::new();
    let outcome = match mode % 3 {
        0 => {
            let _ = dissect::request(&mut tree, Format::Tree, frame, &limits);
            dissect::request(&mut json, Format::Json, frame, &limits)
        }
        1 => {
            let _ = dissect::response(&mut tree, Format::Tree, frame, key, version, &limits);
            dissect::response(&mut json, Format::Json, frame, key, version, &limits)
        }
        _ => {
            let message = &schema::messages()[usize::from(which) % schema::messages().len()];
            let _ = dissect::message(&mut tree, Format::Tree, message, version, frame, &limits);
            let guarded = guard::check_message(message, version, frame, &limits);
            let outcome =
                dissect::message(&mut json, Format::Json, message, version, frame, &limits);
            agree(guarded.map(drop), &outcome);
            outcome
        }
    };
    assert!(!matches!(outcome, Err(DissectError::Output { .. })));
    // Nothing is printed of a frame whose API nobody knows.
    if !json.is_empty() {
        serde_json::from_str::<IgnoredAny>(&json).expect("JSON");
    }
});

fn agree(guarded: Result<(), GuardError>, dissected: &Result<(), DissectError>) {
    match (&guarded, dissected) {
        (Ok(()), Ok(())) => {}
        // The dissector builds nothing and knows no budget.
        (
            Err(GuardError::Rejected {
                fault: Fault::OverBudget { .. },
                ..
            }),
            _,
        ) => {}
        (
            Err(GuardError::Rejected {
                path: ours,
                offset: at,
                ..
            }),
            Err(DissectError::Malformed {
                source:
                    GuardError::Rejected {
                        path: theirs,
                        offset: there,
                        ..
                    },
            }),
        ) => assert_eq!((ours, at), (theirs, there)),
        (Err(ours), Err(DissectError::Malformed { source })) => assert_eq!(ours, source),
        _ => panic!("{guarded:?} {dissected:?}"),
    }
}
