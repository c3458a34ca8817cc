//! This node among others, put together: the port for their questions, connections to them, gossip, and what is brought
//! to whom when nodes come and go.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;
use spanloom_bucket::{Bucket, Standby};
use spanloom_ingest::{Allowed, Repair, RepairOptions};
use spanloom_peer::{ClientTls, DialOptions, Dialer, Members, Peer, ServeCounters, ServeOptions, ServerTls};
use spanloom_query::SplitCounts;
use spanloom_ring::{MemberState, NodeName, Ring};
use spanloom_span::Tenant;
use spanloom_swim::Load;
use spanloom_upkeep::Share;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::builder::StartError;
use crate::cluster::{ClusterHandle, ClusterOptions, ClusterParts, Connect};
use crate::config::Config;
use crate::engine::Engine;
use crate::node::{Moving, ThisNode};

/// What a node needs before anything runs: the cluster, in which it sees nobody yet, and an open port.
pub(crate) struct Among {
    pub members: Members,
    options: ClusterOptions,
    listener: TcpListener,
    dial: DialOptions,
    serve: ServeOptions,
    repair: RepairOptions,
}

/// What answers the others' questions, until it is stopped.
pub(crate) struct Answering {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// This node's part in a cluster, while it runs.
pub(crate) struct Part {
    pub cluster: ClusterHandle,
    counters: Arc<ServeCounters>,
    repairing: Mutex<Option<JoinHandle<()>>>,
    answering: Mutex<Option<Answering>>,
}

/// Connections by the transport of questions between nodes.
struct Dialled(Dialer);

impl Connect for Dialled {
    fn connect(&self, _name: &NodeName, address: &str) -> Arc<dyn Peer> {
        self.0.peer(address)
    }
}

impl Among {
    /// Opens the port for other nodes' questions; `None` when this node is to be alone.
    pub fn bind(config: &Config) -> Result<Option<Self>, StartError> {
        let Some(options) = config.cluster_options()? else { return Ok(None) };
        let address = config.peer_address()?;
        let listener = spanloom_receive::bind(address).map_err(|source| StartError::Listen {
            key: "cluster.peer_port",
            address,
            source,
        })?;
        let tls: Option<(ClientTls, ServerTls)> = config.cluster_tls()?;
        let (client, server) = tls.unzip();
        let (dial, serve) = config.transport_options();
        let dial = DialOptions { tls: client, ..dial };
        let serve = ServeOptions { tls: server, ..serve };
        let nobody = Ring::new(Vec::new(), options.ring).map_err(crate::cluster::ClusterError::from)?;
        let members = Members::new(spanloom_peer::Cluster::of_nobody(nobody));
        Ok(Some(Self { members, options, listener, dial, serve, repair: config.repair_options() }))
    }

    /// Whether it is this node that brings a trace to the store.
    pub fn standby(&self, config: &Config) -> Standby {
        let members = self.members.clone();
        let is_ours = Box::new(move |tenant: &_, id: &_| members.now().ships(tenant, id));
        Standby { is_ours, takeover_after: config.cluster.takeover_after.0 }
    }

    /// What of the work on the store is this node's.
    pub fn share(&self) -> Share {
        let members = self.members.clone();
        Share::new(Box::new(move |key| members.now().owns_job(key)))
    }

    /// Answers the others, and takes part.
    pub async fn start(self, engine: &Engine) -> Result<Part, StartError> {
        let inner = engine.inner();
        let node = Arc::new(ThisNode::new(inner.ingest.clone(), inner.querier.serving()));
        let counters = self.serve.counters.clone();
        let (stop, stopped) = oneshot::channel();
        let local: Arc<dyn Peer> = node.clone();
        let serve = spanloom_peer::serve(self.listener, local.clone(), self.serve, async {
            // Dropped, it is the end as well.
            let _ = stopped.await;
        });
        let answering = Answering { stop, task: tokio::spawn(serve) };
        let allowed = allowed(engine);
        let repair = Repair::new(inner.replicator.clone(), node.clone(), allowed, self.repair);
        let moving = Moving {
            replicator: inner.replicator.clone(),
            here: node.clone(),
            repair: repair.clone(),
            upkeep: inner.store.upkeep().clone(),
            has_store: inner.bucket.remote().is_some(),
            members: self.members.clone(),
        };
        let parts = ClusterParts {
            options: self.options,
            members: self.members,
            connect: Arc::new(Dialled(Dialer::new(self.dial))),
            local,
            hand_over: Arc::new(moving),
            load: load_of(engine),
        };
        let cluster = ClusterHandle::start(parts).await?;
        node.takes_part(cluster.clone());
        let repairing = Mutex::new(Some(tokio::spawn(repair.run())));
        Ok(Part { cluster, counters, repairing, answering: Mutex::new(Some(answering)) })
    }
}

impl Part {
    /// Whether this node has its place in the cluster; if not, why.
    pub fn ready(&self) -> Result<(), String> {
        let now = self.cluster.members().now();
        match now.me.map(|me| now.ring.member(me).state()) {
            Some(MemberState::Active) => Ok(()),
            Some(state) => Err(format!("the node is {} in the cluster (/ring)", state.as_str())),
            None => Err("the node looks for the others of its cluster (/memberlist)".into()),
        }
    }

    /// What is counted, as metrics of the moment.
    pub fn metrics(&self, registry: &mut Registry) {
        self.cluster.metrics(registry);
        let served = self.counters.served();
        let mut counter = |name: &str, help: &str, value: u64| {
            registry.register(name, help, ConstCounter::new(value));
        };
        counter("peer_connections", "connections of other nodes", served.connections);
        counter("peer_questions", "questions of other nodes", served.questions);
        counter(
            "peer_questions_late",
            "questions of other nodes whose deadline came before the answer",
            served.late,
        );
        counter("peer_questions_cancelled", "questions that other nodes gave up", served.cancelled);
        let refused = [
            ("connections", served.refused_connections),
            ("handshake", served.failed_handshakes),
            ("calls", served.refused_calls),
            ("bytes", served.refused_bytes),
            ("garbled", served.garbled),
        ];
        for (reason, value) in refused {
            let of = registry.sub_registry_with_label(("reason".into(), reason.into()));
            let help = "connections and questions of other nodes that were refused, by reason";
            of.register("peer_refused", help, ConstCounter::new(value));
        }
    }

    /// Fetches nothing any more.
    pub fn repair_no_more(&self) {
        if let Some(repairing) = self.repairing.lock().take() {
            // What was fetched is whole requests; the rest is fetched by the next run.
            repairing.abort();
        }
    }

    /// Ends what answers the others, once what was begun is answered.
    pub async fn answer_no_more(&self) {
        let answering = self.answering.lock().take();
        if let Some(Answering { stop, task }) = answering {
            let _ = stop.send(());
            let _ = task.await;
        }
    }
}

/// What is counted of questions that several nodes work on, as metrics of the moment.
pub(crate) fn split_metrics(counts: &SplitCounts, registry: &mut Registry) {
    let mut counter = |name: &str, help: &str, value: u64| {
        registry.register(name, help, ConstCounter::new(value));
    };
    counter("query_split", "questions that other nodes were given parts of", counts.questions);
    counter(
        "query_split_hedged",
        "parts that others took long for and that were done here too",
        counts.hedged,
    );
    let guests = "blocks that this node worked on for other nodes' questions";
    counter("query_guest_blocks", guests, counts.blocks_for_others);
    let refused = "parts of other nodes' questions that were refused, since there were too many";
    counter("query_guest_refused", refused, counts.refused);
    let given_up = "parts of other nodes' questions that were given up before they were done";
    counter("query_guest_given_up", given_up, counts.given_up);
    for (place, value) in [("here", counts.blocks_here), ("elsewhere", counts.blocks_there)] {
        let of = registry.sub_registry_with_label(("place".into(), place.into()));
        let help = "blocks of questions that several nodes worked on, by where";
        of.register("query_split_blocks", help, ConstCounter::new(value));
    }
    let failed = [
        ("busy", counts.busy),
        ("missing", counts.missing),
        ("slow", counts.slow),
        ("garbled", counts.garbled),
        ("failed", counts.failed),
    ];
    for (reason, value) in failed {
        let of = registry.sub_registry_with_label(("reason".into(), reason.into()));
        let help = "nodes that got no more of a question, since they did not do their part, by reason";
        of.register("query_split_failed", help, ConstCounter::new(value));
    }
}

/// What may be fetched: nothing that was deleted here on purpose, nor what would be removed at once.
fn allowed(engine: &Engine) -> Allowed {
    let inner = engine.inner();
    let (gone, config, bucket) = (inner.redactor.gone(), inner.config.clone(), inner.bucket.clone());
    let quiet = gone.quiet();
    let keeps = move |tenant: &Tenant| {
        let held = || bucket.blocks(tenant).iter().map(|listed| listed.block.meta().file_bytes).sum();
        config.keeps(tenant, held)
    };
    Allowed {
        quiet,
        may: Box::new(move |tenant, id, span| !gone.has(tenant, id, span.span_id, span.kind)),
        keeps: Box::new(keeps),
    }
}

/// How busy this node is, each time since it was asked last.
fn load_of(engine: &Engine) -> Box<dyn FnMut() -> Load + Send> {
    let (ingest, metrics) = (engine.ingest().clone(), engine.inner().metrics.clone());
    let mut before = (Instant::now(), metrics.spans_accepted.get());
    Box::new(move || {
        let now = (Instant::now(), metrics.spans_accepted.get());
        let (seconds, spans) = ((now.0 - before.0).as_secs_f64(), now.1 - before.1);
        before = now;
        let spans_per_second = (spans as f64 / seconds.max(0.001)) as u64;
        Load { live_bytes: ingest.status().bytes, spans_per_second }
    })
}

/// Blocks whose traces others bring to the store stand by.
pub(crate) fn with_standby(bucket: Bucket, among: Option<&Among>, config: &Config) -> Bucket {
    match among {
        Some(among) if bucket.remote().is_some() => bucket.with_standby(among.standby(config)),
        _ => bucket,
    }
}
