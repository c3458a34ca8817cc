//! On whose behalf a question is asked: `X-Scope-OrgID`, several tenants with `|` between.

use axum::http::HeaderMap;
use spanloom_receive::tenant::TENANT_HEADER;
use spanloom_span::Tenant;

use crate::QueryError;

/// The tenants of a question, each once, in the order given; the default one when none is named.
pub(crate) fn of(headers: &HeaderMap, required: bool) -> Result<Vec<Tenant>, QueryError> {
    let mut values = headers.get_all(TENANT_HEADER).iter();
    let Some(value) = values.next() else {
        return match required {
            true => Err(QueryError::Unauthenticated("no org id, expected the header X-Scope-OrgID".into())),
            false => Ok(vec![Tenant::default()]),
        };
    };
    let wrong = |why: String| QueryError::Invalid(format!("the header X-Scope-OrgID is wrong: {why}"));
    if values.next().is_some() {
        return Err(wrong("it is there twice, expected it once".into()));
    }
    let names = value.to_str().map_err(|_| wrong("it is not ASCII".into()))?;
    let mut tenants: Vec<Tenant> = Vec::new();
    for name in names.split('|') {
        let tenant = Tenant::new(name.trim()).map_err(|e| wrong(e.to_string()))?;
        if !tenants.contains(&tenant) {
            tenants.push(tenant);
        }
    }
    Ok(tenants)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_tenants_may_be_asked_at_once() {
        let check = |value: Option<&'static str>, required: bool, expected: Result<&[&str], &str>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(TENANT_HEADER, value.parse().unwrap());
            }
            match (of(&headers, required), expected) {
                (Ok(got), Ok(names)) => assert!(got.iter().map(Tenant::as_str).eq(names.iter().copied())),
                (Err(e), Err(part)) => assert!(e.to_string().contains(part), "{e}"),
                (got, _) => panic!("{value:?}: {got:?}"),
            }
        };
        check(None, false, Ok(&["single-tenant"]));
        check(None, true, Err("no org id"));
        check(Some("a"), true, Ok(&["a"]));
        check(Some("a|b | a"), true, Ok(&["a", "b"]));
        check(Some("a||b"), true, Err("0 bytes"));
        check(Some("a/b"), false, Err("'/'"));
    }
}
