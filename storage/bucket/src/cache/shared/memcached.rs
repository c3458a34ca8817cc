//! memcached's text protocol: `get` of many keys, `set`.
//!
//! After `doc/protocol.txt` of memcached 1.6. `get` rather than `mg`: it is answered by every version and by the
//! proxies, and its line may be longer than the 2,048 bytes that other lines may have.

use std::borrow::Cow;
use std::io::Write;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use super::Answer;
use super::connection::{Connection, Problem, number, unexpected};

/// Longest key, in bytes.
const LONGEST_KEY: usize = 250;

/// Longest time that is taken for one, in seconds; beyond, it would be a point in time.
const LONGEST_KEEP: u64 = 30 * 24 * 3600;

/// What memcached calls a key. It takes no spaces, no control characters and no long keys; such keys are hashed. All
/// of ours begin with `spanloom:`, so none is mistaken for a hash.
pub(super) fn name(key: &str) -> Cow<'_, str> {
    let is_taken = (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    match is_taken {
        true => key.into(),
        false => format!("spanloom#{:032x}", xxh3_128(key.as_bytes())).into(),
    }
}

/// Asks for values.
pub(super) async fn get(connection: &mut Connection, keys: &[&str]) -> Result<Answer, Problem> {
    let names: Vec<Cow<str>> = keys.iter().map(|key| name(key)).collect();
    let mut request = b"get".to_vec();
    for name in &names {
        request.push(b' ');
        request.extend_from_slice(name.as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    connection.write(&request).await?;
    let mut values = vec![None; names.len()];
    // Values come in the order of the keys, and from some proxies in another one.
    let mut next = 0;
    loop {
        let line = connection.line().await?;
        if line == "END" {
            return Ok(values);
        }
        let (name, len) =
            value_line(&line).ok_or_else(|| unexpected("`VALUE key flags bytes` or `END`", &line))?;
        let place = (next..names.len())
            .chain(0..next)
            .find(|&place| names[place].as_bytes() == name && values[place].is_none())
            .ok_or_else(|| unexpected("a value that was asked for, once", &line))?;
        values[place] = Some(connection.value(len).await?);
        next = place + 1;
    }
}

/// The key and the length in `VALUE <key> <flags> <bytes> [<cas unique>]`.
fn value_line(line: &[u8]) -> Option<(&[u8], usize)> {
    let mut words = line.strip_prefix(b"VALUE ")?.split(|&byte| byte == b' ');
    let (name, _flags, len) = (words.next()?, words.next()?, words.next()?);
    Some((name, number(len)?))
}

/// Keeps values, for some seconds.
pub(super) async fn put(
    connection: &mut Connection,
    values: &[(String, Bytes)],
    seconds: u64,
) -> Result<(), Problem> {
    let seconds = seconds.min(LONGEST_KEEP);
    let mut request = Vec::new();
    for (key, value) in values {
        write!(request, "set {} 0 {seconds} {}\r\n", name(key), value.len())?;
        request.extend_from_slice(value);
        request.extend_from_slice(b"\r\n");
    }
    connection.write(&request).await?;
    let mut refused = Ok(());
    for _ in values {
        let line = connection.line().await?;
        match &line[..] {
            b"STORED" => {}
            // It has read the value: the next answer is that of the next value.
            said if said == b"NOT_STORED" || said.starts_with(b"SERVER_ERROR ") => {
                refused = Err(Problem::Refused(unexpected("`STORED`", said).into_text()));
            }
            said => return Err(unexpected("`STORED`", said)),
        }
    }
    refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_memcached_takes_them() {
        let check = |key: &str, is_kept: bool| {
            let name = name(key);
            assert_eq!(name == key, is_kept, "{key:?} is called {name:?}");
            assert!(
                name.len() <= LONGEST_KEY && name.bytes().all(|byte| byte.is_ascii_graphic()),
                "{name:?}"
            );
        };
        check("spanloom:acme/0001.block:7", true);
        check(&"k".repeat(250), true);
        check(&"k".repeat(251), false);
        check("", false);
        check("spanloom:a b/0001.block:7", false);
        check("spanloom:a\r\nflush_all\r\n/0001.block:7", false);
        check("spanloom:\u{fc}/0001.block:7", false);
        assert_eq!(name("a b"), name("a b"));
        assert_ne!(name("a b"), name("a c"));
    }

    #[test]
    fn lines_of_values_are_read() {
        let check = |line: &str, expected: Option<(&str, usize)>| {
            let found = value_line(line.as_bytes());
            assert_eq!(found, expected.map(|(name, len)| (name.as_bytes(), len)), "{line:?}");
        };
        check("VALUE k 0 5", Some(("k", 5)));
        check("VALUE k 0 5 77", Some(("k", 5)));
        check("VALUE k 0", None);
        check("VALUE k 0 -5", None);
        check("VALUE k 0 +5", None);
        check("VALUE k 0 ", None);
        check("VALUE k 0 99999999999999999999999", None);
        check("value k 0 5", None);
        check("", None);
    }
}
