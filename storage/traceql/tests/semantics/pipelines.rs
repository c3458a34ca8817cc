//! Stages of pipelines and structural operators.

use super::support::check;

/// ```text
/// 1 a ─┬─ 2 b ─┬─ 4 a
///      │       └─ 5 b
///      └─ 3 a ─── 6 b
/// 7 a (root)   8 b (orphan) ─── 9 b
/// ```
const TREE: &str = "1 - 0 10 .x=a .n=1
                    2 1 1 20 .x=b .n=2
                    3 1 2 30 .x=a .n=2.5
                    4 2 3 40 .x=a
                    5 2 4 50 .x=b .n=1
                    6 3 5 60 .x=b
                    7 - 6 70 .x=a
                    8 ff 7 80 .x=b .n=word
                    9 8 8 90 .x=b .n=4";

#[test]
fn spans_of_both_sides_or_of_either() {
    check(
        TREE,
        &[
            ("{ .x = \"a\" } && { .n = 1 }", "1 3 4 5 7"),
            ("{ .x = \"a\" } && { .n = 7 }", ""),
            ("{ .n = 7 } && { .x = \"a\" }", ""),
            ("{ .n = 7 } || { .n = 2 }", "2"),
            ("{ .n = 2 } || { .n = 7 }", "2"),
            ("{ .n = 7 } || { .n = 8 }", ""),
            // Equal precedence, from the left.
            ("{ .n = 7 } || { .n = 1 } && { .n = 4 }", "1 5 9"),
            ("{ .n = 1 } || { .n = 7 } && { .n = 8 }", ""),
            ("{ .n = 1 } || ({ .n = 7 } && { .n = 8 })", "1 5"),
        ],
    );
}

#[test]
fn the_right_side_by_where_it_stands_to_the_left() {
    check(
        TREE,
        &[
            ("{ .x = \"a\" } > { .x = \"b\" }", "2 6"),
            ("{ .x = \"a\" } >> { .x = \"b\" }", "2 5 6"),
            ("{ .x = \"a\" } < { .x = \"b\" }", "2"),
            ("{ .x = \"a\" } < { .x = \"a\" }", "1"),
            ("{ .x = \"b\" } < { .x = \"a\" }", "1 3"),
            ("{ .x = \"b\" } << { .x = \"a\" }", "1 3"),
            ("{ .x = \"a\" } << { .x = \"b\" }", "2"),
            ("{ .x = \"a\" } ~ { .x = \"b\" }", "2 5"),
            ("{ .x = \"b\" } ~ { .x = \"b\" }", ""),
            ("{ } ~ { }", "2 3 4 5"),
            // Below orphans, too.
            ("{ .x = \"b\" } > { .x = \"b\" }", "5 9"),
            ("{ .n = \"word\" } >> { }", "9"),
            ("{ .n = 7 } > { }", ""),
            ("{ } > { .n = 7 }", ""),
        ],
    );
}

#[test]
fn the_right_side_without_such_a_left_one() {
    check(
        TREE,
        &[
            ("{ .x = \"a\" } !> { .x = \"b\" }", "5 8 9"),
            ("{ .x = \"a\" } !>> { .x = \"b\" }", "8 9"),
            ("{ .x = \"a\" } !< { .x = \"b\" }", "5 6 8 9"),
            ("{ .x = \"b\" } !<< { .x = \"a\" }", "4 7"),
            ("{ .x = \"a\" } !~ { .x = \"b\" }", "6 8 9"),
            ("{ .n = 7 } !> { .x = \"a\" }", "1 3 4 7"),
            ("{ } !> { .n = 7 }", ""),
        ],
    );
}

#[test]
fn both_sides_that_stand_so_to_each_other() {
    check(
        TREE,
        &[
            ("{ .x = \"a\" } &> { .x = \"b\" }", "1 2 3 6"),
            ("{ .x = \"a\" } &>> { .x = \"b\" }", "1 2 3 5 6"),
            ("{ .x = \"b\" } &< { .x = \"a\" }", "1 2 3 6"),
            ("{ .x = \"b\" } &<< { .x = \"a\" }", "1 2 3 5 6"),
            ("{ .x = \"a\" } &~ { .x = \"b\" }", "2 3 4 5"),
            ("{ .n = 7 } &> { .x = \"b\" }", ""),
        ],
    );
}

#[test]
fn relations_hold_in_the_whole_trace_though_fewer_spans_come_in() {
    check(
        TREE,
        &[
            ("{ .x = \"b\" } | { } >> { }", "5 9"),
            ("{ .n = 1 } | { } >> { }", "5"),
            ("{ .n = 1 } | { .x = \"b\" } ~ { }", ""),
        ],
    );
}

#[test]
fn groups_by_value_in_the_order_of_their_first_spans() {
    check(
        TREE,
        &[
            ("{ } | by(.x)", "{by(.x)=a} 1 3 4 7 | {by(.x)=b} 2 5 6 8 9"),
            (
                "{ } | by(.n)",
                "{by(.n)=1} 1 5 | {by(.n)=2} 2 | {by(.n)=2.5} 3 | {by(.n)=nil} 4 6 7 | {by(.n)=word} 8 | {by(.n)=4} 9",
            ),
            ("{ .n > 1 } | by(.n * 2)", "{by(.n * 2)=4} 2 | {by(.n * 2)=5.0} 3 | {by(.n * 2)=8} 9"),
            ("{ } | by(.n = 1)", "{by(.n = 1)=true} 1 5 | {by(.n = 1)=false} 2 3 4 6 7 8 9"),
            ("{ .n = 1 } | by(.x) | by(.n)", "{by(.x)=a, by(.n)=1} 1 | {by(.x)=b, by(.n)=1} 5"),
            ("{ } | by(.x) | { .n = 1 }", "{by(.x)=a} 1 | {by(.x)=b} 5"),
            ("{ } | by(.x) | coalesce()", "1 2 3 4 5 6 7 8 9"),
            ("{ } | by(.x) | count() > 4", "{by(.x)=b, count()=5} 2 5 6 8 9"),
            ("{ } | by(.x) | { .n = 4 } > { .n = 7 }", ""),
            ("{ .n = 7 } | by(.x)", ""),
            ("{ } | select(.n)", "1 2 3 4 5 6 7 8 9"),
            ("{ } | ({ .n = 1 } | by(.x))", "1 5"),
            ("{ } | ({ .n = 1 } | count() = 2)", "{count()=2} 1 5"),
            // Parentheses join what is within, also where they are the first stage.
            ("({ .n = 1 } | by(.x))", "1 5"),
            ("({ } | by(.x)) | count() > 5", "{count()=9} 1 2 3 4 5 6 7 8 9"),
            ("(by(.x)) | count() > 5", "{count()=9} 1 2 3 4 5 6 7 8 9"),
            ("({ } | by(.x)) && { .n = 7 }", ""),
            ("({ .n = 1 } | by(.x)) || { .n = 4 }", "1 5 9"),
        ],
    );
    check(
        "1 - 0 0 .f=0.0 .l=(1,2)
         2 - 1 0 .f=-0.0 .l=(1,2)
         3 - 2 0 .f=NaN .l=()
         4 - 3 0 .f=NaN .l=(1)",
        &[
            ("{ } | by(.f) | coalesce() | count() = 4", "{count()=4} 1 2 3 4"),
            ("{ } | by(.f) | count() = 2 | coalesce()", "1 2 3 4"),
            ("{ } | by(.l) | count() = 2 | coalesce()", "1 2"),
        ],
    );
    check(
        "1 - 0 0 event@1[a=1] event@2[a=2]
         2 - 1 0 event@1[a=2] event@2[a=1]
         3 - 2 0 event@1[a=1]",
        &[("{ } | by(event.a)", "{by(event.a)=1} 1 3 | {by(event.a)=2} 2")],
    );
}

#[test]
fn aggregates_take_what_is_a_number() {
    check(
        TREE,
        &[
            ("{ } | count() > 8", "{count()=9} 1 2 3 4 5 6 7 8 9"),
            ("{ } | count() > 9", ""),
            ("{ } | 9 <= count()", "{count()=9} 1 2 3 4 5 6 7 8 9"),
            ("{ .x = \"a\" } | max(.n) = 2.5", "{max(.n)=2.5} 1 3 4 7"),
            ("{ .x = \"a\" } | min(.n) = 1", "{min(.n)=1} 1 3 4 7"),
            ("{ .x = \"a\" } | sum(.n) = 3.5", "{sum(.n)=3.5} 1 3 4 7"),
            ("{ .x = \"a\" } | avg(.n) = 1.75", "{avg(.n)=1.75} 1 3 4 7"),
            ("{ .x = \"b\" } | sum(.n) = 7", "{sum(.n)=7} 2 5 6 8 9"),
            ("{ .n = 1 || .n = 2 } | avg(.n) > 1.3", "{avg(.n)=1.3333333333333333} 1 2 5"),
            ("{ .n = 4 || .n = 1 } | avg(.n * 2) = 4.0", "{avg(.n * 2)=4.0} 1 5 9"),
            // Without a number there is no value, and no comparison holds.
            ("{ .n = \"word\" } | max(.n) != 0", ""),
            ("{ .n = nil } | sum(.n) >= 0", ""),
            ("{ .n = 1 } | count() + 1 = 3", "{count()=2} 1 5"),
            ("{ .n = 1 } | sum(.n) / count() = 1", "{sum(.n)=2, count()=2} 1 5"),
            ("{ .n = 1 } | count() > 1 | count() < 5", "{count()=2} 1 5"),
            ("{ } | count() > 1 | { .n = 1 } | count() = 2", "{count()=2} 1 5"),
        ],
    );
    check(
        "1 - 0 10
         2 - 1 15 .a=9223372036854775807
         3 - 2 20 .a=1 .f=NaN
         4 - 3 21 .f=2.0",
        &[
            ("{ } | avg(duration) = 16ns | coalesce()", "1 2 3 4"),
            ("{ } | sum(duration) = 66 | coalesce()", "1 2 3 4"),
            ("{ } | max(duration) = 21ns | coalesce()", "1 2 3 4"),
            ("{ } | min(duration) * 2 = 20.0 | coalesce()", "1 2 3 4"),
            ("{ } | sum(.a) < 0 | coalesce()", "1 2 3 4"),
            ("{ } | avg(.a) > 4e18 | coalesce()", "1 2 3 4"),
            ("{ } | max(.f) = 2 | coalesce()", "1 2 3 4"),
            ("{ } | min(.f) = 2 | coalesce()", "1 2 3 4"),
        ],
    );
}

#[test]
fn scalars_over_pipelines() {
    check(
        TREE,
        &[
            (
                "({ .x = \"a\" } | count()) < ({ .x = \"b\" } | count())",
                "{({ .x = \"a\" } | count())=4, ({ .x = \"b\" } | count())=5} 1 2 3 4 5 6 7 8 9",
            ),
            ("({ .x = \"a\" } | count()) > ({ .x = \"b\" } | count())", ""),
            ("({ .n = 7 } | count()) = 0 | coalesce()", "1 2 3 4 5 6 7 8 9"),
            ("({ .n = 7 } | max(.n)) != 0", ""),
        ],
    );
}
