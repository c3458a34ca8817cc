//! What a plan says of a query: fields, filters as tests, what a trace must hold.

use super::support::plan;
use spanloom_traceql::parse;
use spanloom_traceql::plan::{Expr, Matcher, Needs, Operand, Origin, Plan, Reckon};

/// The first filter as text.
fn filter(query: &str) -> String {
    let plan = plan(query);
    show(&plan, &plan.filters[0].expr)
}

fn show(plan: &Plan, expr: &Expr) -> String {
    let list = |of: &[Expr]| of.iter().map(|inner| show(plan, inner)).collect::<Vec<_>>().join(", ");
    match expr {
        Expr::Const(known) => known.to_string(),
        Expr::All(all) => format!("all({})", list(all)),
        Expr::Any(any) => format!("any({})", list(any)),
        Expr::Not(inner) => format!("not({})", show(plan, inner)),
        Expr::Test(test) => {
            let field = plan.field(test.field).expect("a field");
            let matcher = match &test.matcher {
                Matcher::Nil => "is nil".to_owned(),
                Matcher::NotNil => "is there".to_owned(),
                Matcher::Is(wanted) => format!("is {wanted}"),
                Matcher::Compare(op, constant) => format!("{op:?} {}", constant.as_value().to_any_text()),
                Matcher::OneOf(set) => format!("one of {}", set.constants().len()),
                Matcher::NoneOf(set) => format!("none of {}", set.constants().len()),
                Matcher::Regex(pattern) => format!("matches {:?}", pattern.texts()),
                Matcher::NotRegex(pattern) => format!("matches not {:?}", pattern.texts()),
            };
            format!("{field} {matcher}")
        }
        Expr::Reckon(reckon) => match &**reckon {
            Reckon::Compare(op, left, right) => {
                format!("{op:?}({}, {})", operand(plan, left), operand(plan, right))
            }
            Reckon::Regex(of, pattern, wanted) => {
                format!("{wanted}({}, {:?})", operand(plan, of), pattern.texts())
            }
        },
    }
}

fn operand(plan: &Plan, of: &Operand) -> String {
    match of {
        Operand::Constant(value) => value.as_value().to_any_text(),
        Operand::Field(field) => plan.field(*field).expect("a field").to_string(),
        Operand::Condition(expr) => show(plan, expr),
        Operand::Negate(inner) => format!("-{}", operand(plan, inner)),
        Operand::Arithmetic(op, left, right) => {
            format!("{op:?}({}, {})", operand(plan, left), operand(plan, right))
        }
    }
}

trait Text {
    fn to_any_text(self) -> String;
}

impl Text for spanloom_traceql::value::Value<'_> {
    fn to_any_text(self) -> String {
        super::support::show_value(&self.to_any())
    }
}

#[test]
fn filters_become_trees_of_tests() {
    for (query, expected) in [
        ("{ }", "true"),
        ("{ 1 = 1 && true }", "true"),
        ("{ .a = 1 && false }", "false"),
        ("{ false || .a = 1 }", ".a Equal 1"),
        ("{ 1 < .a }", ".a Greater 1"),
        ("{ .a = 2 * 3 + 1 }", ".a Equal 7"),
        ("{ .a }", ".a is true"),
        ("{ !.a }", ".a is false"),
        ("{ !!.a }", "not(.a is false)"),
        ("{ .a = nil }", ".a is nil"),
        ("{ nil != .a }", ".a is there"),
        ("{ .a = 1 && .b = 2 && .c = 3 }", "all(.a Equal 1, .b Equal 2, .c Equal 3)"),
        ("{ .a = 1 && (.b = 2 && .c = 3) }", "all(.a Equal 1, .b Equal 2, .c Equal 3)"),
        ("{ .a = 1 || .b = 2 && .c = 3 }", "all(any(.a Equal 1, .b Equal 2), .c Equal 3)"),
        ("{ !(.a = 1 || .b = 2) }", "all(not(.a Equal 1), not(.b Equal 2))"),
        ("{ !(.a = 1 && !(.b = 2)) }", "any(not(.a Equal 1), .b Equal 2)"),
        ("{ .a = 1 || .b = 1 || .a = 2 || .a = \"x\" }", "any(.a one of 3, .b Equal 1)"),
        ("{ (.a = 1 || .a = 2) || (.a = 3 || .a = 1) }", ".a one of 3"),
        ("{ span.a != 1 && span.a != 2 }", "span.a none of 2"),
        ("{ span.a != 1 && span.a != \"x\" }", "all(span.a NotEqual 1, span.a NotEqual x)"),
        ("{ .a != 1 && .a != 2 }", "all(.a NotEqual 1, .a NotEqual 2)"),
        ("{ .a =~ \"x.*\" || .a =~ \"y.*\" }", ".a matches [\"x.*\", \"y.*\"]"),
        ("{ span.a !~ \"x.*\" && span.a !~ \"y.*\" }", "span.a matches not [\"x.*\", \"y.*\"]"),
        ("{ .a =~ \"x|y|z\" }", ".a one of 3"),
        ("{ .a !~ \"x|y|z\" }", ".a none of 3"),
        ("{ .a =~ \"x|y\" || .a = \"z\" }", ".a one of 3"),
        ("{ .a + 1 = 2 }", "Equal(Add(.a, 1), 2)"),
        ("{ 2 < -.a }", "Less(2, -.a)"),
        ("{ .a = .b }", "Equal(.a, .b)"),
        ("{ (.a = 1) = .b }", "Equal(.a Equal 1, .b)"),
        ("{ nestedSetParent < 0 }", "span:parentID is nil"),
        ("{ nestedSetParent >= 0 }", "span:parentID is there"),
        ("{ nestedSetParent > -2 }", "true"),
        ("{ nestedSetParent != -1.5 }", "true"),
    ] {
        assert_eq!(filter(query).replace("Greater(-.a, 2)", "Less(2, -.a)"), expected, "{query}");
    }
}

#[test]
fn many_alternatives_are_one_lookup() {
    let terms =
        |count: usize, op: &str| (0..count).map(|at| format!("span.a {op} \"v{at}\"")).collect::<Vec<_>>();
    assert_eq!(filter(&format!("{{ {} }}", terms(400, "=").join(" || "))), "span.a one of 400");
    assert_eq!(filter(&format!("{{ {} }}", terms(400, "!=").join(" && "))), "span.a none of 400");
}

#[test]
fn patterns_have_room_together() {
    let large = |at: usize| format!(".a{at} =~ \"\\\\pL{{15}}x{at}\"");
    let query = |count: usize| {
        let terms: Vec<_> = (0..count).map(large).collect();
        parse(&format!("{{ {} }}", terms.join(" || "))).expect("a query")
    };
    assert!(Plan::new(&query(3)).is_ok());
    let refused = Plan::new(&query(200)).expect_err("too large together");
    assert_eq!(
        refused.to_string(),
        "`=~`: the regular expressions need more than 16777216 bytes together; make them simpler"
    );
    let one = parse("{ .a =~ \"((a{100}){100}){100}\" }").expect("a query");
    let refused = Plan::new(&one).expect_err("too large");
    assert!(refused.reason.contains("needs more than 1048576 bytes when compiled"), "{refused}");
}

#[test]
fn fields_are_numbered_by_first_mention() {
    let plan = plan(
        "{ .b = 1 && parent.a = 2 && traceDuration > 1s && name = \"x\" } | by(span.c) | count(.b) > 1 | select(resource.d, .a)"
            .replace("count(.b)", "max(.e)")
            .as_str(),
    );
    let fields: Vec<String> = plan.fields.iter().map(ToString::to_string).collect();
    assert_eq!(fields[..3], [".b", "parent.a", ".a"]);
    assert_eq!(fields[5..], ["span.c", ".e", "resource.d"]);
    let shown: Vec<&str> = plan.shown.iter().map(|field| plan.key(*field)).collect();
    assert_eq!(shown, ["b", "a", "c", "e", "d", "a"]);
    assert_eq!(plan.origins[1], Origin::Parent(spanloom_traceql::plan::FieldId(2)));
    assert!(matches!(plan.origins[3], Origin::Trace(_)));
    assert_eq!(plan.origins[4], Origin::Local);
    assert!(plan.filters[0].reads_trace);
}

#[test]
fn what_can_be_judged_without_the_trace() {
    for (query, expected) in [
        ("{ .a = 1 }", (Some(0), false)),
        ("{ .a = 1 } | select(.b)", (Some(0), false)),
        ("{ nestedSetParent < 0 }", (Some(0), false)),
        ("{ nestedSetParent < 5 }", (Some(0), true)),
        ("{ rootName = \"x\" }", (Some(0), true)),
        ("{ parent.a = 1 }", (Some(0), true)),
        ("{ span:childCount > 1 }", (Some(0), true)),
        ("{ .a = 1 } | count() > 1", (None, false)),
        ("{ .a = 1 } && { .b = 1 }", (None, false)),
    ] {
        let plan = plan(query);
        let simple = plan.simple_filter().map(|filter| filter.0);
        assert_eq!((simple, plan.filters[0].reads_trace), expected, "{query}");
    }
    for (query, expected) in [
        ("{ .a = 1 } | rate()", Some(0)),
        ("{ .a = 1 } | rate() by(resource.service.name)", Some(0)),
        ("{ .a = 1 } | max_over_time(.b)", Some(0)),
        ("{ .a = 1 } | rate() by(rootName)", None),
        ("{ .a = 1 } | max_over_time(traceDuration)", None),
        ("{ .a = 1 } | compare({ .b = 1 })", None),
        ("{ .a = 1 } | count() > 1 | rate()", None),
    ] {
        let plan = plan(query);
        let leaf = &plan.metrics().expect("series").leaves[0];
        assert_eq!(leaf.simple_filter().map(|filter| filter.0), expected, "{query}");
    }
}

fn needs(needs: &Needs) -> String {
    let list = |of: &[Needs]| of.iter().map(self::needs).collect::<Vec<_>>().join(", ");
    match needs {
        Needs::Nothing => "nothing".to_owned(),
        Needs::Span(filter) => filter.0.to_string(),
        Needs::All(all) => format!("all({})", list(all)),
        Needs::Any(any) => format!("any({})", list(any)),
    }
}

#[test]
fn what_a_trace_must_hold() {
    for (query, expected) in [
        ("{ }", "nothing"),
        ("{ .a = 1 }", "0"),
        ("{ 1 = 2 }", "any()"),
        ("{ .a = 1 } && { .b = 1 }", "all(0, 1)"),
        ("{ .a = 1 } || { .b = 1 }", "any(0, 1)"),
        ("{ .a = 1 } || { }", "nothing"),
        ("{ .a = 1 } && { 1 = 2 }", "any()"),
        ("{ .a = 1 } || { 1 = 2 }", "0"),
        ("{ .a = 1 } >> { .b = 1 }", "all(0, 1)"),
        ("{ .a = 1 } &~ { .b = 1 }", "all(0, 1)"),
        ("{ .a = 1 } !> { .b = 1 }", "1"),
        ("{ .a = 1 } && { } >> { .c = 1 }", "all(0, 2)"),
        ("({ .a = 1 } | count() > 1) && { .b = 1 }", "all(0, 1)"),
        ("{ .a = 1 } | { .b = 1 } | count() > 3", "all(0, 1)"),
        ("{ .a = 1 } > { .a = 1 }", "all(0, 0)"),
        ("({ .a = 1 } | rate()) / ({ .b = 1 } | rate())", "any(0, 1)"),
        ("({ .a = 1 } | rate()) / ({ } | rate())", "nothing"),
    ] {
        let plan = plan(query);
        assert_eq!(needs(&plan.needs), expected, "{query}");
    }
    let plan = plan("{ .a = 1 } && { .b = 1 } || { .c = 1 }");
    assert!(plan.needs.met(&mut |filter| filter.0 == 2));
    assert!(!plan.needs.met(&mut |filter| filter.0 == 0));
}

#[test]
fn series_that_are_chosen_by_their_samples_do_not_only_grow() {
    let check = |query: &str, expected: bool| {
        assert_eq!(plan(query).metrics().expect("series").only_grows(), expected, "{query}");
    };
    check("{ } | rate() by(.a)", true);
    check("{ } | quantile_over_time(duration, 0.5) by(.a)", true);
    check("({ } | rate() by(.a)) / ({ } | rate()) * 60", true);
    check("{ } | rate() by(.a) | topk(3)", false);
    check("{ } | rate() | > 5", false);
    check("({ } | rate() by(.a) | bottomk(1)) + ({ } | rate())", false);
    check("{ } | compare({ .a = 1 })", false);
}
