//! What both versions of JSON share: a list of spans, ids, times, endpoints, values.
//!
//! `null` means absent everywhere but as an element of a list. Unknown fields are skipped.

use std::borrow::Cow;

use super::draft::{Draft, Sheet};
use super::endpoint::{Address, Endpoint, port};
use super::tags::Given;
use super::{Micros, Options, id, request, shown, span, wrong_time};
use crate::foreign::{Fault, Foreign};
use crate::json_in::pull::{Json, Value};

/// Appends the spans of a list, each of which `fill` reads.
pub(super) fn spans<'a>(
    bytes: &'a [u8],
    options: &Options,
    room: usize,
    out: &mut Vec<u8>,
    mut fill: impl FnMut(&mut Json<'a>, &mut Sheet<'_>, &mut Draft<'a>) -> Result<(), Foreign>,
) -> Result<u64, Foreign> {
    let mut json = Json::new(bytes)?;
    request(options, bytes.len(), room, out, |sheet| {
        let mut elements = json.list("a list of spans")?;
        while json.element(&mut elements)? {
            span(sheet, |sheet, draft| {
                fill(&mut json, sheet, draft)?;
                Ok(json.position())
            })?;
        }
        json.end()?;
        Ok(json.position())
    })
}

/// An id in hexadecimal digits, shorter ones padded; all zero when there is none.
#[inline]
pub(super) fn read_id<const N: usize>(json: &mut Json<'_>) -> Result<[u8; N], Foreign> {
    let at = place(json);
    let Some(text) = text(json, "an id as text")? else { return Ok([0; N]) };
    if text.is_empty() {
        return Ok([0; N]);
    }
    let expected = if N == 16 { "1 to 32 hexadecimal digits" } else { "1 to 16 hexadecimal digits" };
    id(&text).map_err(|found| Foreign::new(Fault::Malformed, at, found, expected))
}

/// A text.
#[inline]
pub(super) fn text<'a>(json: &mut Json<'a>, what: &'static str) -> Result<Option<Cow<'a, str>>, Foreign> {
    if json.null()? { Ok(None) } else { json.text(what).map(Some) }
}

/// Where the next value begins.
#[inline]
pub(super) fn place(json: &mut Json<'_>) -> usize {
    json.peek();
    json.position()
}

/// `true` or `false`.
pub(super) fn flag(json: &mut Json<'_>) -> Result<bool, Foreign> {
    match json.peek() {
        Some(b't' | b'f' | b'n') => Ok(json.value("a bool")? == Value::Bool(true)),
        _ => Err(json.wrong("a bool")),
    }
}

/// A number as it is written, in quotes or not.
#[inline]
fn number<'a>(json: &mut Json<'a>, what: &'static str) -> Result<Option<Cow<'a, str>>, Foreign> {
    if matches!(json.peek(), Some(b't' | b'f')) {
        return Err(json.wrong(what));
    }
    Ok(match json.value(what)? {
        Value::Number(number) => Some(number.into()),
        Value::Text(text) => Some(text),
        Value::Null | Value::Bool(_) => None,
    })
}

/// A time. A fraction counts: some senders give nanoseconds so.
#[inline]
pub(super) fn micros(json: &mut Json<'_>) -> Result<Option<Micros>, Foreign> {
    let at = place(json);
    let Some(number) = number(json, "microseconds since 1970")? else { return Ok(None) };
    let read = match number.parse::<u64>() {
        Ok(micros) => Micros::new(micros),
        Err(_) => fraction(&number).filter(|micros| (0.0..2f64.powi(54)).contains(micros)).map(|micros| {
            // In two steps, since a double does not hold today's nanoseconds.
            Micros { nanos: micros as u64 * 1000 + (micros.fract() * 1000.0) as u64 }
        }),
    };
    read.map(Some).ok_or_else(|| wrong_time(at, &number))
}

/// A length in whole microseconds; a clock that was set back may make it negative.
#[inline]
pub(super) fn duration(json: &mut Json<'_>) -> Result<Option<i64>, Foreign> {
    let at = place(json);
    let Some(number) = number(json, "microseconds")? else { return Ok(None) };
    let limits = -2f64.powi(53)..=2f64.powi(53);
    let read = number.parse().ok();
    let read = read.or_else(|| fraction(&number).filter(|f| limits.contains(f)).map(|f| f as i64));
    read.map(Some).ok_or_else(|| {
        let found = format!("the duration {}", shown(&number));
        Foreign::new(Fault::Malformed, at, found, "microseconds in 64 bits")
    })
}

/// A number that is not a whole one by its looks: 1.5, 1e6.
#[cold]
fn fraction(number: &str) -> Option<f64> {
    // Rust also reads words and signs that JSON has not.
    let is_number = number.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'-' | b'+'));
    if is_number { number.parse().ok() } else { None }
}

/// An endpoint. Its addresses are kept as they are written.
pub(super) fn endpoint<'a>(json: &mut Json<'a>) -> Result<Endpoint<'a>, Foreign> {
    let mut read = Endpoint::default();
    if json.null()? {
        return Ok(read);
    }
    let mut members = json.object("an endpoint")?;
    while let Some(key) = json.key(&mut members)? {
        match &*key {
            "serviceName" => read.service = text(json, "a service's name")?.unwrap_or_default(),
            "ipv4" => read.ipv4 = Address::text(text(json, "an address")?.unwrap_or_default()),
            "ipv6" => read.ipv6 = Address::text(text(json, "an address")?.unwrap_or_default()),
            "port" => {
                let at = place(json);
                if let Some(number) = number(json, "a port")? {
                    let wrong = || {
                        let found = format!("the port {}", shown(&number));
                        Foreign::new(Fault::Malformed, at, found, "0 to 65535")
                    };
                    read.port = port(number.parse().map_err(|_| wrong())?, at)?;
                }
            }
            _ => json.skip()?,
        }
    }
    Ok(read)
}

/// The value of a tag, whatever its type.
#[inline]
pub(super) fn given<'a>(json: &mut Json<'a>) -> Result<Option<Given<'a>>, Foreign> {
    Ok(match json.value("text, a number or a bool")? {
        Value::Text(text) => Some(Given::Text(text)),
        Value::Bool(value) => Some(Given::Bool(value)),
        Value::Null => None,
        Value::Number(number) => Some(match number.parse() {
            Ok(integer) => Given::Int(integer),
            Err(_) => match number.parse::<f64>() {
                Ok(double) if double.is_finite() && number.contains(['.', 'e', 'E']) => Given::Double(double),
                // A larger one than our types hold.
                _ => Given::Text(number.into()),
            },
        }),
    })
}
