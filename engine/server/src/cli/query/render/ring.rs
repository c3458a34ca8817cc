//! The ring as a table.

use spanloom_api::{ClusterMember, ClusterPage};

use super::table::{Side, Table};
use super::text::{escape, line};
use super::{Paint, Style};

/// The nodes, and what their ring is.
pub fn table(style: &Style, page: &ClusterPage) -> String {
    let mut out = String::new();
    if !page.enabled {
        line(&mut out, "this node is alone: cluster mode is off, it owns everything");
        return out;
    }
    for note in &page.notes {
        line(&mut out, &style.paint(Paint::Red, &escape(note)));
    }
    let mut table = Table::new(&[
        ("NODE", Side::Left),
        ("STATE", Side::Left),
        ("STATUS", Side::Left),
        ("ZONE", Side::Left),
        ("PEER", Side::Left),
        ("TOKENS", Side::Right),
        ("OWNS", Side::Right),
        ("LIVE BYTES", Side::Right),
        ("SPANS/S", Side::Right),
        ("ROLES", Side::Left),
    ]);
    page.members.iter().for_each(|member| table.row(row(member)));
    table.print(style, &mut out);
    let zones = if page.zone_aware { " in different zones" } else { "" };
    let summary = format!(
        "{} nodes, {} replicas{zones}, ring {}; asked: {}",
        page.members.len(),
        page.replication,
        escape(&page.fingerprint),
        escape(&page.me)
    );
    line(&mut out, &style.paint(Paint::Dim, &summary));
    out
}

fn row(member: &ClusterMember) -> Vec<String> {
    let known = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    let shown = |text: &str| escape(text).into_owned();
    let removed = if member.removed { " (removed)" } else { "" };
    let all = ["distributor", "ingester", "querier", "compactor"];
    let roles = if member.roles == all { "all".to_owned() } else { member.roles.join(",") };
    vec![
        shown(&member.name),
        format!("{}{removed}", escape(&member.state)),
        shown(&member.status),
        shown(&member.zone),
        shown(&member.peer),
        member.token_count.to_string(),
        format!("{:.1}%", member.owned_percent),
        known(member.live_bytes),
        known(member.spans_per_second),
        shown(&roles),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_rows() {
        let member = |name: &str, status: &str, removed| ClusterMember {
            name: name.into(),
            state: "active".into(),
            status: status.into(),
            removed,
            peer: "10.0.0.7:7947".into(),
            token_count: 128,
            owned_percent: 66.66,
            roles: vec!["ingester".into(), "querier".into()],
            live_bytes: Some(1_000),
            ..ClusterMember::default()
        };
        let page = ClusterPage {
            enabled: true,
            me: "n-0".into(),
            fingerprint: "00ff".into(),
            replication: 3,
            members: vec![member("n-0", "up", false), member("n-\u{1b}1", "down", true)],
            ..ClusterPage::default()
        };
        let found = table(&Style::new(120, false), &page);
        let expected = "\
NODE       STATE             STATUS  ZONE  PEER           TOKENS   OWNS  LIVE BYTES  SPANS/S  ROLES
n-0        active            up            10.0.0.7:7947     128  66.7%        1000           ingester,querier
n-\\u{1b}1  active (removed)  down          10.0.0.7:7947     128  66.7%        1000           ingester,querier
2 nodes, 3 replicas, ring 00ff; asked: n-0
";
        assert_eq!(found, expected, "{found}");
        let alone = table(&Style::PIPED, &ClusterPage::default());
        assert_eq!(alone, "this node is alone: cluster mode is off, it owns everything\n");
    }
}
