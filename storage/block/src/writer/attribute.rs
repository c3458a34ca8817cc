//! A `KeyValue` read in one go when it has the form that every sender writes: key, then value, lengths below 128.
//! Any other form is read field by field.

use spanloom_span::proto::ProtoError;
use spanloom_span::view::{self, ValueView};

/// Reads the body of a `KeyValue` message: the key's bytes and the value.
#[inline]
pub(crate) fn key_value(body: &[u8]) -> Result<(&[u8], ValueView<'_>), ProtoError> {
    match usual(body) {
        Some(found) => Ok(found),
        None => view::key_value(body),
    }
}

#[inline]
fn usual(body: &[u8]) -> Option<(&[u8], ValueView<'_>)> {
    let &[0x0a, key_len @ 0..0x80, ref rest @ ..] = body else { return None };
    let (key, rest) = rest.split_at_checked(key_len as usize)?;
    let &[0x12, value_len @ 0..0x80, ref value @ ..] = rest else { return None };
    if value.len() != value_len as usize {
        return None;
    }
    let value = match *value {
        [0x0a, len @ 0..0x80, ref text @ ..] if text.len() == len as usize => ValueView::Str(text),
        [0x18, number @ 0..0x80] => ValueView::Int(i64::from(number)),
        [0x18, low @ 0x80..=0xff, high @ 0..0x80] => {
            ValueView::Int(i64::from(low & 0x7f) | i64::from(high) << 7)
        }
        [0x10, flag @ 0..0x80] => ValueView::Bool(flag != 0),
        _ => return None,
    };
    Some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_usual_form_reads_as_any_other(
            key in proptest::collection::vec(0u8..4, 0..3),
            value in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..6),
                (0u8..4, proptest::collection::vec(0u8..3, 0..5)).prop_map(|(tag, mut rest)| {
                    rest.splice(0..0, [[0x0a, 0x18, 0x10, 0x21][tag as usize]]);
                    rest
                }),
                any::<u16>().prop_map(|v| {
                    let mut out = vec![0x18];
                    spanloom_span::proto::put_varint(&mut out, u64::from(v));
                    out
                }),
            ],
            tail in proptest::collection::vec(any::<u8>(), 0..2),
        ) {
            let mut body = vec![0x0a, key.len() as u8];
            body.extend(&key);
            body.extend([0x12, value.len() as u8]);
            body.extend(&value);
            body.extend(&tail);
            if let Some(found) = usual(&body) {
                prop_assert_eq!(Ok(found), view::key_value(&body));
            }
        }
    }
}
