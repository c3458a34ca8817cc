//! Names and values of attributes, one a line, the names as a query writes them.

use spanloom_traceql::ast::{Attribute, Scope};

use super::super::answer::{TagsAnswer, ValuesAnswer};
use super::text::{escape, left, line};
use super::{Paint, Style};

/// Columns of the type of a value.
const TYPE: usize = 8;

/// Names, each as a query writes it: `resource.service.name`, `span."a b"`, `duration`.
pub fn tags(style: &Style, answer: &TagsAnswer) -> String {
    let mut out = String::new();
    let mut names = 0;
    for scope in &answer.scopes {
        names += scope.tags.len() as u64;
        scope.tags.iter().for_each(|tag| line(&mut out, &escape(&written(&scope.name, tag))));
    }
    if names == 0 {
        line(&mut out, &style.paint(Paint::Dim, "no attribute was found"));
    }
    out
}

/// A name with its scope, quoted where it must be.
fn written(scope: &str, name: &str) -> String {
    let scope = match scope {
        "resource" => Scope::Resource,
        "span" => Scope::Span,
        "event" => Scope::Event,
        "link" => Scope::Link,
        "instrumentation" => Scope::Instrumentation,
        _ => return name.to_owned(),
    };
    Attribute { parent: false, scope: Some(scope), name: name.to_owned() }.to_string()
}

/// Values, with their types when there are several.
pub fn values(style: &Style, answer: &ValuesAnswer) -> String {
    let mut out = String::new();
    let Some(first) = answer.tag_values.first() else {
        line(&mut out, &style.paint(Paint::Dim, "no value was found"));
        return out;
    };
    let typed = answer.tag_values.iter().any(|value| value.kind != first.kind);
    if typed {
        line(&mut out, &style.paint(Paint::Bold, &format!("{}  VALUE", left("TYPE", TYPE))));
    }
    for value in &answer.tag_values {
        let kind = if typed { format!("{}  ", left(&escape(&value.kind), TYPE)) } else { String::new() };
        line(&mut out, &format!("{}{}", style.paint(Paint::Dim, &kind), escape(&value.value)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style::PIPED;

    #[test]
    fn names_are_written_as_in_a_query() {
        let check = |json: &str, expected: &str| {
            assert_eq!(tags(&PLAIN, &serde_json::from_str(json).unwrap()), expected);
        };
        check(
            r#"{"scopes":[{"name":"resource","tags":["service.name"]},{"name":"span","tags":["a b","http.method"]},
                {"name":"event","tags":["exception.type"]},{"name":"intrinsic","tags":["duration","span:id"]}]}"#,
            "resource.service.name\nspan.\"a b\"\nspan.http.method\nevent.exception.type\nduration\nspan:id\n",
        );
        check(r#"{"scopes":[{"name":"span","tags":["a\u001b[2J"]}]}"#, "span.a\\u{1b}[2J\n");
        check("{}", "no attribute was found\n");
    }

    #[test]
    fn values_have_types() {
        let check = |json: &str, expected: &str| {
            assert_eq!(values(&PLAIN, &serde_json::from_str(json).unwrap()), expected);
        };
        check(
            r#"{"tagValues":[{"type":"string","value":"shop"},{"type":"int","value":"500"},{"type":"string"},
                {"type":"string","value":"a\n\u0007漢"}],"metrics":{}}"#,
            "TYPE      VALUE\nstring    shop\nint       500\nstring\nstring    a\\n\\u{7}漢\n",
        );
        check(
            r#"{"tagValues":[{"type":"string","value":"cart"},{"type":"string","value":"shop"}]}"#,
            "cart\nshop\n",
        );
        check(r#"{"metrics":{}}"#, "no value was found\n");
    }
}
