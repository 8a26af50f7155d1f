//! What Kafka says with an error where it says more than its code.

use milena_codec::ErrorCode;

/// Every operation that a client may carry out on a topic: without ACLs all of them, as a set of bits.
pub(super) const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;
/// The same for the cluster.
pub(super) const CLUSTER_OPERATIONS: i32 = 0b1_1111_1011_0000;

/// Kafka's own message for a code, or the code's name.
pub(super) fn message(code: ErrorCode) -> String {
    let known = MESSAGES.iter().find(|(known, _)| *known == code);
    known.map_or_else(|| code.to_string(), |(_, message)| (*message).to_owned())
}

const MESSAGES: &[(ErrorCode, &str)] = &[
    (
        ErrorCode::CoordinatorNotAvailable,
        "The coordinator is not available.",
    ),
    (
        ErrorCode::InvalidRequest,
        "This most likely occurs because of a request being malformed by the client library or the message was sent to \
         an incompatible broker. See the broker logs for more details.",
    ),
    (
        ErrorCode::UnknownTopicId,
        "This server does not host this topic ID.",
    ),
    (
        ErrorCode::UnknownTopicOrPartition,
        "This server does not host this topic-partition.",
    ),
];

/// Why a name cannot be a topic's; `None` if it can.
pub(super) fn topic_name_fault(name: &str) -> Option<String> {
    const NAME_BYTES_MAX: usize = 249;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let fault = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." | ".." => format!("'{name}' is not allowed"),
        name if name.len() > NAME_BYTES_MAX => {
            format!("the length of '{name}' is longer than the max allowed length {NAME_BYTES_MAX}")
        }
        name if !name.bytes().all(legal) => format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        ),
        _ => return None,
    };
    Some(format!("Topic name is invalid: {fault}"))
}
