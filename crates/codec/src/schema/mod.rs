//! Every message of Kafka 4.4.0 in every version, as data.
//!
//! The table is made from Kafka's own message definitions by `schema-table` in protocol-tests and
//! names every request, response, header and record schema with its fields. The
//! [`guard`](crate::guard) walks it before each typed decode.
//!
//! No message of Kafka recurses, so every walk over the table ends.

#[rustfmt::skip]
mod table;

use std::fmt;

/// A range of versions, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    first: i16,
    last: i16,
}

impl Versions {
    /// No version at all.
    pub const NONE: Self = Self { first: 0, last: -1 };

    /// Whether the range holds a version.
    #[must_use]
    pub const fn contains(self, version: i16) -> bool {
        self.first <= version && version <= self.last
    }

    /// The lowest version; meaningless in an empty range.
    #[must_use]
    pub const fn first(self) -> i16 {
        self.first
    }

    /// The highest version, `i16::MAX` for an open end; meaningless in an empty range.
    #[must_use]
    pub const fn last(self) -> i16 {
        self.last
    }

    /// Whether the range holds no version.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.first > self.last
    }

    /// Every version of the range, lowest first.
    pub fn iter(self) -> impl Iterator<Item = i16> {
        self.first..=self.last
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            _ if self.is_none() => f.write_str("none"),
            (first, i16::MAX) => write!(f, "{first}+"),
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

/// What a field holds, by the names of Kafka's message definitions.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// Elements one after the other, behind their count.
    Array(&'static Type),
    /// Bytes behind their length.
    Bytes,
    /// Record batches behind their length in bytes.
    Records,
    /// A value of fixed size.
    Scalar(Scalar),
    /// UTF-8 behind its length in bytes.
    String,
    /// Fields one after the other.
    Struct(&'static Struct),
}

/// A value that takes as many bytes on the wire whatever it is. Numbers are big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// One byte; anything but 0 is true.
    Bool,
    /// Eight bytes, IEEE 754.
    Float64,
    /// Two bytes.
    Int16,
    /// Four bytes.
    Int32,
    /// Eight bytes.
    Int64,
    /// One byte.
    Int8,
    /// Two bytes.
    Uint16,
    /// Four bytes.
    Uint32,
    /// Sixteen bytes.
    Uuid,
}

impl Scalar {
    /// Bytes on the wire.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::Bool | Self::Int8 => 1,
            Self::Int16 | Self::Uint16 => 2,
            Self::Int32 | Self::Uint32 => 4,
            Self::Float64 | Self::Int64 => 8,
            Self::Uuid => 16,
        }
    }
}

/// A tagged field's number, and the versions in which the field is tagged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The number on the wire.
    pub number: u32,
    /// Where the field is tagged; elsewhere it has its place among the others.
    pub versions: Versions,
}

/// One field of a struct.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    name: &'static str,
    value: Type,
    versions: Versions,
    nullable: Versions,
    tag: Option<Tag>,
    map_key: bool,
    rigid: bool,
}

impl Field {
    /// The name in Kafka's message definition, such as `ThrottleTimeMs`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What the field holds.
    #[must_use]
    pub const fn value(&self) -> Type {
        self.value
    }

    /// The versions that have the field.
    #[must_use]
    pub const fn versions(&self) -> Versions {
        self.versions
    }

    /// The versions in which the field may be null.
    #[must_use]
    pub const fn nullable(&self) -> Versions {
        self.nullable
    }

    /// The number and versions of a tagged field.
    #[must_use]
    pub const fn tag(&self) -> Option<Tag> {
        self.tag
    }

    /// Whether the field is (part of) the key by which the elements of its array are distinguished.
    #[must_use]
    pub const fn is_map_key(&self) -> bool {
        self.map_key
    }

    /// Whether the field keeps its old, not compact form in flexible versions too, as the client
    /// id of the request header does.
    #[must_use]
    pub const fn is_rigid(&self) -> bool {
        self.rigid
    }

    /// Whether the field stands among the tagged fields of a version.
    #[must_use]
    pub const fn is_tagged(&self, version: i16) -> bool {
        match self.tag {
            Some(tag) => tag.versions.contains(version),
            None => false,
        }
    }

    const fn nullable_in(self, first: i16, last: i16) -> Self {
        Self {
            nullable: Versions { first, last },
            ..self
        }
    }

    const fn tagged(self, number: u32, first: i16, last: i16) -> Self {
        Self {
            tag: Some(Tag {
                number,
                versions: Versions { first, last },
            }),
            ..self
        }
    }

    const fn key(self) -> Self {
        Self {
            map_key: true,
            ..self
        }
    }

    const fn rigid(self) -> Self {
        Self {
            rigid: true,
            ..self
        }
    }
}

const fn field(name: &'static str, value: Type, first: i16, last: i16) -> Field {
    Field {
        name,
        value,
        versions: Versions { first, last },
        nullable: Versions::NONE,
        tag: None,
        map_key: false,
        rigid: false,
    }
}

/// Fields that follow each other on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Struct {
    name: &'static str,
    fields: &'static [Field],
}

impl Struct {
    /// The name in Kafka's message definition; for the outermost struct the message's own.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The fields of all versions, in the order of the wire.
    #[must_use]
    pub const fn fields(&self) -> &'static [Field] {
        self.fields
    }
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value inside another message or inside a record, such as `ConsumerProtocolAssignment`.
    Data,
    /// What stands in front of a request or response.
    Header,
    /// From a client to a broker.
    Request,
    /// From a broker to a client.
    Response,
}

/// Which kind of server serves an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Brokers.
    Broker,
    /// The controllers of a KRaft quorum.
    Controller,
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    index: usize,
    kind: Kind,
    api_key: Option<i16>,
    versions: Versions,
    flexible: Versions,
    unstable: bool,
    listeners: &'static [Listener],
    body: &'static Struct,
}

impl Message {
    /// The name in Kafka's message definition, such as `ProduceRequest`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.body.name
    }

    /// What the message is for.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The number of its API, for a request or response.
    #[must_use]
    pub const fn api_key(&self) -> Option<i16> {
        self.api_key
    }

    /// The versions that Kafka 4.4.0 knows; none for an API that it has removed.
    #[must_use]
    pub const fn versions(&self) -> Versions {
        self.versions
    }

    /// Whether a version uses compact lengths and tagged fields.
    #[must_use]
    pub const fn is_flexible(&self, version: i16) -> bool {
        self.flexible.contains(version)
    }

    /// Whether any version uses compact lengths and tagged fields.
    #[must_use]
    pub const fn is_ever_flexible(&self) -> bool {
        !self.flexible.is_none()
    }

    /// Whether brokers offer a version only with `unstable.api.versions.enable`: it may still change.
    /// Kafka marks requests; ask for the request of a response.
    #[must_use]
    pub const fn is_unstable(&self, version: i16) -> bool {
        self.unstable && version == self.versions.last
    }

    /// Which servers serve the API. Kafka lists this with the request; empty for every other message.
    #[must_use]
    pub const fn listeners(&self) -> &'static [Listener] {
        self.listeners
    }

    /// The fields.
    #[must_use]
    pub const fn body(&self) -> &'static Struct {
        self.body
    }

    /// The place in [`messages`].
    pub(crate) const fn index(&self) -> usize {
        self.index
    }

    const fn api(self, kind: Kind, api_key: i16) -> Self {
        Self {
            kind,
            api_key: Some(api_key),
            ..self
        }
    }

    const fn header(self) -> Self {
        Self {
            kind: Kind::Header,
            ..self
        }
    }

    const fn versions_in(self, first: i16, last: i16) -> Self {
        Self {
            versions: Versions { first, last },
            ..self
        }
    }

    const fn flexible_in(self, first: i16, last: i16) -> Self {
        Self {
            flexible: Versions { first, last },
            ..self
        }
    }

    const fn latest_unstable(self) -> Self {
        Self {
            unstable: true,
            ..self
        }
    }

    const fn served_by(self, listeners: &'static [Listener]) -> Self {
        Self { listeners, ..self }
    }
}

const fn message(index: usize, body: &'static Struct) -> Message {
    Message {
        index,
        kind: Kind::Data,
        api_key: None,
        versions: Versions::NONE,
        flexible: Versions::NONE,
        unstable: false,
        listeners: &[],
        body,
    }
}

/// Every message, in the order of its name.
#[must_use]
pub fn messages() -> &'static [Message] {
    &table::MESSAGES
}

/// How many messages there are.
pub(crate) const MESSAGE_COUNT: usize = table::MESSAGE_COUNT;

/// The message of a name, such as `MetadataResponse`.
#[must_use]
pub fn message_named(name: &str) -> Option<&'static Message> {
    let index = table::MESSAGES
        .binary_search_by(|message| message.name().cmp(name))
        .ok()?;
    table::MESSAGES.get(index)
}

/// The keys of all APIs, also of those that Kafka 4.4.0 has removed, lowest first.
pub fn api_keys() -> impl Iterator<Item = i16> {
    (0_i16..)
        .zip(&table::APIS)
        .filter(|(_, api)| api.is_some())
        .map(|(key, _)| key)
}

/// The request of an API.
#[must_use]
pub fn request(api_key: i16) -> Option<&'static Message> {
    let (request, _) = api(api_key)?;
    table::MESSAGES.get(request)
}

/// The response of an API.
#[must_use]
pub fn response(api_key: i16) -> Option<&'static Message> {
    let (_, response) = api(api_key)?;
    table::MESSAGES.get(response)
}

/// An API's name, such as `Produce`.
#[must_use]
pub fn api_name(api_key: i16) -> Option<&'static str> {
    request(api_key)?.name().strip_suffix("Request")
}

/// The versions of an API's request that Kafka 4.4.0 knows. This is the range to negotiate with: a
/// response may have more.
#[must_use]
pub fn api_versions(api_key: i16) -> Option<Versions> {
    request(api_key).map(Message::versions)
}

/// The version of the request header (1 or 2) that a version of an API has.
#[must_use]
pub fn request_header_version(api_key: i16, api_version: i16) -> Option<i16> {
    let request = request(api_key).filter(|request| request.versions.contains(api_version))?;
    Some(if request.is_flexible(api_version) {
        2
    } else {
        1
    })
}

/// The version of the response header (0 or 1) that a version of an API has.
///
/// ApiVersions always has 0: the client reads the response before it knows which versions the broker supports.
#[must_use]
pub fn response_header_version(api_key: i16, api_version: i16) -> Option<i16> {
    let response = response(api_key).filter(|response| response.versions.contains(api_version))?;
    let tagged = response.is_flexible(api_version) && response.name() != "ApiVersionsResponse";
    Some(if tagged { 1 } else { 0 })
}

fn api(api_key: i16) -> Option<(usize, usize)> {
    let entry = table::APIS.get(usize::try_from(api_key).ok()?)?;
    entry.map(|(request, response)| (usize::from(request), usize::from(response)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_every_message_of_kafka_4_4_0() {
        let pairs = messages()
            .iter()
            .map(|message| message.versions().iter().count());
        assert_eq!((messages().len(), pairs.sum::<usize>()), (203, 640));
        assert_eq!((api_keys().count(), api_keys().last()), (95, Some(94)));
        assert!(messages().is_sorted_by_key(|message| message.name()));
        for (index, message) in messages().iter().enumerate() {
            assert_eq!(message.index(), index);
            assert_eq!(
                message_named(message.name()).map(Message::index),
                Some(index)
            );
        }
    }

    #[test]
    fn requests_and_responses_are_found_by_key() {
        for key in api_keys() {
            let name = api_name(key).unwrap();
            let (request, response) = (request(key).unwrap(), response(key).unwrap());
            assert_eq!(
                (request.kind(), response.kind()),
                (Kind::Request, Kind::Response)
            );
            assert_eq!(request.name(), format!("{name}Request"));
            assert_eq!(response.name(), format!("{name}Response"));
            assert_eq!(
                (request.api_key(), response.api_key()),
                (Some(key), Some(key))
            );
            // Every request version has its response.
            for version in request.versions().iter() {
                assert!(response.versions().contains(version), "{name} {version}");
            }
        }
        assert!(request(-1).is_none() && request(95).is_none() && response(i16::MAX).is_none());
    }

    #[test]
    fn versions_are_those_of_kafka() {
        assert_eq!(api_versions(0).unwrap().to_string(), "3-13");
        assert_eq!(api_versions(7).unwrap(), Versions::NONE);
        let init_producer_id = request(22).unwrap();
        assert!(init_producer_id.is_unstable(6) && !init_producer_id.is_unstable(5));
        assert_eq!(init_producer_id.listeners(), [Listener::Broker]);
    }

    /// (api key, api version, request header, response header), read off Kafka's own `ApiKeys`.
    #[test]
    fn header_versions_are_those_of_kafka() {
        let known = [
            (0, 8, 1, 0),
            (0, 9, 2, 1),
            (18, 2, 1, 0),
            (18, 3, 2, 0),
            (47, 0, 1, 0),
        ];
        for (key, version, request, response) in known {
            assert_eq!(
                request_header_version(key, version),
                Some(request),
                "{key} {version}"
            );
            assert_eq!(
                response_header_version(key, version),
                Some(response),
                "{key} {version}"
            );
        }
        assert_eq!(request_header_version(0, 14), None);
        assert_eq!(response_header_version(95, 0), None);
    }

    #[test]
    fn the_headers_agree_with_the_table() {
        for key in api_keys() {
            for version in api_versions(key).into_iter().flat_map(Versions::iter) {
                let request = crate::header::request_header_version(key, version);
                let response = crate::header::response_header_version(key, version);
                assert_eq!(
                    request,
                    request_header_version(key, version),
                    "{key} {version}"
                );
                assert_eq!(
                    response,
                    response_header_version(key, version),
                    "{key} {version}"
                );
            }
        }
    }
}
