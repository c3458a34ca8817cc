//! What a block is called.

use std::fmt;
use std::str::FromStr;

/// A block's name: when it was made, and what tells it from others made in the same nanosecond. Ordered by age.
///
/// Written as two numbers of 16 hexadecimal digits with a hyphen between; the second may be read with as few as 4
/// digits, as the first blocks were named. Two blocks never share a name: the second number holds what tells apart the
/// processes that seal. For a block that was made from others it is a hash of their names and of what its maker adds:
/// in a store that is drawn anew for each attempt, so that the same work done twice gives two names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BlockId {
    /// When the block was made, in nanoseconds since 1970; for a block made from others that of the newest of them.
    pub created: u64,
    /// What tells it from others.
    pub number: u64,
}

/// A text is no block's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no block's name: expected two hexadecimal numbers of 16 digits with a hyphen between")]
pub struct NotABlockId(pub String);

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}", self.created, self.number)
    }
}

impl FromStr for BlockId {
    type Err = NotABlockId;

    fn from_str(text: &str) -> Result<Self, NotABlockId> {
        let number = |digits: &str, least: usize| {
            let plain = digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            (plain && (least..=16).contains(&digits.len())).then(|| u64::from_str_radix(digits, 16).ok())?
        };
        let parts = text.split_once('-');
        let id = parts.and_then(|(created, rest)| {
            Some(Self { created: number(created, 16)?, number: number(rest, 4)? })
        });
        id.ok_or_else(|| NotABlockId(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_written() {
        let check = |text: &str, expected: Option<(u64, u64)>| {
            let found = text.parse::<BlockId>().ok();
            assert_eq!(found.map(|id| (id.created, id.number)), expected, "{text}");
        };
        check("18a5b2c3d4e5f607-00000000000000ff", Some((0x18a5_b2c3_d4e5_f607, 0xff)));
        check("18a5b2c3d4e5f607-0001", Some((0x18a5_b2c3_d4e5_f607, 1)));
        check("18a5b2c3d4e5f607-ffffffffffffffff", Some((0x18a5_b2c3_d4e5_f607, u64::MAX)));
        for odd in [
            "",
            "-",
            "18a5b2c3d4e5f607",
            "18a5b2c3d4e5f607-",
            "18a5b2c3d4e5f607-001",
            "+8a5b2c3d4e5f607-0001",
        ] {
            check(odd, None);
        }
        check("18A5B2C3D4E5F607-0001", None);
        check("18a5b2c3d4e5f607-00000000000000000", None);
        let id = BlockId { created: 7, number: 1 << 63 };
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
