//! The place where a page ended, as text: the start of its last trace and the id, `1700000000000000000-0102…10`.

use spanloom_query::Cursor;
use spanloom_span::TraceId;

/// As text.
pub(super) fn print(cursor: Cursor) -> String {
    format!("{}-{}", cursor.start, cursor.id)
}

/// From text.
pub(super) fn parse(text: &str) -> Option<Cursor> {
    let (start, id) = text.split_once('-')?;
    Some(Cursor { start: start.parse().ok()?, id: TraceId::parse(id).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        for cursor in
            [Cursor { start: 0, id: TraceId([1; 16]) }, Cursor { start: u64::MAX, id: TraceId([255; 16]) }]
        {
            assert_eq!(parse(&print(cursor)), Some(cursor));
        }
        for wrong in ["", "-", "1", "1-", "-1", "x-1", "1-x", "1-1-1", "18446744073709551616-1"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
