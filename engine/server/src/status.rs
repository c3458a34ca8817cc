//! What the status page and the metrics show.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use spanloom_api::{BuildInfo, ConfigMode, Section, StatusPage};
use spanloom_ring::Roles;

use crate::cluster::ClusterHandle;
use crate::config::Config;
use crate::engine::Engine;

/// What this program was built from.
pub(crate) fn build_info() -> BuildInfo {
    BuildInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        revision: option_env!("SPANLOOM_REVISION").unwrap_or("unknown").into(),
        branch: option_env!("SPANLOOM_BRANCH").unwrap_or("unknown").into(),
        build_user: option_env!("SPANLOOM_BUILD_USER").unwrap_or("unknown").into(),
        build_date: option_env!("SPANLOOM_BUILD_DATE").unwrap_or("unknown").into(),
        go_version: "none, this is Rust".into(),
    }
}

fn section<const N: usize>(title: &str, rows: [(&str, String); N]) -> Section {
    let rows = rows.map(|(name, value)| (name.to_owned(), value)).into();
    Section { title: title.to_owned(), rows }
}

/// The status page.
pub(crate) fn page(engine: &Engine) -> StatusPage {
    let inner = engine.inner();
    let live = engine.ingest().status();
    let (blocks, block_bytes) = inner.bucket.totals();
    let metrics = &inner.metrics;
    let config = engine.config();
    let state = |ok: bool| if ok { "running" } else { "failed" }.to_owned();
    let part = |role, state: String| match config.cluster.has_role(role) {
        true => state,
        false => "not a role of this node (cluster.roles)".to_owned(),
    };
    let log = match &live.refusing {
        Some(refusing) if live.log_ok => format!("refusing: {}", refusing.reason),
        _ => state(live.log_ok),
    };
    let services = section(
        "services",
        [
            ("receivers", part(Roles::DISTRIBUTOR, state(!engine.is_stopping()))),
            ("log", log),
            ("shards", format!("{} running", config.ingest_options().shards)),
            ("head and sealer", state(live.threads_ok)),
            ("querier", part(Roles::QUERIER, state(true))),
        ],
    );
    let now = section(
        "live",
        [
            ("traces", live.traces.to_string()),
            ("bytes of their spans", live.bytes.to_string()),
            ("bytes of requests held", live.held_bytes.to_string()),
            ("tenants", live.tenants.to_string()),
        ],
    );
    let kept = section(
        "kept",
        [
            ("blocks", blocks.to_string()),
            ("bytes of blocks", block_bytes.to_string()),
            ("log files", live.log_segments.to_string()),
            ("bytes of log", live.log_bytes.to_string()),
            ("spans in the log and in no block", live.unsealed_spans.to_string()),
        ],
    );
    let free = inner.bucket.free_disk();
    let disk = section(
        "disk",
        [
            ("bytes free", free.map_or_else(|| "unknown".into(), |free| free.to_string())),
            ("bytes that stay free (log.min_free_disk)", config.log.min_free_disk.0.to_string()),
        ],
    );
    let counted = section(
        "since the start",
        [
            ("up for", format!("{:?}", engine.up())),
            ("spans accepted", metrics.spans_accepted.get().to_string()),
            ("spans sealed", metrics.spans_sealed.get().to_string()),
            ("spans replayed", metrics.spans_replayed.get().to_string()),
            ("trace actors failed", metrics.traces_failed.get().to_string()),
            ("files set aside", metrics.files_set_aside.get().to_string()),
        ],
    );
    let mut sections = vec![services, now, kept, disk];
    sections.extend(inner.store.section());
    sections.extend(engine.cluster_handle().map(ClusterHandle::section));
    sections.push(counted);
    StatusPage { sections }
}

/// The configuration as YAML.
pub(crate) fn config_text(config: &Config, mode: ConfigMode) -> String {
    let all =
        |config: &Config| serde_saphyr::to_string(config).unwrap_or_else(|error| format!("# {error}\n"));
    match mode {
        ConfigMode::Current => all(config),
        ConfigMode::Defaults => all(&Config::default()),
        ConfigMode::Diff => difference(&all(&Config::default()), &all(config)),
    }
}

/// Lines of the configuration that differ from the defaults, with the sections they are in.
fn difference(defaults: &str, current: &str) -> String {
    let mut out = String::new();
    let known = with_sections(defaults);
    let mut told: Vec<&str> = Vec::new();
    for (sections, line) in with_sections(current) {
        if known.contains(&(sections.clone(), line)) {
            continue;
        }
        let same = sections.iter().zip(&told).take_while(|(left, right)| left == right).count();
        for text in sections[same..].iter().chain([&line]) {
            out.push_str(text);
            out.push('\n');
        }
        told = sections;
    }
    out
}

/// The lines of a configuration that are no section's, each with the sections it is in.
fn with_sections(text: &str) -> Vec<(Vec<&str>, &str)> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let (mut sections, mut out) = (Vec::new(), Vec::new());
    for line in text.lines() {
        sections.retain(|section: &&str| indent(section) < indent(line));
        match line.ends_with(':') {
            true => sections.push(line),
            false => out.push((sections.clone(), line)),
        }
    }
    out
}

/// All metrics as OpenMetrics text.
pub(crate) fn metrics_text(engine: &Engine) -> String {
    let mut text = String::new();
    if encode(&mut text, &engine.inner().registry).is_err() {
        return "# EOF\n".to_owned();
    }
    let mut gauges = String::new();
    // A registry of the moment: these are read from where they are kept, not kept twice.
    if encode(&mut gauges, &moment(engine)).is_ok() {
        text.truncate(text.trim_end().strip_suffix("# EOF").map_or(text.len(), str::len));
        text.push_str(&gauges);
    }
    text
}

fn moment(engine: &Engine) -> Registry {
    let live = engine.ingest().status();
    let (blocks, block_bytes) = engine.inner().bucket.totals();
    let mut registry = Registry::with_prefix("spanloom");
    let mut gauge = |name: &str, help: &str, value: u64| {
        registry.register(name, help, ConstGauge::new(value as i64));
    };
    gauge("live_traces", "live traces", live.traces);
    gauge("live_bytes", "bytes of spans in live traces", live.bytes);
    gauge("held_bytes", "bytes of requests held in memory", live.held_bytes);
    gauge("tenants", "tenants seen since the start", live.tenants);
    gauge("log_segments", "files of the log", live.log_segments);
    gauge("log_size_bytes", "bytes of the log on disk", live.log_bytes);
    gauge("log_unsealed_spans", "spans in the log that are in no block", live.unsealed_spans);
    gauge("log_failed", "1 when the log takes nothing until a restart", u64::from(!live.log_ok));
    gauge("log_refusing", "1 while the log takes no requests", u64::from(live.refusing.is_some()));
    if let Some(free) = engine.inner().bucket.free_disk() {
        gauge("disk_free_bytes", "bytes that are free on the data directory's disk", free);
    }
    let min_free = engine.config().log.min_free_disk.0;
    gauge("disk_min_free_bytes", "log.min_free_disk of the configuration", min_free);
    gauge("blocks", "blocks on disk", blocks);
    gauge("block_size_bytes", "bytes of blocks on disk", block_bytes);
    gauge("memory_budget_bytes", "memory.budget of the configuration", engine.config().memory.budget.0);
    engine.inner().store.metrics(&mut registry);
    if let Some(part) = engine.part() {
        part.metrics(&mut registry);
        crate::among::split_metrics(&engine.inner().querier.split_counts(), &mut registry);
    }
    registry
}
