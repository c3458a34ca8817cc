//! Redis, in the second version of its protocol (RESP2): `AUTH`, `SELECT`, `MGET`, `SET` with `EX`.
//!
//! After <https://redis.io/docs/latest/develop/reference/protocol-spec/>. Servers that are compatible with Redis
//! speak it too. A server of a cluster sends most keys elsewhere (`MOVED`), which is an error here.

use std::io::Write;

use bytes::Bytes;

use super::Answer;
use super::connection::{Connection, Problem, number, unexpected};
use crate::store::Secret;

/// The port when an address names none.
const PORT: u16 = 6379;

const EXPECTED: &str = "expected `redis://[user:password@]host:port[/db]`";

/// Who a connection belongs to, and which database it uses.
pub(super) struct Login {
    user: Vec<u8>,
    /// Empty for a server that asks for none.
    password: Vec<u8>,
    database: u32,
}

/// Reads `redis://[user:password@]host[:port][/db]`, with `%xx` for what user and password may not have. Yields
/// `host:port` too. Errors show nothing of what they found, since it may be the password.
pub(super) fn parse(url: &Secret) -> Result<(String, Login), String> {
    let wrong = |what: &str| format!("the address of Redis {what}, {EXPECTED}");
    let url = url.reveal();
    if url.starts_with("rediss://") {
        return Err(wrong("begins with `rediss://`, which is TLS and not spoken here"));
    }
    let rest = url.strip_prefix("redis://").ok_or_else(|| wrong("does not begin with `redis://`"))?;
    let (login, place) = rest.rsplit_once('@').unwrap_or((":", rest));
    let (user, password) = login.split_once(':').ok_or_else(|| wrong("has a user without a password"))?;
    let (user, password) = unescape(user).zip(unescape(password)).ok_or_else(|| {
        wrong("has a `%` in its user or password that two hexadecimal digits do not follow")
    })?;
    if password.is_empty() && !user.is_empty() {
        return Err(wrong("has a user without a password"));
    }
    let (host, database) = place.split_once('/').unwrap_or((place, ""));
    let database = match database {
        "" => 0,
        digits => number(digits.as_bytes())
            .and_then(|database| u32::try_from(database).ok())
            .ok_or_else(|| wrong("has something else than the number of a database after `/`"))?,
    };
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    let address = if has_port { host.to_owned() } else { format!("{host}:{PORT}") };
    if !super::is_address(&address) {
        return Err(wrong("has no host and port"));
    }
    Ok((address, Login { user, password, database }))
}

/// A text with `%xx` for some of its bytes.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        out.push(if byte == b'%' { (digit()? * 16 + digit()?) as u8 } else { byte });
    }
    Some(out)
}

/// What is said at the beginning of a connection.
pub(super) async fn greet(connection: &mut Connection, login: &Login) -> Result<(), Problem> {
    if !login.password.is_empty() {
        let words: [&[u8]; 3] = [b"AUTH", &login.user, &login.password];
        let without_user: [&[u8]; 2] = [b"AUTH", &login.password];
        let words: &[&[u8]] = if login.user.is_empty() { &without_user } else { &words };
        agree(connection, words).await?;
    }
    if login.database != 0 {
        agree(connection, &[b"SELECT", login.database.to_string().as_bytes()]).await?;
    }
    Ok(())
}

/// Says something that must be answered with `OK`.
async fn agree(connection: &mut Connection, words: &[&[u8]]) -> Result<(), Problem> {
    let mut request = Vec::new();
    command(&mut request, words);
    connection.write(&request).await?;
    let line = connection.line().await?;
    let is_ok = &line[..] == b"+OK";
    is_ok.then_some(()).ok_or_else(|| {
        Problem::Broken(format!("{} was answered with {}", words[0].escape_ascii(), code(&line)))
    })
}

/// Asks for values.
pub(super) async fn get(connection: &mut Connection, keys: &[&str]) -> Result<Answer, Problem> {
    let words: Vec<&[u8]> = [&b"MGET"[..]].into_iter().chain(keys.iter().map(|key| key.as_bytes())).collect();
    let mut request = Vec::new();
    command(&mut request, &words);
    connection.write(&request).await?;
    let line = connection.line().await?;
    if line.strip_prefix(b"*").and_then(number) != Some(keys.len()) {
        return Err(Problem::Broken(format!(
            "MGET of {} keys was answered with {}, expected as many values",
            keys.len(),
            code(&line)
        )));
    }
    let mut values = Vec::with_capacity(keys.len());
    for _ in keys {
        let line = connection.line().await?;
        values.push(match line.strip_prefix(b"$") {
            Some(b"-1") => None,
            Some(len) => {
                let len = number(len).ok_or_else(|| unexpected("`$` and a length", &line))?;
                Some(connection.value(len).await?)
            }
            None => return Err(unexpected("`$` and a length", &line)),
        });
    }
    Ok(values)
}

/// Keeps values, for some seconds.
pub(super) async fn put(
    connection: &mut Connection,
    values: &[(String, Bytes)],
    seconds: u64,
) -> Result<(), Problem> {
    let seconds = seconds.to_string();
    let mut request = Vec::new();
    for (key, value) in values {
        command(&mut request, &[b"SET", key.as_bytes(), value, b"EX", seconds.as_bytes()]);
    }
    connection.write(&request).await?;
    let mut refused = Ok(());
    for _ in values {
        let line = connection.line().await?;
        match &line[..] {
            b"+OK" => {}
            [b'-', ..] => {
                refused = Err(Problem::Refused(format!("SET was answered with {}", code(&line))));
            }
            said => return Err(unexpected("`+OK`", said)),
        }
    }
    refused
}

/// A command: an array of texts.
fn command(request: &mut Vec<u8>, words: &[&[u8]]) {
    // What is written to memory does not fail.
    let _ = write!(request, "*{}\r\n", words.len());
    for word in words {
        let _ = write!(request, "${}\r\n", word.len());
        request.extend_from_slice(word);
        request.extend_from_slice(b"\r\n");
    }
}

/// Of an error, the word by which it is known, such as `WRONGPASS`: some errors repeat what they were sent, and that
/// may be the password.
fn code(line: &[u8]) -> &str {
    let word = line.strip_prefix(b"-").and_then(|rest| rest.split(|&byte| byte == b' ').next());
    word.filter(|word| word.len() <= 20 && word.iter().all(u8::is_ascii_uppercase))
        .and_then(|word| std::str::from_utf8(word).ok())
        .filter(|word| !word.is_empty())
        .unwrap_or("something else")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let check = |url: &str, address: &str, user: &str, password: &str, database: u32| {
            let (found, login) = parse(&Secret::new(url)).unwrap();
            assert_eq!(found, address, "{url}");
            let login = (login.user, login.password, login.database);
            assert_eq!(login, (user.into(), password.into(), database), "{url}");
        };
        check("redis://cache:6380", "cache:6380", "", "", 0);
        check("redis://cache", "cache:6379", "", "", 0);
        check("redis://cache/", "cache:6379", "", "", 0);
        check("redis://cache:1/15", "cache:1", "", "", 15);
        check("redis://:word@cache:1", "cache:1", "", "word", 0);
        check("redis://me:p%40ss%2Fw:rd@cache:1/2", "cache:1", "me", "p@ss/w:rd", 2);
        check("redis://me:a@b/c@cache:1/2", "cache:1", "me", "a@b/c", 2);
        check("redis://[::1]:7", "[::1]:7", "", "", 0);
        check("redis://[::1]", "[::1]:6379", "", "", 0);
    }

    #[test]
    fn what_is_no_address_is_said_without_its_password() {
        let check = |url: &str, what: &str| {
            let error = parse(&Secret::new(url)).err().unwrap();
            assert!(error.contains(what), "{url}: {error}");
            assert!(error.contains("redis://[user:password@]host:port[/db]"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        };
        check("", "does not begin");
        check("hunter2", "does not begin");
        check("http://me:hunter2@cache:1", "does not begin");
        check("rediss://me:hunter2@cache:1", "TLS");
        check("redis://me@cache:1", "user without");
        check("redis://me:@cache:1", "user without");
        check("redis://me:hunter2%4@cache:1", "hexadecimal");
        check("redis://me:hunter2%zz@cache:1", "hexadecimal");
        check("redis://me:hunter2@", "no host");
        check("redis://me:hunter2@cache:65536", "no host");
        check("redis://me:hunter2@cache:1/x", "number of a database");
        check("redis://me:hunter2@cache:1/4294967296", "number of a database");
        check("redis://me:hunter2@cache:1?x=y", "no host");
    }

    #[test]
    fn of_an_error_only_its_word_is_shown() {
        let check = |line: &str, expected: &str| assert_eq!(code(line.as_bytes()), expected, "{line:?}");
        check("-WRONGPASS invalid username-password pair", "WRONGPASS");
        check("-NOAUTH", "NOAUTH");
        check("-ERR unknown command 'AUTH' with args 'hunter2'", "ERR");
        check("-hunter2", "something else");
        check("+OK", "something else");
        check("-", "something else");
    }
}
