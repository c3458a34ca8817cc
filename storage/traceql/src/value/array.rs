//! The elements of an array, read in place.

use spanloom_span::proto::{Reader, Value as Wire};
use spanloom_span::view::any_value;

use super::Value;

/// The elements of an OTLP `ArrayValue`'s body, in order. What is not well formed ends them.
pub fn elements(body: &[u8]) -> impl Iterator<Item = Value<'_>> {
    let mut reader = Reader::new(body);
    std::iter::from_fn(move || {
        loop {
            match reader.next() {
                Ok(Some((1, Wire::Bytes(element)))) => {
                    return any_value(element).ok().map(Value::of_attribute);
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return None,
            }
        }
    })
}
