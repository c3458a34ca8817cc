//! Traces as golden texts.

use super::super::golden;
use super::*;
use crate::cli::query::answer::SearchAnswer;

const ANSWER: &str = r#"{"traces":[
    {"traceID":"5b8efff798038103d269b633813fc60c","rootServiceName":"shop","rootTraceName":"checkout",
     "startTimeUnixNano":"1700000000123456789","durationMs":557,"spanSets":[{"spans":[
        {"spanID":"0000000000000102","name":"GET /a rather long name of a span that goes on and on and on",
         "startTimeUnixNano":"1700000000124956789","durationNanos":"1500000",
         "attributes":[{"key":"http.status_code","value":{"intValue":"500"}}]},
        {"spanID":"0000000000000103","startTimeUnixNano":"1700000000123456789"}],"matched":7,
        "attributes":[{"key":"count()","value":{"intValue":"7"}}]}],
     "serviceStats":{"shop":{"spanCount":1234,"errorCount":1},"cart":{"spanCount":2},"":{"spanCount":1}}},
    {"traceID":"a1","rootServiceName":"<root span not yet received>","startTimeUnixNano":"1700000000000000000",
     "spanSets":[{"spans":[{"spanID":"1"}],"matched":1}]},
    {"traceID":"b2\u001b[31m","rootServiceName":"漢字の店","rootTraceName":"支払い\u001b]0;title\u0007 and more to read",
     "startTimeUnixNano":"1699999999000000000","durationMs":3723000,"spanSets":[{"matched":1}],
     "serviceStats":{"漢字の店":{"spanCount":1}}}],
    "metrics":{"inspectedTraces":3,"inspectedSpans":"1238","inspectedBytes":"4200","totalBlocks":1}}"#;

fn whole(style: &Style, json: &str, spans: bool, next: Option<&str>) -> String {
    let answer: SearchAnswer = serde_json::from_str(json).unwrap();
    let mut out = heading(style);
    answer.traces.iter().for_each(|found| out.push_str(&trace(style, found, spans)));
    out + &footer(style, answer.traces.len() as u64, &answer.metrics, next)
}

#[test]
fn traces_fit_the_terminal() {
    let check = |name: &str, columns: usize, spans: bool| {
        let text = whole(&Style::new(columns, false), ANSWER, spans, Some("17-a1"));
        let widest = text.lines().filter(|line| !line.starts_with("there may")).map(width).max();
        assert!(widest <= Some(columns.max(75)), "{widest:?}");
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
        golden::check(name, &text);
    };
    check("found-100", 100, false);
    check("found-100-spans", 100, true);
    check("found-180", 180, false);
    check("found-40", 40, true);
}

#[test]
fn nothing_was_found() {
    let text = whole(&Style::PIPED, r#"{"metrics":{"inspectedTraces":1,"inspectedSpans":"2"}}"#, true, None);
    assert_eq!(text.lines().last(), Some("no trace was found; looked at 2 spans in 1 trace, 0 blocks, 0 B"));
}

#[test]
fn errors_are_red_in_colour_alone() {
    let text = whole(&Style::new(100, true), ANSWER, false, None);
    let red: Vec<&str> = text.lines().filter(|line| line.contains("\u{1b}[31m")).collect();
    assert_eq!(red.len(), 1);
    assert!(red[0].contains("shop 1,234 (1 error)"), "{red:?}");
}
