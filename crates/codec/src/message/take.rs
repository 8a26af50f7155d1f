//! Reads the forms of flexible versions, from bytes that the guard has passed.

use super::name;
use crate::DecodeError;
use crate::guard::{Fault, take};
use bytes::{Buf, Bytes};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Elements that a list makes room for before it has read one; the guard has counted the bytes.
const ROOM_AHEAD: usize = 1_000;

/// What is left of a body.
pub(super) struct Take(Bytes);

/// Reads all of a body.
pub(super) fn whole<M, F>(body: Bytes, api_version: i16, read: F) -> Result<M, DecodeError>
where
    F: FnOnce(&mut Take) -> Result<M, Fault>,
{
    let mut take = Take(body);
    let message = read(&mut take).map_err(|fault| DecodeError::Message {
        message: name::<M>(),
        api_version,
        reason: fault.to_string(),
    })?;
    match take.0.len() {
        0 => Ok(message),
        left => Err(DecodeError::TrailingBytes {
            message: name::<M>(),
            api_version,
            left,
        }),
    }
}

impl Take {
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (array, _) = take::array(&self.0)?;
        self.0.advance(N);
        Ok(array)
    }

    pub(super) fn bool(&mut self) -> Result<bool, Fault> {
        let [byte] = self.array()?;
        Ok(byte != 0)
    }

    pub(super) fn uuid(&mut self) -> Result<Uuid, Fault> {
        self.array().map(Uuid::from_bytes)
    }

    fn varint(&mut self) -> Result<u32, Fault> {
        let (value, rest) = take::varint(&self.0)?;
        let read = self.0.len() - rest.len();
        self.0.advance(read);
        Ok(value)
    }

    /// Shares the buffer.
    fn bytes(&mut self, length: u32) -> Result<Bytes, Fault> {
        let length = take::widen(length);
        take::skip(&self.0, length)?;
        Ok(self.0.split_to(length))
    }

    pub(super) fn nullable_string(&mut self) -> Result<Option<StrBytes>, Fault> {
        let Some(length) = self.varint()?.checked_sub(1) else {
            return Ok(None);
        };
        let text = StrBytes::from_utf8(self.bytes(length)?);
        text.map(Some).map_err(|_| Fault::NotUtf8)
    }

    pub(super) fn string(&mut self) -> Result<StrBytes, Fault> {
        self.nullable_string()?.ok_or(Fault::NotNullable)
    }

    pub(super) fn nullable_list<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<Option<Vec<T>>, Fault> {
        let Some(count) = self.varint()?.checked_sub(1) else {
            return Ok(None);
        };
        let mut list = Vec::with_capacity(take::widen(count).min(ROOM_AHEAD));
        for _ in 0..count {
            list.push(element(self)?);
        }
        Ok(Some(list))
    }

    pub(super) fn list<T>(
        &mut self,
        element: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        self.nullable_list(element)?.ok_or(Fault::NotNullable)
    }

    pub(super) fn tags(&mut self) -> Result<BTreeMap<i32, Bytes>, Fault> {
        let mut tags = BTreeMap::new();
        for _ in 0..self.varint()? {
            let tag = self.varint()?;
            let length = self.varint()?;
            let content = self.bytes(length)?;
            let tag = i32::try_from(tag).map_err(|_| Fault::TagRange(tag))?;
            tags.insert(tag, content);
        }
        Ok(tags)
    }
}
