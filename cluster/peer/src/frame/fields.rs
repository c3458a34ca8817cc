//! How a head's fields are written and read: numbers in little endian, texts with their length before them.

use spanloom_span::Tenant;

use super::{FrameError, HEADER_BYTES};

/// Writes the fields of a head.
#[derive(Debug)]
pub struct Writer(Vec<u8>);

/// Reads the fields of a head. Nothing is reserved by a length or a count before its bytes are there.
#[derive(Debug)]
pub struct Fields<'a>(&'a [u8]);

impl Writer {
    /// Leaves room for the header.
    pub(super) fn after_header() -> Self {
        let mut bytes = Vec::with_capacity(128);
        bytes.resize(HEADER_BYTES, 0);
        Self(bytes)
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.raw(&value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.raw(&value.to_le_bytes());
    }

    /// A length or a count.
    pub(super) fn count(&mut self, count: usize, field: &'static str) -> Result<(), FrameError> {
        let count = u32::try_from(count).map_err(|_| FrameError::Field { field, problem: "is too long" })?;
        self.u32(count);
        Ok(())
    }

    pub(super) fn text(&mut self, text: &str, field: &'static str) -> Result<(), FrameError> {
        self.count(text.len(), field)?;
        self.raw(text.as_bytes());
        Ok(())
    }

    pub(super) fn tenant(&mut self, tenant: &Tenant) {
        let name = tenant.as_str().as_bytes();
        self.u8(name.len() as u8); // a tenant's name has at most 150 bytes
        self.raw(name);
    }
}

impl<'a> Fields<'a> {
    pub(super) fn new(head: &'a [u8]) -> Self {
        Self(head)
    }

    /// That there are no more.
    pub(super) fn end(&self) -> Result<(), FrameError> {
        if self.0.is_empty() { Ok(()) } else { Err(FrameError::Left(self.0.len())) }
    }

    pub(super) fn raw(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], FrameError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(FrameError::Cut(field))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], FrameError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(FrameError::Cut(field))?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, FrameError> {
        Ok(u8::from_le_bytes(self.array(field)?))
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, FrameError> {
        Ok(u32::from_le_bytes(self.array(field)?))
    }

    pub(super) fn u64(&mut self, field: &'static str) -> Result<u64, FrameError> {
        Ok(u64::from_le_bytes(self.array(field)?))
    }

    /// As many numbers as the count before them says.
    pub(super) fn u32s(&mut self, field: &'static str) -> Result<Vec<u32>, FrameError> {
        let len = (self.u32(field)? as usize).checked_mul(4).ok_or(FrameError::Cut(field))?;
        let (numbers, _) = self.raw(len, field)?.as_chunks::<4>();
        Ok(numbers.iter().map(|number| u32::from_le_bytes(*number)).collect())
    }

    pub(super) fn text(&mut self, field: &'static str) -> Result<&'a str, FrameError> {
        let len = self.u32(field)? as usize;
        utf8(self.raw(len, field)?, field)
    }

    pub(super) fn tenant(&mut self) -> Result<Tenant, FrameError> {
        let len = usize::from(self.u8("tenant")?);
        Ok(Tenant::new(utf8(self.raw(len, "tenant")?, "tenant")?)?)
    }
}

fn utf8<'a>(bytes: &'a [u8], field: &'static str) -> Result<&'a str, FrameError> {
    std::str::from_utf8(bytes).map_err(|_| FrameError::Field { field, problem: "is not UTF-8" })
}

/// That a message whose frame has no payload came without one.
pub(super) fn without_payload(payload: &[u8]) -> Result<(), FrameError> {
    if payload.is_empty() {
        return Ok(());
    }
    Err(FrameError::Field { field: "payload", problem: "is not empty, as it is to be for this kind" })
}
