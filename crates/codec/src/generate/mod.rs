//! Makes frames from a seed: valid ones, and ones with a single named thing wrong.
//!
//! For those who test a decoder, a client or a broker. The same seed, shape and version give the same
//! bytes on every machine. Frames are in the form that Kafka writes: varints as short as they can be,
//! tags in order, known tagged fields left out where they hold their default.
//!
//! ```
//! use milena_codec::generate::{self, Mutation, Shape};
//! use milena_codec::{Limits, guard, schema};
//!
//! let produce = schema::request(0).unwrap();
//! let valid = generate::body(produce, 9, 42, &Shape::default()).unwrap();
//! guard::check_message(produce, 9, valid.bytes(), &Limits::default()).unwrap();
//!
//! let broken = valid.mutate(Mutation::CountTooLarge, 1).unwrap();
//! guard::check_message(produce, 9, &broken, &Limits::default()).unwrap_err();
//! ```

mod mutation;
mod random;
#[cfg(feature = "proptest")]
pub mod strategy;
mod write;

pub use mutation::{Mutation, Verdict};

use crate::schema::{self, Message};
use random::Random;
use write::{Spot, Writer};

/// How large and how odd a generated message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shape {
    /// The most elements in one array. Default 3. Arrays inside arrays multiply.
    pub array_elements_max: u32,
    /// The most bytes in one string or byte field. Default 24.
    pub bytes_max: u32,
    /// Whether nullable fields are null at times. Default true.
    pub nulls: bool,
    /// What stands in fields of records. Default [`RecordsShape::Batches`].
    pub records: RecordsShape,
    /// Whether structs of flexible versions carry tagged fields that no schema knows. Default true.
    pub unknown_tags: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            array_elements_max: 3,
            bytes_max: 24,
            nulls: true,
            records: RecordsShape::Batches,
            unknown_tags: true,
        }
    }
}

/// What stands in fields of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordsShape {
    /// Record batches that can be read.
    Batches,
    /// Any bytes.
    Noise,
}

/// A generated message, which remembers where its lengths, counts and tags are.
#[derive(Clone, Debug)]
pub struct Generated {
    bytes: Vec<u8>,
    spots: Vec<Spot>,
}

impl Generated {
    /// The message.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The message.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The message with one thing wrong; the seed chooses where. `None` if the message has no place
    /// for this mutation: no tag to repeat, no string to break.
    #[must_use]
    pub fn mutate(&self, mutation: Mutation, seed: u64) -> Option<Vec<u8>> {
        mutation::apply(&self.bytes, &self.spots, mutation, &mut Random::new(seed))
    }
}

/// A valid body (or header, or record value) in a version; `None` if Kafka 4.4.0 does not know the
/// version.
#[must_use]
pub fn body(
    message: &'static Message,
    version: i16,
    seed: u64,
    shape: &Shape,
) -> Option<Generated> {
    if !message.versions().contains(version) {
        return None;
    }
    let mut writer = Writer::new(version, message.is_flexible(version), *shape, seed);
    writer.body(message.body());
    let (bytes, spots) = writer.finish();
    Some(Generated { bytes, spots })
}

/// A valid request frame, header and body, without the four bytes of length; `None` if Kafka 4.4.0
/// does not know the version.
#[must_use]
pub fn request_frame(
    api_key: i16,
    api_version: i16,
    seed: u64,
    shape: &Shape,
) -> Option<Generated> {
    let header = schema::message_named("RequestHeader")?;
    let header_version = schema::request_header_version(api_key, api_version)?;
    let mut header = body(header, header_version, seed, shape)?;
    // The header starts with the key and the version of what follows.
    for (place, byte) in header.bytes.iter_mut().zip(
        api_key
            .to_be_bytes()
            .into_iter()
            .chain(api_version.to_be_bytes()),
    ) {
        *place = byte;
    }
    let body = body(
        schema::request(api_key)?,
        api_version,
        seed.wrapping_add(1),
        shape,
    )?;
    Some(join(header, body))
}

/// A valid response frame, header and body, without the four bytes of length; `None` if Kafka 4.4.0
/// does not know the version.
#[must_use]
pub fn response_frame(
    api_key: i16,
    api_version: i16,
    seed: u64,
    shape: &Shape,
) -> Option<Generated> {
    let header = schema::message_named("ResponseHeader")?;
    let header_version = schema::response_header_version(api_key, api_version)?;
    let header = body(header, header_version, seed, shape)?;
    let body = body(
        schema::response(api_key)?,
        api_version,
        seed.wrapping_add(1),
        shape,
    )?;
    Some(join(header, body))
}

fn join(mut header: Generated, body: Generated) -> Generated {
    let start = header.bytes.len();
    header.bytes.extend(body.bytes);
    header
        .spots
        .extend(body.spots.into_iter().map(|spot| spot.moved(start)));
    header
}

#[cfg(test)]
mod tests;
