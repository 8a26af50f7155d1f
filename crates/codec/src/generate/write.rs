//! Writes a random message by its schema, and notes where things are that a mutation can break.

use super::random::Random;
use super::{RecordsShape, Shape};
use crate::record::{BatchBuilder, BatchStamp, Compression, HeaderToWrite, RecordToWrite};
use crate::schema::{Field, Scalar, Struct, Type};
use crate::{ProducerEpoch, ProducerId, ProducerIdentity, Sequence};

/// Something in the bytes that a mutation can break.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) kind: SpotKind,
    /// Where it starts.
    pub(super) at: usize,
    /// Bytes that it takes.
    pub(super) size: usize,
    /// Whether it lies inside a tagged field, whose size would have to change with it.
    pub(super) inside_tag: bool,
}

impl Spot {
    pub(super) fn moved(mut self, by: usize) -> Self {
        self.at += by;
        if let SpotKind::Tags { last, end, .. } = &mut self.kind {
            *last = last.map(|last| last + by);
            *end += by;
        }
        self
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum SpotKind {
    /// A length or count of an array, a string or bytes.
    Length {
        form: Form,
        nullable: bool,
        of: LengthOf,
    },
    /// The byte in front of a nullable struct.
    Presence,
    /// The count of tagged fields; where the last one starts and the section ends.
    Tags {
        count: u32,
        last: Option<usize>,
        end: usize,
    },
    /// The size of a tagged field that the schema knows, and the size itself.
    TagSize { bytes: u32 },
}

/// How a length is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A varint of the length plus one.
    Compact,
    /// Two bytes.
    Int16,
    /// Four bytes.
    Int32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LengthOf {
    /// An array of so many elements.
    Array {
        count: usize,
    },
    Bytes,
    /// Text of so many bytes.
    Text {
        bytes: usize,
    },
}

pub(super) struct Writer {
    version: i16,
    flexible: bool,
    shape: Shape,
    random: Random,
    bytes: Vec<u8>,
    spots: Vec<Spot>,
    /// Tagged fields around the place that is being written.
    tags_open: u32,
}

/// The highest tag that a generated message uses for fields that no schema knows.
const UNKNOWN_TAG_MAX: u32 = 300;

impl Writer {
    pub(super) fn new(version: i16, flexible: bool, shape: Shape, seed: u64) -> Self {
        Self {
            version,
            flexible,
            shape,
            random: Random::new(seed),
            bytes: Vec::new(),
            spots: Vec::new(),
            tags_open: 0,
        }
    }

    pub(super) fn finish(self) -> (Vec<u8>, Vec<Spot>) {
        (self.bytes, self.spots)
    }

    /// Structs of the schema never contain themselves, so this recursion is as deep as the schema.
    pub(super) fn body(&mut self, body: &Struct) {
        for field in body.fields() {
            if field.versions().contains(self.version) && !field.is_tagged(self.version) {
                self.field(field);
            }
        }
        if self.flexible {
            self.tags(body);
        }
    }

    fn field(&mut self, field: &Field) {
        let nullable = field.nullable().contains(self.version);
        let compact = self.flexible && !field.is_rigid();
        self.value(field.value(), compact, nullable);
    }

    fn value(&mut self, value: Type, compact: bool, nullable: bool) {
        // A tagged field is only written where it does not hold its default, which may be null.
        let null = nullable && self.shape.nulls && self.tags_open == 0 && self.random.one_in(4);
        let long = if compact { Form::Compact } else { Form::Int32 };
        match value {
            Type::Scalar(scalar) => self.scalar(scalar),
            Type::Struct(body) => {
                if nullable {
                    self.spot(SpotKind::Presence, 1);
                    self.bytes.push(if null { 0xff } else { 1 });
                }
                if !(nullable && null) {
                    self.body(body);
                }
            }
            Type::String => {
                let text = self.text();
                let form = if compact { Form::Compact } else { Form::Int16 };
                let of = LengthOf::Text {
                    bytes: if null { 0 } else { text.len() },
                };
                self.length((!null).then_some(text.len()), form, nullable, of);
                self.content(null, text.as_bytes());
            }
            Type::Bytes | Type::Records => {
                let batches =
                    matches!(value, Type::Records) && self.shape.records == RecordsShape::Batches;
                let bytes = if batches {
                    self.batches()
                } else {
                    self.noise()
                };
                self.length(
                    (!null).then_some(bytes.len()),
                    long,
                    nullable,
                    LengthOf::Bytes,
                );
                self.content(null, &bytes);
            }
            Type::Array(element) => {
                let elements = self.some_up_to(self.shape.array_elements_max);
                let count = usize::try_from(elements).unwrap_or_default();
                let of = LengthOf::Array {
                    count: if null { 0 } else { count },
                };
                self.length((!null).then_some(count), long, nullable, of);
                for _ in 0..if null { 0 } else { elements } {
                    self.value(*element, compact, false);
                }
            }
        }
    }

    fn content(&mut self, null: bool, bytes: &[u8]) {
        if !null {
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn length(&mut self, length: Option<usize>, form: Form, nullable: bool, of: LengthOf) {
        let start = self.bytes.len();
        put_length(&mut self.bytes, form, length);
        let size = self.bytes.len() - start;
        self.spot_at(SpotKind::Length { form, nullable, of }, start, size);
    }

    fn scalar(&mut self, scalar: Scalar) {
        let mut bits = self.random.next();
        // Small numbers are as likely as any: error codes, counts, epochs.
        if self.random.one_in(2) {
            bits %= 200;
        }
        if self.tags_open > 0 {
            // Neither 0 nor -1 nor a maximum, which are the defaults that a tagged field can have.
            bits = (bits & !0x81) | 2;
        }
        match scalar {
            Scalar::Bool => self
                .bytes
                .push(u8::from(self.tags_open > 0 || bits % 2 == 1)),
            Scalar::Uuid => {
                let low = self.random.next();
                self.bytes.extend(bits.to_be_bytes());
                self.bytes.extend(low.to_be_bytes());
            }
            sized @ (Scalar::Float64
            | Scalar::Int16
            | Scalar::Int32
            | Scalar::Int64
            | Scalar::Int8
            | Scalar::Uint16
            | Scalar::Uint32) => {
                let bytes = bits.to_be_bytes();
                self.bytes
                    .extend(bytes.iter().skip(bytes.len() - sized.size()));
            }
        }
    }

    fn tags(&mut self, body: &Struct) {
        let mut known: Vec<&Field> = body
            .fields()
            .iter()
            .filter(|field| field.is_tagged(self.version))
            .collect();
        known.sort_by_key(|field| field.tag().map(|tag| tag.number));
        known.retain(|_| self.random.one_in(2));
        let mut entries: Vec<(u32, Option<&Field>)> = known
            .into_iter()
            .filter_map(|field| Some((field.tag()?.number, Some(field))))
            .collect();
        if self.shape.unknown_tags && self.random.one_in(4) {
            for _ in 0..=self.random.up_to(1) {
                let tag = self.random.up_to(UNKNOWN_TAG_MAX);
                let taken = body
                    .fields()
                    .iter()
                    .any(|field| field.tag().is_some_and(|known| known.number == tag));
                if !taken && entries.iter().all(|(entry, _)| *entry != tag) {
                    entries.push((tag, None));
                }
            }
        }
        entries.sort_by_key(|(tag, _)| *tag);
        let at = self.bytes.len();
        let count = u32::try_from(entries.len()).unwrap_or_default();
        put_varint(&mut self.bytes, count);
        let size = self.bytes.len() - at;
        let mut last = None;
        for (tag, field) in entries {
            last = Some(self.bytes.len());
            self.tag(tag, field);
        }
        let end = self.bytes.len();
        self.spot_at(SpotKind::Tags { count, last, end }, at, size);
    }

    fn tag(&mut self, tag: u32, field: Option<&Field>) {
        put_varint(&mut self.bytes, tag);
        // The content first, since its size stands in front of it.
        let start = self.bytes.len();
        let first_spot = self.spots.len();
        self.tags_open += 1;
        match field {
            Some(field) => self.field(field),
            None => {
                let noise = self.noise();
                self.bytes.extend(noise);
            }
        }
        self.tags_open -= 1;
        let content = self.bytes.split_off(start);
        let bytes = u32::try_from(content.len()).unwrap_or(u32::MAX);
        put_varint(&mut self.bytes, bytes);
        let size = self.bytes.len() - start;
        self.bytes.extend(content);
        for spot in self.spots.iter_mut().skip(first_spot) {
            *spot = spot.moved(size);
        }
        if field.is_some() {
            self.spot_at(SpotKind::TagSize { bytes }, start, size);
        }
    }

    fn spot(&mut self, kind: SpotKind, size: usize) {
        self.spot_at(kind, self.bytes.len(), size);
    }

    fn spot_at(&mut self, kind: SpotKind, at: usize, size: usize) {
        let inside_tag = self.tags_open > 0;
        self.spots.push(Spot {
            kind,
            at,
            size,
            inside_tag,
        });
    }

    /// Up to so many, and inside a tagged field at least one: empty is a default.
    fn some_up_to(&mut self, most: u32) -> u32 {
        let least = u32::from(self.tags_open > 0);
        self.random.up_to(most).max(least)
    }

    fn noise(&mut self) -> Vec<u8> {
        let length = self.some_up_to(self.shape.bytes_max);
        (0..length)
            .map(|_| self.random.next().to_le_bytes()[0])
            .collect()
    }

    /// Text of one to four bytes a character, now and then.
    fn text(&mut self) -> String {
        let bytes = usize::try_from(self.some_up_to(self.shape.bytes_max)).unwrap_or_default();
        let mut text = String::new();
        let foreign = self.random.one_in(4);
        while text.len() < bytes {
            let any = if foreign {
                self.random.up_to(0x1_0fff)
            } else {
                self.random.up_to(93) + 33
            };
            let character = char::from_u32(any).unwrap_or('x');
            if text.len() + character.len_utf8() > bytes {
                break;
            }
            text.push(character);
        }
        // Not even a foreign character may have fitted.
        if text.is_empty() && bytes > 0 {
            text.push('x');
        }
        text
    }

    /// Whole record batches, uncompressed.
    fn batches(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..=self.random.up_to(1) {
            let mut builder = BatchBuilder::new(Vec::new());
            for _ in 0..=self.random.up_to(2) {
                let (key, value, name) = (self.noise(), self.noise(), self.text());
                let header = HeaderToWrite {
                    key: &name,
                    value: Some(&key),
                };
                let record = RecordToWrite {
                    timestamp: i64::from(self.random.up_to(u32::MAX)),
                    key: self.random.one_in(2).then_some(&key),
                    value: (!self.random.one_in(4)).then_some(&value),
                    headers: if self.random.one_in(2) {
                        &[]
                    } else {
                        &[header]
                    },
                };
                // Records this small always fit a batch.
                let _ = builder.append(&record);
            }
            let idempotent = self.random.one_in(2);
            let stamp = if idempotent {
                let epoch = i16::from_be_bytes([0, self.random.next().to_le_bytes()[0]]);
                BatchStamp {
                    producer: ProducerIdentity {
                        producer_id: ProducerId(i64::from(self.random.up_to(u32::MAX))),
                        producer_epoch: ProducerEpoch(epoch),
                    },
                    base_sequence: Sequence::ZERO,
                    transactional: self.random.one_in(2),
                }
            } else {
                BatchStamp::NONE
            };
            if let Ok(batch) = builder.close(Compression::None) {
                out.extend(batch.to_vec(&stamp));
            }
        }
        out
    }
}

/// A length in any form; `None` is null.
pub(super) fn put_length(out: &mut Vec<u8>, form: Form, length: Option<usize>) {
    match form {
        Form::Compact => {
            let encoded = length.map_or(0, |length| u32::try_from(length + 1).unwrap_or(u32::MAX));
            put_varint(out, encoded);
        }
        Form::Int16 => {
            let length = length.map_or(-1, |length| i16::try_from(length).unwrap_or(i16::MAX));
            out.extend(length.to_be_bytes());
        }
        Form::Int32 => {
            let length = length.map_or(-1, |length| i32::try_from(length).unwrap_or(i32::MAX));
            out.extend(length.to_be_bytes());
        }
    }
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}
