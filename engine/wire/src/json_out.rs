//! Writing JSON text: strings escaped, doubles that JSON has no number for as strings, bytes as base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Per byte: 0 when it stands for itself, else the letter after the backslash, `u` for the long form.
const ESCAPES: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[b'\t' as usize] = b't';
    table
};

/// Appends a string with its quotes.
pub fn string(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let (words, _) = bytes.as_chunks::<8>();
    let plain = words.iter().take_while(|word| is_plain(u64::from_le_bytes(**word))).count() * 8;
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate().skip(plain) {
        let escape = ESCAPES[byte as usize];
        if escape == 0 {
            continue;
        }
        out.extend_from_slice(&bytes[from..at]);
        from = at + 1;
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            out.extend_from_slice(b"00");
            hex(out, &[byte]);
        }
    }
    out.extend_from_slice(&bytes[from..]);
    out.push(b'"');
}

/// Whether none of eight bytes has to be escaped: control characters, the quote, the backslash. By the test for a zero
/// byte of H. S. Warren's "Hacker's Delight", section 6-1.
fn is_plain(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    let below = |word: u64, least: u64| word.wrapping_sub(ONES * least) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, 0x20) | is(b'"') | is(b'\\')) & (ONES << 7) == 0
}

/// Appends bytes as lower-case hexadecimal digits, without quotes.
pub fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// Appends bytes as base64 with its quotes.
pub fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let from = out.len();
    out.resize(from + bytes.len().div_ceil(3) * 4, b'=');
    // The place is exactly as long as padded base64 is, so this cannot fail.
    let written = STANDARD.encode_slice(bytes, &mut out[from..]);
    debug_assert!(written.is_ok());
    out.push(b'"');
}

/// Appends an integer of at most 64 bits.
pub fn integer(out: &mut Vec<u8>, value: impl Into<i128>) {
    let value: i128 = value.into();
    debug_assert!((i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value));
    if value < 0 {
        out.push(b'-');
    }
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs() as u64;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a double: a number that reads back to the same double, or `"NaN"`, `"Infinity"`, `"-Infinity"`.
pub fn double(out: &mut Vec<u8>, value: f64) {
    use std::io::Write;
    let text = if value.is_nan() {
        "\"NaN\""
    } else if value == f64::INFINITY {
        "\"Infinity\""
    } else if value == f64::NEG_INFINITY {
        "\"-Infinity\""
    } else {
        let size = value.abs();
        let plain = size == 0.0 || (1e-6..1e21).contains(&size);
        // Writing to a Vec does not fail.
        let written = if plain { write!(out, "{value}") } else { write!(out, "{value:e}") };
        debug_assert!(written.is_ok());
        return;
    };
    out.extend_from_slice(text.as_bytes());
}

/// Appends a list.
pub fn list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// An object being written. All but [`Object::key`] and [`Object::object`] leave out what is zero or empty.
pub struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl<'o> Object<'o> {
    /// Opens an object.
    pub fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Closes it.
    pub fn end(self) {
        self.out.push(b'}');
    }

    /// Appends a key; its value goes to what is handed back.
    pub fn key(&mut self, name: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        string(self.out, name);
        self.out.push(b':');
        self.out
    }

    /// An object, even an empty one.
    pub fn object(&mut self, name: &str, write: impl FnOnce(&mut Object<'_>)) {
        let mut inner = Object::begin(self.key(name));
        write(&mut inner);
        inner.end();
    }

    /// A string.
    pub fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            string(self.key(name), text);
        }
    }

    /// A 32-bit integer.
    pub fn integer(&mut self, name: &str, value: u32) {
        if value != 0 {
            integer(self.key(name), value);
        }
    }

    /// A 64-bit integer: a string, since readers may keep numbers as doubles.
    pub fn quoted_integer(&mut self, name: &str, value: u64) {
        if value != 0 {
            let out = self.key(name);
            out.push(b'"');
            integer(out, value);
            out.push(b'"');
        }
    }

    /// A double.
    pub fn double(&mut self, name: &str, value: f64) {
        if value != 0.0 {
            double(self.key(name), value);
        }
    }

    /// An enum: its name, or its number when it has none.
    pub fn named(&mut self, name: &str, value: i32, names: impl Fn(i32) -> Option<&'static str>) {
        match names(value) {
            _ if value == 0 => {}
            Some(text) => string(self.key(name), text),
            None => integer(self.key(name), value),
        }
    }

    /// Bytes as base64.
    pub fn bytes(&mut self, name: &str, bytes: &[u8]) {
        if !bytes.is_empty() {
            base64(self.key(name), bytes);
        }
    }

    /// A list of objects.
    pub fn list<T>(&mut self, name: &str, items: &[T], write: impl Fn(&mut Object<'_>, &T)) {
        if items.is_empty() {
            return;
        }
        list(self.key(name), items, |out, item| {
            let mut object = Object::begin(out);
            write(&mut object, item);
            object.end();
        });
    }
}

/// JSON text over several lines, four spaces a level; text that is no JSON comes out as some text.
pub fn pretty(json: &[u8]) -> Vec<u8> {
    fn line(out: &mut Vec<u8>, level: usize) {
        out.push(b'\n');
        out.resize(out.len() + level * 4, b' ');
    }
    let mut out = Vec::with_capacity(json.len() * 2);
    let (mut level, mut quoted, mut escaped) = (0usize, false, false);
    for (at, &byte) in json.iter().enumerate() {
        let is_closed = matches!(json.get(at + 1), Some(b']' | b'}'));
        match byte {
            _ if quoted => {
                out.push(byte);
                (quoted, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
            }
            b'{' | b'[' => {
                out.push(byte);
                level += 1;
                if !is_closed {
                    line(&mut out, level);
                }
            }
            b'}' | b']' => {
                level = level.saturating_sub(1);
                if !matches!(out.last(), Some(b'{' | b'[')) {
                    line(&mut out, level);
                }
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                line(&mut out, level);
            }
            b':' => out.extend_from_slice(b": "),
            _ => {
                quoted = byte == b'"';
                out.push(byte);
            }
        }
    }
    out.push(b'\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles_and_integers_read_as_people_write_them() {
        let check = |value: f64, expected: &str| assert_eq!(written(|o| double(o, value)), expected);
        check(0.0, "0");
        check(-0.0, "-0");
        check(1.5, "1.5");
        check(-3.0, "-3");
        check(1e20, "100000000000000000000");
        check(1e21, "1e21");
        check(1e-7, "1e-7");
        check(f64::MAX, "1.7976931348623157e308");
        check(f64::NAN, "\"NaN\"");
        check(f64::INFINITY, "\"Infinity\"");
        check(f64::NEG_INFINITY, "\"-Infinity\"");
        for value in [0, 7, -1, i64::MIN, i64::MAX] {
            assert_eq!(written(|o| integer(o, value)), value.to_string());
        }
        assert_eq!(written(|o| integer(o, u64::MAX)), u64::MAX.to_string());
    }

    #[test]
    fn text_over_several_lines_says_the_same() {
        let check = |json: &str, expected: &str| {
            assert_eq!(String::from_utf8(pretty(json.as_bytes())).unwrap(), expected);
        };
        check("{}", "{}\n");
        check("[]", "[]\n");
        check(
            r#"{"a":[1,{"b":null}],"c":{}}"#,
            concat!(
                "{\n    \"a\": [\n        1,\n        {\n            \"b\": null\n        }\n    ],\n",
                "    \"c\": {}\n}\n"
            ),
        );
        check(r#"{"a,{\\":"\"[:"}"#, "{\n    \"a,{\\\\\": \"\\\"[:\"\n}\n");
        for wrong in ["}}]", "{\"a", "\\"] {
            pretty(wrong.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn strings_and_doubles_read_back(text in any::<String>(), bits in any::<u64>()) {
            let json = written(|o| string(o, &text));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            let value = f64::from_bits(bits);
            if value.is_finite() {
                let json = written(|o| double(o, value));
                prop_assert_eq!(serde_json::from_str::<f64>(&json).unwrap().to_bits(), bits, "{}", json);
            }
        }

        #[test]
        fn only_what_is_escaped_is_not_plain(word in any::<[u8; 8]>(), at in 0usize..8, byte in 0u8..0x80) {
            let escaped = |word: &[u8; 8]| word.iter().any(|&byte| ESCAPES[usize::from(byte)] != 0);
            let one = |at: usize, byte: u8| {
                let mut one = [b'a'; 8];
                one[at] = byte;
                one
            };
            for word in [word, one(at, byte), one(at, byte | 0x80)] {
                prop_assert_eq!(is_plain(u64::from_le_bytes(word)), !escaped(&word), "{:?}", word);
            }
        }

        #[test]
        fn base64_is_the_padded_kind(bytes in any::<Vec<u8>>()) {
            prop_assert_eq!(written(|o| base64(o, &bytes)), format!("\"{}\"", STANDARD.encode(&bytes)));
        }
    }
}
