//! Paths of objects. Their parts have only the characters that every store takes as they are, which are also those
//! of a tenant's name: letters, digits and `!-_.*'()`.
//!
//! See "Safe characters" in <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>.

/// Most bytes in a part: what file systems take.
pub(super) const MAX_PART_BYTES: usize = 255;

/// Most bytes in a path with its prefix: Azure and S3 take 1,024.
pub(super) const MAX_PATH_BYTES: usize = 1024;

/// Why a text is not a path, if it is none.
pub(super) fn check(path: &str) -> Result<(), String> {
    if path.len() > MAX_PATH_BYTES {
        return Err(format!("a path of {} bytes, expected {MAX_PATH_BYTES} at most", path.len()));
    }
    for part in path.split('/') {
        if part.is_empty() || part.len() > MAX_PART_BYTES || part == "." || part == ".." {
            return Err(format!("a path with the part {part:?}, expected 1 to {MAX_PART_BYTES} characters"));
        }
        if let Some(c) = part.chars().find(|c| !(c.is_ascii_alphanumeric() || "!-_.*'()".contains(*c))) {
            return Err(format!("a path with {c:?}, expected letters, digits and !-_.*'()"));
        }
    }
    Ok(())
}

/// As [`check`], and the path with its prefix. The path may be empty if `root` says so.
pub(super) fn join(prefix: &str, path: &str, root: bool) -> Result<String, String> {
    if !(root && path.is_empty()) {
        check(path)?;
    }
    let joined = match (prefix.is_empty(), path.is_empty()) {
        (true, _) => path.to_owned(),
        (false, true) => prefix.to_owned(),
        (false, false) => format!("{prefix}/{path}"),
    };
    if joined.len() > MAX_PATH_BYTES {
        return Err(format!("a path of {} bytes, expected {MAX_PATH_BYTES} at most", joined.len()));
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_some_store_would_change_are_refused() {
        for good in ["a", "a/b.block", "x.y_(z)!*'/0-9", ".../a", &"p".repeat(255)] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        let long =
            ["p".repeat(255), "p".repeat(255), "p".repeat(255), "p".repeat(255), "pp".into()].join("/");
        for bad in
            ["", "/", "a/", "/a", "a//b", ".", "a/../b", "a b", "a~", "a%2F", "é", &"p".repeat(256), &long]
        {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn prefixes_are_joined() {
        for (prefix, path, expected) in
            [("", "a", "a"), ("p/q", "a/b", "p/q/a/b"), ("p", "", "p"), ("", "", "")]
        {
            assert_eq!(join(prefix, path, true).unwrap(), expected);
        }
        assert!(join("p", "", false).is_err());
    }
}
