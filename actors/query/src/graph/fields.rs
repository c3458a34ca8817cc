//! What is read of spans, and who is called that sends none.

use spanloom_traceql::ast::{Field, Intrinsic};
use spanloom_traceql::eval::{ReadError, WholeTrace};
use spanloom_traceql::plan::{FieldId, Plan};
use spanloom_traceql::value::Value;

use super::NodeKind;

/// Names of a called service, whatever it is.
const PEERS: [&str; 3] =
    ["span.peer.service", "span.service.peer.name", "span.zipkin.remoteEndpoint.serviceName"];

/// What makes a called side a database, and its name.
const DATABASES: [&str; 2] = ["span.db.system", "span.db.system.name"];
const DATABASE_NAMES: [&str; 3] = ["span.db.namespace", "span.db.name", "span.db.instance"];

/// What makes it a broker, and the name of the topic.
const BROKERS: [&str; 1] = ["span.messaging.system"];
const TOPICS: [&str; 2] = ["span.messaging.destination.name", "span.messaging.destination"];

/// Where it is, when nothing else is known.
const ADDRESSES: [&str; 2] = ["span.server.address", "span.net.peer.name"];

const SERVICE: &str = "resource.service.name";

/// A query for every trace that has the fields read.
pub(super) fn query() -> String {
    let lists = [&PEERS[..], &DATABASES, &DATABASE_NAMES, &BROKERS, &TOPICS, &ADDRESSES];
    let others = lists.concat().join(", ");
    format!("{{ }} | select({SERVICE}, status, {others})")
}

/// The fields by number.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    service: Vec<FieldId>,
    status: Option<FieldId>,
    peers: Vec<FieldId>,
    databases: Vec<FieldId>,
    database_names: Vec<FieldId>,
    brokers: Vec<FieldId>,
    topics: Vec<FieldId>,
    addresses: Vec<FieldId>,
}

impl Fields {
    /// Those of the plan of [`query`].
    pub fn of(plan: &Plan) -> Self {
        let numbers = (0u16..).map(FieldId).zip(&plan.fields);
        let known: Vec<(FieldId, String)> = numbers.map(|(id, field)| (id, field.to_string())).collect();
        let ids = |names: &[&str]| {
            let id = |name: &&str| known.iter().find(|(_, field)| field == name).map(|(id, _)| *id);
            names.iter().filter_map(id).collect::<Vec<FieldId>>()
        };
        let is_status = |field: &Field| *field == Field::Intrinsic(Intrinsic::Status);
        Self {
            service: ids(&[SERVICE]),
            status: plan.fields.iter().position(is_status).map(|at| FieldId(at as u16)),
            peers: ids(&PEERS),
            databases: ids(&DATABASES),
            database_names: ids(&DATABASE_NAMES),
            brokers: ids(&BROKERS),
            topics: ids(&TOPICS),
            addresses: ids(&ADDRESSES),
        }
    }

    /// The service of a span; empty when there is none.
    pub fn service(&self, whole: &mut WholeTrace<'_, '_>, span: u32) -> Result<String, ReadError> {
        Ok(first(whole, span, &self.service)?.unwrap_or_default())
    }

    /// Whether it failed.
    pub fn is_error(&self, whole: &mut WholeTrace<'_, '_>, span: u32) -> Result<bool, ReadError> {
        let mut is_error = false;
        if let Some(status) = self.status {
            whole.see(span, status, &mut |value| is_error = matches!(value, Value::Status(2)))?;
        }
        Ok(is_error)
    }

    /// The other side of a span, as the span names it. Of its names the first is taken that is there: `peer.service`, then
    /// the database or topic, then their system, then an address. Of a server's span only the first is, since an address
    /// of its client is nobody's name.
    pub fn remote(
        &self,
        whole: &mut WholeTrace<'_, '_>,
        span: u32,
        is_server: bool,
    ) -> Result<Option<(NodeKind, String)>, ReadError> {
        let database = first(whole, span, &self.databases)?;
        let broker = first(whole, span, &self.brokers)?;
        let kind = match (&database, &broker) {
            (Some(_), _) => NodeKind::Database,
            (None, Some(_)) => NodeKind::Messaging,
            (None, None) => NodeKind::External,
        };
        if let Some(peer) = first(whole, span, &self.peers)? {
            return Ok(Some((kind, peer)));
        }
        let named = match kind {
            _ if is_server => None,
            // Redis numbers its databases.
            NodeKind::Database => {
                let named = first(whole, span, &self.database_names)?;
                named.filter(|name| !name.bytes().all(|byte| byte.is_ascii_digit())).or(database)
            }
            NodeKind::Messaging => first(whole, span, &self.topics)?.or(broker),
            _ => first(whole, span, &self.addresses)?,
        };
        Ok(named.map(|name| (kind, name)))
    }
}

/// The first of these fields that has a text which says something.
fn first(whole: &mut WholeTrace<'_, '_>, span: u32, fields: &[FieldId]) -> Result<Option<String>, ReadError> {
    for field in fields {
        let mut found = None;
        whole.see(span, *field, &mut |value| {
            if let Value::Text(text) = value
                && !text.is_empty()
            {
                found = Some(String::from_utf8_lossy(text).into_owned());
            }
        })?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_in_the_plan() {
        let plan = crate::querier::plan(&query()).unwrap();
        let fields = Fields::of(&plan);
        assert_eq!(
            (fields.service.len(), fields.status.is_some(), fields.peers.len()),
            (1, true, PEERS.len())
        );
        assert_eq!((fields.databases.len(), fields.database_names.len()), (2, 3));
        assert_eq!((fields.brokers.len(), fields.topics.len(), fields.addresses.len()), (1, 2, 2));
    }
}
