//! A call of the agent (`agent.thrift`): a message in a datagram of its own, with a batch as its argument.

use crate::foreign::{Fault, Foreign, text, whole};
use crate::thrift::{BinaryReader, CompactReader, Fields, MessageKind, Protocol, Reader, Type};

use super::batch::{self, Seen};
use super::limits;

/// Most characters of an unknown method's name that are shown.
const SHOWN: usize = 40;

/// Translates a datagram. Yields how many spans it had.
pub fn datagram(protocol: Protocol, bytes: &[u8], room: usize, out: &mut Vec<u8>) -> Result<u64, Foreign> {
    whole(out, |out| match protocol {
        Protocol::Binary => call(BinaryReader::new(bytes, limits())?, room, out),
        Protocol::Compact => call(CompactReader::new(bytes, limits())?, room, out),
    })
}

fn call<'a, R: Reader<'a>>(mut input: R, room: usize, out: &mut Vec<u8>) -> Result<u64, Foreign> {
    let message = input.message()?;
    if !matches!(message.kind, MessageKind::OneWay | MessageKind::Call) {
        let found = format!("an answer ({:?})", message.kind);
        return Err(Foreign::new(Fault::Malformed, 0, found, "a call"));
    }
    let spans = match message.name {
        b"emitBatch" => argument(&mut input, Type::Struct, |input| batch::read(input, room, out))?,
        name => {
            let name: String = text(name).chars().take(SHOWN).collect();
            let found = format!("a call of {name:?}");
            return Err(Foreign::new(Fault::Unsupported, 0, found, "a call of \"emitBatch\""));
        }
    };
    input.end()?;
    Ok(spans)
}

/// Reads the one argument of a call, which is field 1 of a struct.
fn argument<'a, R: Reader<'a>, T>(
    input: &mut R,
    kind: Type,
    mut read: impl FnMut(&mut R) -> Result<T, Foreign>,
) -> Result<T, Foreign> {
    let (mut argument, mut seen) = (None, Seen::default());
    let mut fields = Fields::new("the call's arguments");
    while let Some(field) = input.field(&mut fields)? {
        match field.id {
            1 => {
                seen.once(&field)?;
                field.expect(kind)?;
                argument = Some(read(input)?);
            }
            _ => input.skip(field.kind)?,
        }
    }
    let missing =
        || Foreign::new(Fault::Malformed, input.position(), "a call without its argument", "field 1");
    argument.ok_or_else(missing)
}
