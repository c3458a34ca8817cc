//! Names of attributes and their values: `SearchTagsResponse`, `SearchTagsV2Response`,
//! `SearchTagValuesResponse`, `SearchTagValuesV2Response`, each `{1 the list, 2 metrics}`.

use spanloom_span::proto::{put_bytes, put_message, put_text};

use super::Inspected;
use crate::json_out::{self, Object};

/// The names of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeNames<'a> {
    /// Such as `resource`.
    pub scope: &'a str,
    /// Names without the scope.
    pub names: &'a [String],
}

/// A value and its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedValue<'a> {
    /// `string`, `int`, `float`, `bool`, `duration` or `keyword`.
    pub kind: &'a str,
    /// As text.
    pub value: &'a str,
}

/// `SearchTagsResponse` as JSON: names of all scopes together.
pub fn names_json(names: &[String], inspected: &Inspected) -> Vec<u8> {
    texts_json("tagNames", names, inspected)
}

/// `SearchTagsResponse {1 tagNames, 2 metrics}`.
pub fn names_proto(names: &[String], inspected: &Inspected) -> Vec<u8> {
    texts_proto(names, inspected)
}

/// `SearchTagValuesResponse` as JSON: values without their types.
pub fn values_json(values: &[String], inspected: &Inspected) -> Vec<u8> {
    texts_json("tagValues", values, inspected)
}

/// `SearchTagValuesResponse {1 tagValues, 2 metrics}`.
pub fn values_proto(values: &[String], inspected: &Inspected) -> Vec<u8> {
    texts_proto(values, inspected)
}

/// `SearchTagsV2Response` as JSON: names by scope.
pub fn scopes_json(scopes: &[ScopeNames<'_>], inspected: &Inspected) -> Vec<u8> {
    answer(inspected, |top| {
        top.list("scopes", scopes, |o, scope| {
            o.text("name", scope.scope);
            texts(o, "tags", scope.names);
        });
    })
}

/// `SearchTagsV2Response {1 scopes, 2 metrics}`, `SearchTagsV2Scope {1 name, 2 tags}`.
pub fn scopes_proto(scopes: &[ScopeNames<'_>], inspected: &Inspected) -> Vec<u8> {
    let mut out = Vec::new();
    for scope in scopes {
        put_message(&mut out, 1, |out| {
            put_text(out, 1, scope.scope.as_bytes());
            put_texts(out, 2, scope.names);
        });
    }
    inspected.put_metadata_metrics(&mut out, 2);
    out
}

/// `SearchTagValuesV2Response` as JSON: values with their types.
pub fn typed_json(values: &[TypedValue<'_>], inspected: &Inspected) -> Vec<u8> {
    answer(inspected, |top| {
        top.list("tagValues", values, |o, value| {
            o.text("type", value.kind);
            o.text("value", value.value);
        });
    })
}

/// `SearchTagValuesV2Response {1 tagValues, 2 metrics}`, `TagValue {1 type, 2 value}`.
pub fn typed_proto(values: &[TypedValue<'_>], inspected: &Inspected) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values {
        put_message(&mut out, 1, |out| {
            put_text(out, 1, value.kind.as_bytes());
            put_text(out, 2, value.value.as_bytes());
        });
    }
    inspected.put_metadata_metrics(&mut out, 2);
    out
}

/// Values for language models: a list for each type. Values of one type must stand together.
pub fn typed_llm(values: &[TypedValue<'_>], inspected: &Inspected) -> Vec<u8> {
    answer(inspected, |top| {
        top.object("tagValues", |o| {
            for same in values.chunk_by(|a, b| a.kind == b.kind) {
                json_out::list(o.key(same[0].kind), same, |out, value| json_out::string(out, value.value));
            }
        });
    })
}

/// An answer as JSON: what `list` writes, then what it took.
fn answer(inspected: &Inspected, list: impl FnOnce(&mut Object<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    let mut top = Object::begin(&mut out);
    list(&mut top);
    inspected.metadata_metrics(&mut top);
    top.end();
    out
}

fn texts_json(name: &str, list: &[String], inspected: &Inspected) -> Vec<u8> {
    answer(inspected, |top| texts(top, name, list))
}

fn texts_proto(list: &[String], inspected: &Inspected) -> Vec<u8> {
    let mut out = Vec::new();
    put_texts(&mut out, 1, list);
    inspected.put_metadata_metrics(&mut out, 2);
    out
}

fn texts(o: &mut Object<'_>, name: &str, list: &[String]) {
    if !list.is_empty() {
        json_out::list(o.key(name), list, |out, text| json_out::string(out, text));
    }
}

/// Elements of a list are written even when they are empty.
fn put_texts(out: &mut Vec<u8>, field: u32, list: &[String]) {
    for text in list {
        put_bytes(out, field, text.as_bytes());
    }
}
