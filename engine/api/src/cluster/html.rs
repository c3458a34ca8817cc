//! The pages for a browser: one table each, nothing to load, no script.

use std::fmt::Write;

use spanloom_wire::rfc3339;

use super::page::{ClusterMember, ClusterPage};

const STYLE: &str = "body{font:14px system-ui,sans-serif;margin:2em;color:#222}table{border-collapse:collapse}\
    th,td{text-align:left;padding:.3em .8em;border-bottom:1px solid #ddd;vertical-align:top}\
    td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.down td,.left td{color:#888}\
    .note{color:#a00;font-weight:600}button{font:inherit}.tokens{max-width:60em;word-break:break-word;color:#555}";

fn begin(title: &str, page: &ClusterPage) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} - Spanloom</title>\
         <style>{STYLE}</style></head><body><h1>{title}</h1>"
    );
    if !page.enabled {
        out.push_str(
            "<p>This node is alone: cluster mode is off. It owns everything. <code>--join HOST:PORT</code> or \
             <code>cluster.enabled: true</code> make it one of several.</p>",
        );
    }
    for note in &page.notes {
        // Writing to a string cannot fail.
        let _ = write!(out, "<p class=\"note\">{}</p>", escape(note));
    }
    out
}

const END: &str = "</body></html>\n";

/// `/ring`.
pub(super) fn ring(page: &ClusterPage, prefix: &str) -> String {
    let mut out = begin("Ring", page);
    if !page.enabled {
        return out + END;
    }
    let _ = write!(
        out,
        "<p>{} nodes, {} replicas{}, {} ranges. Fingerprint <code>{}</code>, unchanged since {}. Asked: {}.</p>\
         <table><tr><th>Node</th><th>State</th><th>Status</th><th>Zone</th><th>Roles</th><th>Address</th>\
         <th>Started</th><th>Status since</th><th class=\"n\">Tokens</th><th class=\"n\">Owns</th>\
         <th class=\"n\">First owner</th><th class=\"n\">Live bytes</th><th class=\"n\">Spans/s</th><th></th></tr>",
        page.members.len(),
        page.replication,
        if page.zone_aware { " in different zones" } else { "" },
        page.ranges,
        escape(&page.fingerprint),
        time(page.ring_since_ms),
        escape(&page.me),
    );
    page.members.iter().for_each(|member| ring_row(&mut out, member, prefix));
    out.push_str("</table>");
    let shown = page.members.iter().any(|member| member.tokens.is_some());
    let _ = match shown {
        true => write!(out, "<p><a href=\"{prefix}/ring\">Hide tokens</a></p>"),
        false => write!(out, "<p><a href=\"{prefix}/ring?tokens=true\">Show tokens</a></p>"),
    };
    for member in &page.members {
        if let Some(tokens) = &member.tokens {
            let text: Vec<String> = tokens.iter().map(u32::to_string).collect();
            let name = escape(&member.name);
            let _ = write!(out, "<h2>{name}</h2><p class=\"tokens\">{}</p>", text.join(" "));
        }
    }
    out + END
}

fn ring_row(out: &mut String, member: &ClusterMember, prefix: &str) {
    let known = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let name = escape(&member.name);
    let state = if member.removed { format!("{} (removed)", member.state) } else { member.state.clone() };
    let _ = write!(
        out,
        "<tr class=\"{status}\"><td>{name}{me}</td><td>{state}</td><td>{status}</td><td>{zone}</td><td>{roles}</td>\
         <td>{peer}</td><td>{started}</td><td>{since}</td><td class=\"n\">{tokens}</td>\
         <td class=\"n\">{owned:.2} %</td><td class=\"n\">{first:.2} %</td><td class=\"n\">{live}</td>\
         <td class=\"n\">{spans}</td><td>",
        me = if member.me { " (asked)" } else { "" },
        state = escape(&state),
        status = escape(&member.status),
        zone = escape(&member.zone),
        roles = escape(&member.roles.join(", ")),
        peer = escape(&member.peer),
        started = time(member.generation),
        since = time(member.since_ms),
        tokens = member.token_count,
        owned = member.owned_percent,
        first = member.first_percent,
        live = known(member.live_bytes),
        spans = known(member.spans_per_second),
    );
    if member.status == "down" && member.state != "left" {
        let _ = write!(
            out,
            "<form method=\"post\" action=\"{prefix}/ring/forget?node={name}\"><button>Forget</button></form>"
        );
    }
    out.push_str("</td></tr>");
}

/// `/memberlist`.
pub(super) fn memberlist(page: &ClusterPage) -> String {
    let mut out = begin("Members", page);
    if !page.enabled {
        return out + END;
    }
    let up = page.members.iter().filter(|member| matches!(member.status.as_str(), "up" | "suspect")).count();
    let _ = write!(
        out,
        "<p>{up} of {} nodes are up. Asked: {}. Cluster: {}.</p><table><tr><th>Node</th><th>Status</th><th>State</th>\
         <th>Gossip</th><th>Peer</th><th>API</th><th class=\"n\">Generation</th><th class=\"n\">Renewals</th>\
         <th>Status since</th></tr>",
        page.members.len(),
        escape(&page.me),
        if page.label.is_empty() { "without a label".to_owned() } else { escape(&page.label) },
    );
    for member in &page.members {
        let _ = write!(
            out,
            "<tr class=\"{status}\"><td>{}</td><td>{status}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            escape(&member.name),
            escape(&member.state),
            escape(&member.gossip),
            escape(&member.peer),
            escape(&member.api),
            member.generation,
            member.renewal,
            time(member.since_ms),
            status = escape(&member.status),
        );
    }
    out.push_str("</table><h2>Gossip since the start</h2><table>");
    let gossip = &page.gossip;
    let rows = [
        ("datagrams sent", gossip.sent),
        ("bytes sent", gossip.sent_bytes),
        ("datagrams that the kernel did not take", gossip.unsent),
        ("datagrams received", gossip.received),
        ("bytes received", gossip.received_bytes),
        ("states exchanged", gossip.exchanged),
        ("exchanges failed", gossip.exchanges_failed),
        ("states merged", gossip.merged),
        ("times that this process stood still", gossip.stalls),
    ];
    for (name, value) in rows {
        let _ = write!(out, "<tr><td>{name}</td><td class=\"n\">{value}</td></tr>");
    }
    for (reason, count) in &gossip.dropped {
        let _ = write!(out, "<tr><td>dropped: {}</td><td class=\"n\">{count}</td></tr>", escape(reason));
    }
    out.push_str("</table>");
    if !gossip.last_dropped.is_empty() {
        let _ = write!(out, "<p>Last dropped: {}</p>", escape(&gossip.last_dropped));
    }
    out + END
}

/// A moment, as people read it; `-` when it is not known.
fn time(unix_ms: u64) -> String {
    match unix_ms {
        0 => "-".to_owned(),
        ms => {
            let seconds = i64::try_from(ms / 1000).ok();
            seconds.and_then(|seconds| rfc3339::format(seconds, 0)).unwrap_or_else(|| ms.to_string())
        }
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_others_is_escaped() {
        let member = ClusterMember {
            name: "<b>".into(),
            zone: "a&\"'".into(),
            status: "down".into(),
            state: "active".into(),
            ..ClusterMember::default()
        };
        let page = ClusterPage { enabled: true, members: vec![member], ..ClusterPage::default() };
        for text in [ring(&page, ""), memberlist(&page)] {
            assert!(!text.contains("<b>") && text.contains("&lt;b&gt;"), "{text}");
        }
        assert!(ring(&page, "/x").contains("a&amp;&quot;&#39;"));
        assert!(ring(&page, "/x").contains("action=\"/x/ring/forget?node=&lt;b&gt;\""));
    }
}
