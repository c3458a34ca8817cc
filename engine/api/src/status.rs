//! `/status` and its parts: plain text for people.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::answer::text;
use crate::endpoints::{ENDPOINTS, Endpoint, GRPC, JAEGER, JAEGER_GRPC, ZIPKIN};
use crate::service::Inner;
use crate::{ConfigMode, Queries, QueryError, Section};

const SERVICES: &str = "services";

/// `/status`: everything but the configuration's defaults.
pub(crate) async fn all<Q: Queries>(State(inner): State<Arc<Inner<Q>>>) -> Response {
    let mut sections = vec![version_section(&inner)];
    sections.extend(inner.queries.status().sections);
    sections.push(endpoints_section(&inner));
    let mut page = print(&sections);
    page.push_str("config\n");
    for line in inner.queries.config_text(ConfigMode::Current).lines() {
        page.push_str("  ");
        page.push_str(line);
        page.push('\n');
    }
    text(StatusCode::OK, page)
}

/// `/status/version`.
pub(crate) async fn version<Q: Queries>(State(inner): State<Arc<Inner<Q>>>) -> Response {
    text(StatusCode::OK, print(&[version_section(&inner)]))
}

/// `/status/services`.
pub(crate) async fn services<Q: Queries>(State(inner): State<Arc<Inner<Q>>>) -> Response {
    let page = inner.queries.status();
    let sections: Vec<_> = page.sections.into_iter().filter(|s| s.title == SERVICES).collect();
    text(StatusCode::OK, print(&sections))
}

/// `/status/runtime`: what the engine says of itself.
pub(crate) async fn runtime<Q: Queries>(State(inner): State<Arc<Inner<Q>>>) -> Response {
    text(StatusCode::OK, print(&inner.queries.status().sections))
}

/// `/status/endpoints`.
pub(crate) async fn endpoints<Q: Queries>(State(inner): State<Arc<Inner<Q>>>) -> Response {
    text(StatusCode::OK, print(&[endpoints_section(&inner)]))
}

/// `/status/config`.
pub(crate) async fn config<Q: Queries>(
    State(inner): State<Arc<Inner<Q>>>,
    Query(params): Query<Vec<(String, String)>>,
) -> Result<Response, QueryError> {
    let mode = params.iter().find(|(name, _)| name == "mode").map_or("", |(_, value)| value);
    let mode = match mode {
        "" => ConfigMode::Current,
        "diff" => ConfigMode::Diff,
        "defaults" => ConfigMode::Defaults,
        _ => return Err(QueryError::Invalid(format!("mode is {mode:?}, expected diff, defaults or none"))),
    };
    Ok(text(StatusCode::OK, inner.queries.config_text(mode)))
}

fn version_section<Q>(inner: &Inner<Q>) -> Section {
    let build = &inner.build;
    let rows = [
        ("version", &build.version),
        ("revision", &build.revision),
        ("branch", &build.branch),
        ("build user", &build.build_user),
        ("build date", &build.build_date),
        ("compiler", &build.go_version),
    ];
    let rows = rows.iter().filter(|(_, value)| !value.is_empty());
    Section { title: "version".into(), rows: rows.map(|(k, v)| ((*k).to_owned(), (*v).clone())).collect() }
}

fn endpoints_section<Q>(inner: &Inner<Q>) -> Section {
    let prefix = inner.config.path_prefix.as_str();
    let row = |prefix: &str, e: &Endpoint| (format!("{} {prefix}{}", e.methods, e.path), e.about.to_owned());
    let http = ENDPOINTS.iter().map(|e| row(prefix, e));
    let others = [&GRPC[..], &JAEGER, &JAEGER_GRPC, &ZIPKIN].into_iter().flatten();
    Section { title: "endpoints".into(), rows: http.chain(others.map(|e| row("", e))).collect() }
}

/// Sections as text: names in one column, values in the next.
fn print(sections: &[Section]) -> String {
    let mut out = String::new();
    for section in sections {
        let width = section.rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        out.push_str(&section.title);
        out.push('\n');
        for (name, value) in &section.rows {
            // Writing to a String does not fail.
            let _ = writeln!(out, "  {name:width$}  {value}");
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_columns() {
        let rows = vec![("a".into(), "1".into()), ("long".into(), "2".into())];
        let page = print(&[Section { title: "t".into(), rows }]);
        assert_eq!(page, "t\n  a     1\n  long  2\n\n");
    }
}
