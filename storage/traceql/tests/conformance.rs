//! The tables of queries: what is read and how it prints, what is refused at parsing, what at checking.
//!
//! A table holds a query a line. Where the outcome differs from the query, the next line gives it after `=>`.

use spanloom_traceql::{QueryError, check, parse, read};

/// Rows of a table: the query, and its outcome if one is given.
fn rows(table: &str) -> Vec<(&str, Option<&str>)> {
    let mut rows: Vec<(&str, Option<&str>)> = Vec::new();
    for line in table.lines() {
        match (line.strip_prefix("=> "), rows.last_mut()) {
            (Some(outcome), Some(row)) => row.1 = Some(outcome),
            _ => rows.push((line, None)),
        }
    }
    rows
}

fn check_table(table: &str, least: usize, outcome: impl Fn(&str) -> String) {
    let rows = rows(table);
    assert!(rows.len() >= least, "the table has {} rows", rows.len());
    let wrong: Vec<String> = rows
        .into_iter()
        .filter_map(|(query, expected)| {
            let found = outcome(query);
            (found != expected.unwrap_or(query)).then(|| format!("{query}\n=> {found}"))
        })
        .collect();
    assert!(wrong.is_empty(), "these rows differ from the table, found:\n{}", wrong.join("\n"));
}

#[test]
fn what_is_valid_prints_in_canonical_form_and_means_the_same() {
    check_table(include_str!("valid.txt"), 500, |query| match parse(query) {
        Ok(tree) => {
            let printed = tree.to_string();
            assert_eq!(parse(&printed).as_ref(), Ok(&tree), "{query} printed as {printed}");
            printed
        }
        Err(error) => error.to_string(),
    });
}

#[test]
fn what_is_refused_at_parsing_is_told_where_and_why() {
    check_table(include_str!("refused.txt"), 200, |query| match parse(query) {
        Ok(tree) => format!("read as {tree}"),
        Err(error) => error.to_string(),
    });
}

#[test]
fn what_is_refused_at_checking_is_told_why() {
    check_table(include_str!("unsound.txt"), 200, |query| {
        read(query).map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
    });
}

#[test]
fn the_check_of_a_tree_alone_gives_the_place_in_the_canonical_text() {
    for (query, _) in rows(include_str!("unsound.txt")) {
        let Err(QueryError::Check(by_text)) = read(query) else { panic!("{query}") };
        let tree = parse(query).expect("well formed");
        let by_tree = check(&tree).expect_err("unsound");
        assert_eq!((&by_tree.part, &by_tree.reason), (&by_text.part, &by_text.reason), "{query}");
        let canonical = tree.to_string();
        let there = &canonical[by_tree.offset..];
        let part = by_tree.part.trim_end_matches("...").trim_start_matches('(');
        assert!(there.starts_with(part), "{query}: {part} does not begin at `{there}`");
        assert_eq!(read(&canonical), Err(by_tree.into()), "{query}");
    }
}

#[test]
fn what_is_valid_passes_the_check() {
    for (query, _) in rows(include_str!("valid.txt")) {
        assert_eq!(read(query).err(), None, "{query}");
    }
}

#[test]
fn places_are_counted_in_lines_and_characters() {
    let error = parse("{ .a = 1 }\n&& { .é = \"日\" 5 }").expect_err("two values in a row");
    assert_eq!((error.line, error.column, error.offset), (2, 15, 28));
}

#[test]
fn a_long_offending_part_is_shown_by_its_beginning() {
    let tree = parse(&format!("{{ .a + \"{}\" = 1 }}", "é".repeat(5_000))).expect("well formed");
    let error = check(&tree).expect_err("a string is no number");
    assert_eq!(error.part.chars().count(), 203);
    assert!(error.part.starts_with(".a + \"éé") && error.part.ends_with("é..."), "{}", error.part);
}
