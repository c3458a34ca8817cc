//! The seeds of the fuzz target `traceql` as an ordinary test: some rows of the tables, and texts made to be hard.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test answers by panicking

#[path = "../../../engine/fuzz/corpus.rs"]
mod corpus;
#[path = "fuzz/traceql.rs"]
mod traceql;

#[test]
fn traceql_holds_for_every_seed() {
    corpus::check("traceql", &seeds(), traceql::holds);
}

/// The rows of all tables, the cursor in the middle.
#[test]
fn traceql_holds_for_every_row() {
    for table in
        [VALID, include_str!("refused.txt"), include_str!("unsound.txt"), include_str!("lenient.txt")]
    {
        for row in table.lines() {
            traceql::holds(&seed(128, row));
        }
    }
}

const VALID: &str = include_str!("valid.txt");

fn seed(cursor: u8, text: &str) -> Vec<u8> {
    [&[cursor], text.as_bytes()].concat()
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("empty", Vec::new()),
        ("all", seed(255, "{}")),
        (
            "conditions",
            seed(200, "{ span.a = 1 && resource.b != \"x\" || .c =~ \"y.*\" && duration > 1h30m }"),
        ),
        ("arithmetic", seed(9, "{ -.a ^ 2 * (.b - 1.5e-3) / 4 % -minInt + 1 >= .5 }")),
        ("zero-signs", seed(9, "{ --0 - -0s + -0.0 - (-0) = -(-0) && name > 5 }")),
        ("odd-names", seed(30, "{ span.\"a \\\"b\\\\\".c = 1 && .\"5xx\" = 2 && parent.\"span.x\" = nil }")),
        ("escapes", seed(60, "{ .a = \"\\x41\\101\\u00e9\\U0001F600\\t\" && .b = `raw\\` }")),
        ("parent", seed(60, "{ parent != nil && parent.resource.a = parent.span.b }")),
        ("structural", seed(80, "{ .a } >> ({ .b } !~ { .c }) &<< { .d } && ({ .e } | count() > 2)")),
        ("stages", seed(120, "{} | by(name) | coalesce() | select(.a, span:id) | max(.b) - min(.b) > 2")),
        ("series", seed(160, "{} | quantile_over_time(duration, .5, 0.99) by(.a) | topk(3) | > 1ms")),
        ("compare", seed(160, "{} | compare({ status = error }, 10, 1, 2) with(sample=0.5)")),
        ("math", seed(160, "(({} | rate()) / ({} | rate() by(.a)) | != 0) * -60 with(exemplars=true)")),
        ("unfinished", seed(255, "{ .a = 1 && span.b = \"x")),
        ("unfinished-by", seed(255, "{ .a = 1 && spam.b = } | rate() by(resource.")),
        ("several-lines", seed(100, "{ .a = 1\n  && .日本 = \"é\" }\n| { name + 1 = 2 }")),
        ("long-chain", seed(255, &format!("{{ .a{} }}", " || .b".repeat(600)))),
        ("long-sets", seed(128, &format!("({{}}{}) > {{}}", "&&{}".repeat(600)))),
        ("deep", seed(128, &format!("{{ {}.a{} }}", "!(".repeat(30), ")".repeat(30)))),
    ]
}
