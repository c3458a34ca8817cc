//! Operators within braces, and values.

use super::support::check;

#[test]
fn numbers_compare_by_number() {
    check(
        "1 - 0 10 .a=1
         2 - 1 20 .a=1.0
         3 - 2 30 .a=\"1\"
         4 - 3 40 .a=2
         5 - 4 50
         6 - 5 60 .a=true
         7 - 6 70 .a=~
         8 - 7 80 .a=1.5",
        &[
            ("{ .a = 1 }", "1 2"),
            ("{ .a = 1.0 }", "1 2"),
            ("{ .a = 1ns }", "1 2"),
            ("{ .a != 1 }", "4 8"),
            ("{ .a > 1 }", "4 8"),
            ("{ .a >= 1.5 }", "4 8"),
            ("{ .a < 1.5 }", "1 2"),
            ("{ .a <= 1 }", "1 2"),
            ("{ 1 < .a }", "4 8"),
            ("{ 2 >= .a }", "1 2 4 8"),
            ("{ 1 = .a }", "1 2"),
            ("{ duration = 20 }", "2"),
            ("{ duration >= 60ns }", "6 7 8"),
            ("{ duration > 60.5 }", "7 8"),
            ("{ duration = 20.0 }", "2"),
            ("{ .a = \"1\" }", "3"),
            ("{ .a != \"1\" }", ""),
            ("{ .a != \"2\" }", "3"),
            ("{ .a = true }", "6"),
            ("{ .a != true }", ""),
            ("{ .a = ok }", ""),
            ("{ .a != ok }", ""),
            ("{ 1 + 1 = 2 }", "1 2 3 4 5 6 7 8"),
            ("{ 1 = 2 }", ""),
            ("{ }", "1 2 3 4 5 6 7 8"),
        ],
    );
}

#[test]
fn large_numbers_are_not_rounded() {
    check(
        "1 - 0 0 .a=9007199254740993
         2 - 1 0 .a=9007199254740992
         3 - 2 0 .a=9007199254740992.0
         4 - 3 0 .a=-0.0
         5 - 4 0 .a=0",
        &[
            ("{ .a = 9007199254740993 }", "1 3"),
            ("{ .a > 9007199254740992 }", "1"),
            ("{ .a = 9007199254740992.0 }", "1 2 3"),
            ("{ .a = 0 || .a = 7 }", "4 5"),
            ("{ .a = 9007199254740993 || .a = 7 }", "1 3"),
            ("{ .a = 9007199254740992.0 || .a = 7.5 }", "1 2 3"),
        ],
    );
}

#[test]
fn strings_compare_byte_by_byte_and_match_as_a_whole() {
    check(
        "1 - 0 0 .a=abc name=GET
         2 - 1 0 .a=abd name=get
         3 - 2 0 .a=b name=POST
         4 - 3 0 .a=5
         5 - 4 0 .a=größe
         6 - 5 0",
        &[
            ("{ .a = \"abc\" }", "1"),
            ("{ .a < \"abd\" }", "1"),
            ("{ .a >= \"abd\" }", "2 3 5"),
            ("{ .a =~ \"ab.\" }", "1 2"),
            ("{ .a =~ \"ab\" }", ""),
            ("{ .a =~ \"b\" }", "3"),
            ("{ .a =~ \"b|abc\" }", "1 3"),
            ("{ .a =~ \"a|.*c\" }", "1"),
            ("{ .a !~ \"b|abc\" }", "2 5"),
            ("{ .a !~ \"ab.\" }", "3 5"),
            ("{ .a =~ \"gr.{2}e\" }", "5"),
            ("{ name =~ \"(?i)get\" }", "1 2"),
            ("{ \"abc\" =~ \"a.*\" }", "1 2 3 4 5 6"),
            ("{ \"abc\" !~ \"a.*\" }", ""),
            ("{ .a =~ \"\" }", ""),
            ("{ name =~ \"\" }", "4 5 6"),
            ("{ \"b\" = .a }", "3"),
            ("{ \"b\" > .a }", "1 2"),
        ],
    );
}

#[test]
fn kinds_and_statuses_are_words() {
    check(
        "1 - 0 0 kind=server status=error message=boom
         2 - 1 0 kind=client status=ok
         3 - 2 0 kind=unspecified status=unset
         4 - 3 0 kind=9 status=7
         5 - 4 0 kind=internal
         6 - 5 0 kind=producer
         7 - 6 0 kind=consumer",
        &[
            ("{ kind = server }", "1"),
            ("{ kind != server }", "2 3 4 5 6 7"),
            ("{ kind = unspecified }", "3"),
            ("{ kind = internal || kind = producer || kind = consumer }", "5 6 7"),
            ("{ kind != server && kind != client }", "3 4 5 6 7"),
            ("{ status = error }", "1"),
            ("{ status = ok }", "2"),
            ("{ status = unset }", "3 5 6 7"),
            ("{ status != unset }", "1 2 4"),
            ("{ statusMessage = \"boom\" }", "1"),
            ("{ statusMessage = \"\" }", "2 3 4 5 6 7"),
        ],
    );
}

#[test]
fn an_array_matches_when_an_element_does() {
    check(
        "1 - 0 0 .a=(1,2,x)
         2 - 1 0 .a=()
         3 - 2 0 .a=(x,y)
         4 - 3 0 .a=(true,1.5)
         5 - 4 0 .a=x
         6 - 5 0 .a=% .b=1
         7 - 6 0 .a=# .b=1
         8 - 7 0 .b=1 .c=(1,2)
         9 - 8 0 .a=((1),%,~)",
        &[
            ("{ .a = 1 }", "1"),
            ("{ .a = \"x\" }", "1 3 5"),
            ("{ .a = true }", "4"),
            ("{ .a }", ""),
            ("{ .a > 1 }", "1 4"),
            ("{ 1 < .a }", "1 4"),
            ("{ .a != 1 }", "2 3 4 9"),
            ("{ 1 != .a }", "2 3 4 9"),
            ("{ .a != \"x\" }", "2 4 9"),
            ("{ .a =~ \"[xz]\" }", "1 3 5"),
            ("{ .a !~ \"[xz]\" }", "2 4 9"),
            ("{ .a =~ \"x|z\" }", "1 3 5"),
            ("{ .a !~ \"x|z\" }", "2 4 9"),
            ("{ .a = .a }", "5"),
            ("{ .c = .b }", "8"),
            ("{ .b = .c }", "8"),
            ("{ .c != .b }", ""),
            ("{ .a != nil }", "1 2 3 4 5 6 7 9"),
            ("{ .a = nil }", "8"),
            ("{ .a + 1 = 2 }", ""),
            ("{ span.a != 1 && span.a != 2 }", "2 3 4 9"),
            ("{ .a = 1 || .a = \"y\" || .a = true }", "1 3 4"),
        ],
    );
}

#[test]
fn nil_is_what_is_not_there() {
    check(
        "1 - 0 0 .a=1
         2 - 1 0 .a=~
         3 - 2 0
         4 - 3 0 .a=~ .a=1
         5 - 4 0 .a=2 .a=1
         6 1 5 0 .b=1",
        &[
            ("{ .a = nil }", "2 3 4 6"),
            ("{ .a != nil }", "1 5"),
            ("{ nil = .a }", "2 3 4 6"),
            ("{ nil != .a }", "1 5"),
            ("{ .a = 1 }", "1"),
            ("{ !(.a = 1) }", "2 3 4 5 6"),
            ("{ .a = .b }", ""),
            ("{ .a != .b }", ""),
            ("{ .a / 0 = 1 }", ""),
            ("{ .a / 0 != 1 }", ""),
            ("{ .a % 0 = 0 }", ""),
            ("{ .a / 0 > 1 }", ""),
            ("{ .a / 0.0 > 1 }", "1 5"),
            ("{ span:parentID = nil }", "1 2 3 4 5"),
            ("{ span:parentID != nil }", "6"),
            ("{ span:parentID = \"0000000000000001\" }", "6"),
            ("{ span:id = \"0000000000000005\" }", "5"),
            ("{ trace:id = \"07070707070707070707070707070707\" }", "1 2 3 4 5 6"),
        ],
    );
}

#[test]
fn a_side_that_is_no_bool_is_false() {
    check(
        "1 - 0 0 .a=true .b=false
         2 - 1 0 .a=false .b=true
         3 - 2 0 .a=1 .b=true
         4 - 3 0
         5 - 4 0 .a=true .b=true",
        &[
            ("{ .a }", "1 5"),
            ("{ !.a }", "2"),
            ("{ !!.a }", "1 3 4 5"),
            ("{ .a && .b }", "5"),
            ("{ .a || .b }", "1 2 3 5"),
            ("{ !(.a && .b) }", "1 2 3 4"),
            ("{ !(.a || .b) }", "4"),
            ("{ (.a = 1) = true }", "3"),
            ("{ (.a = 1) != .b }", "2 5"),
            ("{ !(.a = 1) = .b }", "2 5"),
            ("{ true }", "1 2 3 4 5"),
            ("{ !true }", ""),
            ("{ true && .a || .b }", "1 2 3 5"),
            // `&&` and `||` bind equally and from the left.
            ("{ .b || .a && .a }", "1 5"),
            ("{ .b || (.a && .a) }", "1 2 3 5"),
        ],
    );
}

#[test]
fn arithmetic_keeps_ints_and_makes_floats() {
    check(
        "1 - 0 10 .a=7 .b=2 .min=-9223372036854775808
         2 - 1 20 .a=7.0 .b=2
         3 - 2 30 .a=-7 .b=2
         4 - 3 40 .a=7 .b=-1
         5 - 4 50 .a=x .b=2",
        &[
            ("{ .a / .b = 3 }", "1"),
            ("{ .a / .b = 3.5 }", "2"),
            ("{ .a / .b = -3 }", "3"),
            ("{ .a % .b = -1 }", "3"),
            ("{ .a ^ .b = 49 }", "1 2 3"),
            ("{ 2 ^ .b = 0.5 }", "4"),
            ("{ .a + .b = 9 }", "1 2"),
            ("{ -.a = -7 }", "1 2 4"),
            ("{ -.min = .min }", "1"),
            ("{ .min - 1 > 0 }", "1"),
            ("{ .min / .b != 0 && .min / -1 = .min }", "1"),
            ("{ duration * 2 = 20 }", "1"),
            ("{ duration + 1ns = 21 }", "2"),
            ("{ -duration < -40 }", "5"),
            ("{ .a - .b < 10 && .b = 2 }", "1 2 3"),
            ("{ 2 + 3 * 2 = 8 && .b = -1 }", "4"),
            ("{ .a + 1 }", ""),
            ("{ !(.a + 1) }", ""),
        ],
    );
}

#[test]
fn an_unscoped_name_is_looked_for_from_the_span_outwards() {
    check(
        "1 - 0 0 .a=1 res.a=2 event@0[a=3] link=1/1[a=4] lib.a=5
         2 - 1 0 res.a=2 event@0[a=3] link=1/1[a=4] lib.a=5
         3 - 2 0 event@0[a=3] link=1/1[a=4] lib.a=5
         4 - 3 0 link=1/1[a=4] lib.a=5
         5 - 4 0 lib.a=5
         6 - 5 0 .a=~ res.a=6",
        &[
            ("{ .a = 1 }", "1"),
            ("{ .a = 2 }", "2"),
            ("{ .a = 3 }", "3"),
            ("{ .a = 4 }", "4"),
            ("{ .a = 5 }", "5"),
            ("{ .a = 6 }", "6"),
            ("{ resource.a = 2 }", "1 2"),
            ("{ event.a = 3 }", "1 2 3"),
            ("{ link.a = 4 }", "1 2 3 4"),
            ("{ instrumentation.a = 5 }", "1 2 3 4 5"),
            ("{ span.a = nil }", "2 3 4 5 6"),
        ],
    );
}

#[test]
fn events_and_links_give_a_value_each() {
    check(
        "1 - 100 0 event@110[name=x;a=1] event@130[name=y;a=2] lib=lib@1.2
         2 - 101 0 event@101[name=x;b=1] event@91[a=1]
         3 - 102 0 link=ab/cd[a=1] link=ef/12
         4 - 103 0",
        &[
            ("{ event:name = \"x\" }", "1 2"),
            ("{ event:name != \"x\" }", "1 2"),
            ("{ event:name = \"x\" && event.a = 2 }", "1"),
            ("{ event.a = 1 && event.a = 2 }", "1"),
            ("{ event.a != 1 && event.a != 2 }", "1"),
            ("{ event.a = 1 || event.a = 2 }", "1 2"),
            ("{ event.a = nil }", "3 4"),
            ("{ event.b != nil }", "2"),
            ("{ event:timeSinceStart = 30ns }", "1"),
            ("{ event:timeSinceStart < 0 }", "2"),
            ("{ event.a + 1 = 3 }", ""),
            ("{ event.a + 1 = 2 }", "1 2"),
            ("{ event.a = event.a }", "1 2"),
            ("{ event.a < event.a }", "1"),
            ("{ !event.a }", ""),
            ("{ link:traceID = \"000000000000000000000000000000ab\" }", "3"),
            ("{ link:spanID = \"0000000000000012\" }", "3"),
            ("{ link.a = 1 }", "3"),
            ("{ instrumentation:name = \"lib\" }", "1"),
            ("{ instrumentation:version = \"\" }", "2 3 4"),
        ],
    );
}

#[test]
fn division_by_zero_is_nil_between_ints_and_otherwise_one_of_floats() {
    check(
        "1 - 0 5 .a=1
         2 - 1 0 .a=0
         3 - 2 7 .a=1.5
         4 - 3 7 .a=word",
        &[
            ("{ duration / 0 > 1 }", "1 3 4"),
            ("{ duration / 0s > 1 }", "1 3 4"),
            ("{ duration / (1 - 1) > 1 }", "1 3 4"),
            ("{ duration % 0 > 1 }", ""),
            ("{ duration / 0 = duration / 0 }", "1 3 4"),
            ("{ .a / 0 > 1 }", "3"),
            ("{ .a / 0s > 1 }", "1 3"),
            ("{ 1 / .a > 1 }", ""),
        ],
    );
}
