//! Why there is a guard: what the bare typed decoder does with five bytes.

use cap::Cap;
use kafka_protocol::messages::ProduceResponse;
use kafka_protocol::protocol::Decodable;
use milena_codec::Limits;
use milena_codec::guard::{self, Direction};
use std::alloc::System;
use std::process::Command;

/// Without a limit of its own, a system that overcommits would hand out the 412 GB.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, 1 << 30);

/// A Produce response v9 that announces 4,294,967,294 topics.
const FIVE_BYTES: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x0f];

/// Set in the child process, which runs the same test.
const IN_CHILD: &str = "MILENA_BARE_LIBRARY_CHILD";

#[test]
fn five_bytes_abort_the_bare_library_and_are_an_error_here() {
    if std::env::var_os(IN_CHILD).is_some() {
        let outcome = ProduceResponse::decode(&mut FIVE_BYTES.as_slice(), 9);
        panic!("the bare library survived: {outcome:?}");
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "five_bytes_abort_the_bare_library_and_are_an_error_here",
        ])
        .env(IN_CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr);
    assert!(
        said.contains("memory allocation of"),
        "{} {said}",
        child.status
    );
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        const SIGABRT: i32 = 6;
        assert_eq!(child.status.signal(), Some(SIGABRT));
    }

    let limits = Limits::default();
    guard::check(0, Direction::Response, 9, &FIVE_BYTES, &limits).unwrap_err();
}
