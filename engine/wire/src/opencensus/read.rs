//! Reading messages field by field, with errors that tell the place in the whole message.

use spanloom_span::proto::{ProtoError, Reader, Value};

use crate::foreign::{Fault, Foreign, check_room};

/// One translation: the message that positions count from, and the room that is left.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    whole: &'a [u8],
    before: usize,
    room: usize,
}

impl<'a> Run<'a> {
    /// Of a message whose translation begins at the end of `out`.
    pub fn new(whole: &'a [u8], out: &[u8], room: usize) -> Self {
        Self { whole, before: out.len(), room }
    }

    /// Where a part of the message begins. A part of a message before it, remembered, has no place: 0.
    pub fn at(&self, part: &[u8]) -> usize {
        let at = part.as_ptr().addr().wrapping_sub(self.whole.as_ptr().addr());
        if at <= self.whole.len() { at } else { 0 }
    }

    /// Whether what was written is within the room.
    #[inline]
    pub fn check_room(&self, out: &[u8], part: &[u8]) -> Result<(), Foreign> {
        if out.len() <= self.before.saturating_add(self.room) {
            return Ok(());
        }
        check_room(out, self.before, self.room, self.at(part))
    }

    /// The fields of a message.
    #[inline]
    pub fn fields<'m>(&self, name: &'static str, body: &'m [u8]) -> Fields<'m, 'a> {
        Fields { reader: Reader::new(body), name, body, run: *self }
    }

    /// An id of so many bytes, or none.
    #[inline]
    pub fn id<'m>(&self, id: &'m [u8], bytes: usize) -> Result<&'m [u8], Foreign> {
        if id.is_empty() || id.len() == bytes {
            return Ok(id);
        }
        let expected = format!("{bytes} or none");
        Err(Foreign::new(Fault::Malformed, self.at(id), format!("an id of {} bytes", id.len()), expected))
    }

    /// A part of the message that cannot be what it is.
    #[cold]
    pub fn malformed<T>(
        &self,
        part: &[u8],
        found: impl Into<std::borrow::Cow<'static, str>>,
        expected: &'static str,
    ) -> Result<T, Foreign> {
        Err(Foreign::new(Fault::Malformed, self.at(part), found, expected))
    }
}

/// Reads field after field of one message.
pub struct Fields<'m, 'a> {
    reader: Reader<'m>,
    name: &'static str,
    body: &'m [u8],
    run: Run<'a>,
}

impl<'m> Fields<'m, '_> {
    /// The next field, or `None` at the end.
    #[allow(clippy::should_implement_trait)] // After an error there is nothing to go on with.
    #[inline(always)]
    pub fn next(&mut self) -> Result<Option<(u32, Value<'m>)>, Foreign> {
        self.reader.next().map_err(|error| self.explain(error))
    }

    #[cold]
    fn explain(&self, error: ProtoError) -> Foreign {
        let (at, fault, found, expected) = match error {
            ProtoError::Truncated { at } => (at, Fault::Truncated, "the end", "the rest of a field"),
            ProtoError::Varint { at } => {
                (at, Fault::Malformed, "a varint of more than 64 bits", "at most 64 bits")
            }
            ProtoError::FieldNumber { at } => {
                (at, Fault::Malformed, "a field number out of range", "1 to 536870911")
            }
            ProtoError::WireType { at, .. } => {
                (at, Fault::Malformed, "a wire type that protobuf does not have", "0, 1, 2 or 5")
            }
        };
        let found = format!("{found} in {}", self.name);
        Foreign::new(fault, self.run.at(self.body) + at, found, expected)
    }

    /// A field that is known but has another wire type than it must have.
    #[cold]
    pub fn wrong_type<T>(&self, field: u32) -> Result<T, Foreign> {
        let found = format!("field {field} of {} with another wire type", self.name);
        self.run.malformed(self.body, found, "that of the proto file")
    }

    /// Keeps a message field that may stand once.
    #[inline]
    pub fn once(
        &self,
        place: &mut Option<&'m [u8]>,
        body: &'m [u8],
        what: &'static str,
    ) -> Result<(), Foreign> {
        if place.replace(body).is_some() {
            return self.run.malformed(body, format!("{what} a second time"), "it once");
        }
        Ok(())
    }
}

/// An `int32` that counts something.
pub fn count(value: u64) -> u64 {
    // Negative numbers come as 64 bits.
    u64::try_from(value as i32).unwrap_or(0)
}
