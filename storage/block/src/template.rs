//! Text with numbers in it: `docs/formats/block.md`, section "Templates".
//!
//! `/items/4711` and `/items/4712` differ in a number alone, and so do most texts that are distinct: paths with ids,
//! UUIDs, hashes, pod names. A template is the text with its numbers taken out; the numbers are kept as packed
//! integers, one sequence for the first number of each text, one for the second, and so on. So a UUID takes its 16
//! bytes, and any text is read without inflating a page.

use crate::writer::interner::Interner;

/// A decimal number without leading zeros, of at most 19 digits.
const DECIMAL: u8 = 1;

/// A lower-case hexadecimal number; the byte that follows says how many digits, 1 to 16.
const HEX: u8 = 2;

/// A lower-case UUID; two numbers.
const UUID: u8 = 3;

/// First byte of a template that is a text as it is.
const VERBATIM: u8 = 0;

/// Bytes below this have a meaning in templates; a text that has one is kept verbatim.
const FIRST_PLAIN: u8 = 4;

/// Most numbers in a text.
pub(crate) const MAX_NUMBERS: usize = 8;

/// Shortest run of hexadecimal digits, not all decimal, that is taken for a number.
const MIN_HEX: usize = 5;

/// Values before templates may be judged useless.
const MIN_JUDGED: usize = 64;

/// Texts as templates and numbers.
#[derive(Default)]
pub(crate) struct Templates {
    /// The distinct templates.
    pub templates: Interner,
    /// Template of each text.
    pub codes: Vec<u64>,
    /// First, second... number of each text; 0 where a text has fewer.
    pub numbers: Vec<Vec<u64>>,
}

impl Templates {
    /// Splits texts, which lie one after the other; `None` when that does not pay.
    pub fn split(bytes: &[u8], lens: &[u32]) -> Option<Self> {
        let mut out = Self::default();
        let mut template = Vec::new();
        let mut from = 0;
        for &len in lens {
            let text = bytes.get(from..from + len as usize)?;
            from += len as usize;
            out.push_text(text, &mut template);
            if !out.pays() {
                return None;
            }
        }
        Some(out)
    }

    /// Appends a text; `template` is room to work in.
    pub fn push_text(&mut self, text: &[u8], template: &mut Vec<u8>) {
        let mut numbers = [0; MAX_NUMBERS];
        let count = take_numbers(text, template, &mut numbers);
        let (code, _) = self.templates.intern(template);
        self.push(code, &numbers, count);
    }

    /// Appends a text of a template that is known, with its numbers: so many of them, the others are 0.
    #[inline]
    pub fn push(&mut self, code: u32, numbers: &[u64; MAX_NUMBERS], count: usize) {
        let place = self.codes.len();
        self.codes.push(u64::from(code));
        while self.numbers.len() < count {
            self.numbers.push(vec![0; place]);
        }
        for (column, &number) in self.numbers.iter_mut().zip(numbers) {
            column.push(number);
        }
    }

    /// Whether the texts so far have few enough templates.
    pub fn pays(&self) -> bool {
        self.templates.len() <= MIN_JUDGED.max(self.codes.len().saturating_sub(1) / 8)
    }

    /// Appends the texts to others, which lie one after the other.
    pub fn join(&self, bytes: &mut Vec<u8>, lens: &mut Vec<u32>) {
        let mut text = Vec::new();
        for (at, &code) in self.codes.iter().enumerate() {
            // A template that does not fit its numbers was never pushed.
            let number = |place: usize| self.numbers.get(place).map(|column| column[at]);
            let _ = fill(self.templates.get(code as u32), &mut text, number);
            bytes.extend_from_slice(&text);
            lens.push(text.len() as u32);
        }
    }
}

/// Whether a template can be filled with so many numbers.
pub(crate) fn is_template(template: &[u8], numbers: usize) -> bool {
    fill(template, &mut Vec::new(), |place| (place < numbers).then_some(0)).is_some()
}

/// Writes the template of a text, and its numbers; gives how many there are.
fn take_numbers(text: &[u8], template: &mut Vec<u8>, numbers: &mut [u64; MAX_NUMBERS]) -> usize {
    template.clear();
    let (mut at, mut count) = (0, 0);
    while at < text.len() {
        let byte = text[at];
        if byte < FIRST_PLAIN {
            template.clear();
            template.push(VERBATIM);
            template.extend_from_slice(text);
            *numbers = [0; MAX_NUMBERS];
            return 0;
        }
        if nibble(byte).is_none() || (at > 0 && text[at - 1].is_ascii_alphanumeric()) {
            template.push(byte);
            at += 1;
            continue;
        }
        let run = text[at..].iter().take_while(|&&b| nibble(b).is_some()).count();
        let taken = if count + 2 <= MAX_NUMBERS { take_uuid(&text[at..], run) } else { None };
        if let Some((high, low)) = taken {
            template.push(UUID);
            (numbers[count], numbers[count + 1]) = (high, low);
            (count, at) = (count + 2, at + 36);
            continue;
        }
        count += take_run(&text[at..at + run], template, &mut numbers[count..]);
        at += run;
    }
    count
}

/// A run of hexadecimal digits as one or more numbers, or as it is.
fn take_run(run: &[u8], template: &mut Vec<u8>, numbers: &mut [u64]) -> usize {
    let decimals = run.iter().take_while(|b| b.is_ascii_digit()).count();
    let is_fixed = matches!(run.len(), 16 | 32 | 40 | 64);
    let pieces = run.len().div_ceil(16);
    if !is_fixed && decimals == run.len() && run.len() <= 19 && (run[0] != b'0' || run.len() == 1) {
        if let Some(number) = numbers.first_mut() {
            *number = run.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
            template.push(DECIMAL);
            return 1;
        }
    } else if (is_fixed || run.len() >= MIN_HEX || decimals == run.len()) && pieces <= numbers.len() {
        for (piece, number) in run.chunks(16).zip(numbers) {
            *number = hex(piece);
            template.extend([HEX, piece.len() as u8]);
        }
        return pieces;
    }
    template.extend_from_slice(run);
    0
}

fn take_uuid(text: &[u8], run: usize) -> Option<(u64, u64)> {
    if run != 8 || text.len() < 36 || text.get(36).is_some_and(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let mut digits = [0; 32];
    let mut at = 0;
    for (place, &byte) in text[..36].iter().enumerate() {
        if matches!(place, 8 | 13 | 18 | 23) {
            (byte == b'-').then_some(())?;
        } else {
            nibble(byte)?;
            digits[at] = byte;
            at += 1;
        }
    }
    Some((hex(&digits[..16]), hex(&digits[16..])))
}

#[inline]
fn nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

fn hex(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |sum, &digit| sum << 4 | u64::from(nibble(digit).unwrap_or(0)))
}

/// Writes the text of a template and its numbers; `None` when the template is none or numbers are missing.
pub(crate) fn fill(
    template: &[u8],
    out: &mut Vec<u8>,
    mut number: impl FnMut(usize) -> Option<u64>,
) -> Option<()> {
    out.clear();
    if let Some((&VERBATIM, text)) = template.split_first() {
        out.extend_from_slice(text);
        return Some(());
    }
    let (mut at, mut count) = (0, 0);
    while let Some(&byte) = template.get(at) {
        at += 1;
        match byte {
            DECIMAL => {
                put_decimal(out, number(count)?);
                count += 1;
            }
            HEX => {
                let digits = *template.get(at).filter(|digits| (1..=16).contains(*digits))?;
                at += 1;
                put_hex(out, number(count)?, digits);
                count += 1;
            }
            UUID => {
                let (high, low) = (number(count)?, number(count + 1)?);
                count += 2;
                for (part, digits) in [(high >> 32, 8), (high >> 16, 4), (high, 4), (low >> 48, 4), (low, 12)]
                {
                    if digits != 8 {
                        out.push(b'-');
                    }
                    put_hex(out, part, digits);
                }
            }
            plain => out.push(plain),
        }
    }
    Some(())
}

/// What a text is to a template.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// No numbers make the template that text.
    No,
    /// These numbers do, and no others.
    Numbers([u64; MAX_NUMBERS], usize),
    /// There may be several that do.
    Unsure,
}

/// Finds the numbers with which [`fill`] makes `text` of a template.
pub(crate) fn parse(template: &[u8], text: &[u8]) -> Parsed {
    if let Some((&VERBATIM, verbatim)) = template.split_first() {
        return if verbatim == text { Parsed::Numbers([0; MAX_NUMBERS], 0) } else { Parsed::No };
    }
    let (mut numbers, mut count, mut is_sure) = ([0; MAX_NUMBERS], 0, true);
    match parse_into(template, text, &mut numbers, &mut count, &mut is_sure) {
        _ if !is_sure => Parsed::Unsure,
        Some(()) => Parsed::Numbers(numbers, count),
        None => Parsed::No,
    }
}

fn parse_into(
    mut template: &[u8],
    mut text: &[u8],
    numbers: &mut [u64; MAX_NUMBERS],
    count: &mut usize,
    is_sure: &mut bool,
) -> Option<()> {
    let mut put = |number: u64| {
        *numbers.get_mut(*count)? = number;
        *count += 1;
        Some(())
    };
    while let Some((&byte, rest)) = template.split_first() {
        template = rest;
        match byte {
            DECIMAL => {
                // Where digits follow the number it may end in several places.
                *is_sure &=
                    template.first().is_none_or(|next| *next >= FIRST_PLAIN && !next.is_ascii_digit());
                let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
                let (digits, rest) = text.split_at(digits);
                if digits.is_empty() || (digits[0] == b'0' && digits.len() > 1) {
                    return None;
                }
                text = rest;
                let add = |sum: u64, digit: &u8| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
                put(digits.iter().try_fold(0, add)?)?;
            }
            HEX => {
                let (&len, rest) = template.split_first().filter(|(len, _)| (1..=16).contains(*len))?;
                template = rest;
                let (digits, rest) = text.split_at_checked(len as usize)?;
                digits.iter().all(|&digit| nibble(digit).is_some()).then_some(())?;
                text = rest;
                put(hex(digits))?;
            }
            UUID => {
                let (uuid, rest) = text.split_at_checked(36)?;
                let (high, low) = take_uuid(uuid, 8)?;
                text = rest;
                put(high)?;
                put(low)?;
            }
            plain => {
                let (&first, rest) = text.split_first()?;
                (first == plain).then_some(())?;
                text = rest;
            }
        }
    }
    text.is_empty().then_some(())
}

fn put_hex(out: &mut Vec<u8>, number: u64, digits: u8) {
    for place in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(number >> (4 * place)) as usize & 15]);
    }
}

fn put_decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(texts: &[&str], expected: Option<usize>) {
        let bytes = texts.concat();
        let lens: Vec<u32> = texts.iter().map(|text| text.len() as u32).collect();
        let split = Templates::split(bytes.as_bytes(), &lens);
        assert_eq!(split.as_ref().map(|s| s.templates.len()), expected, "{texts:?}");
        let Some(split) = split else { return };
        let mut out = Vec::new();
        for (at, text) in texts.iter().enumerate() {
            let template = split.templates.get(split.codes[at] as u32);
            fill(template, &mut out, |n| split.numbers.get(n).map(|column| column[at])).unwrap();
            assert_eq!(std::str::from_utf8(&out), Ok(*text), "{template:?}");
            check_parsed(&split, at, texts);
        }
    }

    /// Every text is parsed with the template of the text at `at`: what is found are the numbers, and only there.
    fn check_parsed(split: &Templates, at: usize, texts: &[&str]) {
        let template = split.templates.get(split.codes[at] as u32);
        for (other, text) in texts.iter().enumerate() {
            match parse(template, text.as_bytes()) {
                Parsed::Numbers(numbers, count) => {
                    let mut out = Vec::new();
                    fill(template, &mut out, |n| numbers[..count].get(n).copied()).unwrap();
                    assert_eq!(std::str::from_utf8(&out), Ok(*text), "{template:?}");
                    if split.codes[other] == split.codes[at] {
                        let own: Vec<u64> = split.numbers.iter().map(|column| column[other]).collect();
                        assert_eq!(own[..count.min(own.len())], numbers[..count.min(own.len())], "{text:?}");
                    }
                }
                Parsed::No => assert_ne!(split.codes[other], split.codes[at], "{template:?} {text:?}"),
                Parsed::Unsure => {}
            }
        }
    }

    #[test]
    fn a_text_is_parsed_by_a_template_or_doubted() {
        let check = |template: &[u8], text: &str, expected: Option<&[u64]>| {
            let found = parse(template, text.as_bytes());
            match (&found, expected) {
                (Parsed::Numbers(numbers, count), Some(expected)) => assert_eq!(numbers[..*count], *expected),
                (Parsed::No, None) => {}
                _ => panic!("{template:?} {text:?} gives {found:?}, expected {expected:?}"),
            }
        };
        check(b"/items/\x01", "/items/4711", Some(&[4711]));
        check(b"/items/\x01", "/items/04711", None);
        check(b"/items/\x01", "/items/", None);
        check(b"/items/\x01", "/items/18446744073709551615", Some(&[u64::MAX]));
        check(b"/items/\x01", "/items/18446744073709551616", None);
        check(b"/\x01/\x02\x04", "/7/00ff", Some(&[7, 255]));
        check(b"/\x01/\x02\x04", "/7/00f", None);
        check(b"/\x01/\x02\x04", "/7/00ff0", None);
        check(b"\x02\x11", "00000000000000000", None);
        check(
            b"\x03",
            "123e4567-e89b-12d3-a456-426614174000",
            Some(&[0x123e_4567_e89b_12d3, 0xa456_4266_1417_4000]),
        );
        check(b"\x03", "123e4567-e89b-12d3-a456_426614174000", None);
        check(b"\x00\x01", "\u{1}", Some(&[]));
        check(b"", "", Some(&[]));
        assert_eq!(parse(b"\x01\x01", b"12"), Parsed::Unsure);
        assert_eq!(parse(b"\x015", b"15"), Parsed::Unsure);
        assert_eq!(parse(b"\x01\x01\x01\x01\x01\x01\x01\x01\x01", b"1"), Parsed::Unsure);
    }

    #[test]
    fn numbers_are_taken_out_and_put_back() {
        check(&[], Some(0));
        check(&["", "a", "0", "00", "01", "9"], Some(6 - 2));
        check(&["/items/1", "/items/22", "/items/18446744073709551615"], Some(2));
        check(&["123e4567-e89b-12d3-a456-426614174000", "00000000-0000-0000-0000-000000000000"], Some(1));
        check(&["123E4567-e89b-12d3-a456-42661417400", "123e4567-e89b-12d3-a456-4266141740001"], Some(2));
        check(&["0123456789abcdef", "1111111111111111", "aaaaaaaaaaaaaaaa"], Some(1));
        check(&["a1", "v1", "face", "facade", "deadbeef-1"], Some(5));
        check(&["\u{1}7", "\u{0}", "7 8 9 10 11 12 13 14 15 16"], Some(3));
        let words: Vec<String> = (0..100u8).map(|i| format!("{}x", char::from(b'!' + i))).collect();
        check(&words.iter().map(String::as_str).collect::<Vec<_>>(), None);
    }

    proptest! {
        #[test]
        fn any_texts_read_back(texts in proptest::collection::vec("[a-g0-9/\u{0}-\u{4}-]{0,40}", 0..60)) {
            let distinct = texts.iter().map(String::as_str).collect::<Vec<_>>();
            let lens: Vec<u32> = texts.iter().map(|text| text.len() as u32).collect();
            let found = Templates::split(texts.concat().as_bytes(), &lens).unwrap().templates.len();
            check(&distinct, Some(found));
        }
    }
}
