//! Whose spans they are, as the header `X-Scope-OrgID` (or the gRPC metadata of that name) says.

use http::HeaderMap;
use spanloom_span::Tenant;

use crate::Refusal;

/// The header.
pub const TENANT_HEADER: &str = "x-scope-orgid";

/// The tenant of a request; the default one when none is named, unless one must be.
pub fn of(headers: &HeaderMap, required: bool) -> Result<Tenant, Refusal> {
    let mut values = headers.get_all(TENANT_HEADER).iter();
    let Some(value) = values.next() else {
        return match required {
            true => Err(Refusal::Unauthenticated("no org id, expected the header X-Scope-OrgID".into())),
            false => Ok(Tenant::default()),
        };
    };
    if values.next().is_some() {
        return Err(Refusal::Invalid("the header X-Scope-OrgID is there twice, expected it once".into()));
    }
    let name = value.to_str().map_err(|_| {
        Refusal::Invalid(
            "the header X-Scope-OrgID is not ASCII, expected letters, digits and !-_.*'()".into(),
        )
    })?;
    Tenant::new(name.trim()).map_err(|e| Refusal::Invalid(format!("the header X-Scope-OrgID is wrong: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_names_the_tenant() {
        let check = |values: &[&str], required: bool, expected: Result<&str, &str>| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(TENANT_HEADER, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            match (of(&headers, required), expected) {
                (Ok(tenant), Ok(name)) => assert_eq!(tenant.as_str(), name),
                (Err(e), Err(part)) => assert!(e.to_string().contains(part), "{e}"),
                (got, _) => panic!("{values:?}: {got:?}"),
            }
        };
        check(&[], false, Ok("single-tenant"));
        check(&[], true, Err("no org id"));
        check(&["team-a"], true, Ok("team-a"));
        check(&[" team-a "], false, Ok("team-a"));
        check(&[""], false, Err("0 bytes"));
        check(&["a|b"], false, Err("'|'"));
        check(&["ä"], false, Err("not ASCII"));
        check(&["a", "b"], false, Err("twice"));
    }
}
