//! Several nodes in one process, without a network: each question is put to one of them while others are silent, and
//! while spans are sealed, shipped and joined.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use spanloom_bucket::Bucket;
use spanloom_bucket::store::faulty::{Faults, Faulty};
use spanloom_bucket::store::memory::Memory;
use spanloom_peer::{
    Answer, BlockList, Cluster, FindTrace, ListBlocks, Members, Node, Peer, PeerError, Push, Pushed,
    ReadBlock, ScanBlocks, Scanned, TraceCopy,
};
use spanloom_query::{
    Cursor, GraphRequest, MetricsRequest, Querier, SearchRequest, ServiceGraph, Serving, SplitCounts,
    TagValues, TagValuesRequest, Tags, TagsRequest,
};
use spanloom_ring::{MemberState, NodeName, Ring, RingMember, RingOptions, Roles, Tokens, Zone, quorum};
use spanloom_span::{Tenant, TraceId, encode, join, model};
use spanloom_traceql::answer::{FoundTrace, Series};
use spanloom_wal::disk::{Disk, RealDisk, SimDisk};

use crate::ask::{House, MANNERS, Refused, Store, last_part, runtime};
use crate::dice::Dice;
use crate::filled::Filled;
use crate::generate_traces;
use crate::question::{Outcome, Question};
use crate::unrest;

/// What a cluster is like.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    nodes: usize,
    replication: usize,
    /// Nodes beside those that take no spans.
    queriers: usize,
    has_store: bool,
}

pub const SHAPES: [Shape; 5] = [
    Shape { nodes: 3, replication: 3, queriers: 0, has_store: false },
    Shape { nodes: 4, replication: 3, queriers: 1, has_store: true },
    Shape { nodes: 3, replication: 2, queriers: 0, has_store: true },
    Shape { nodes: 3, replication: 1, queriers: 1, has_store: false },
    Shape { nodes: 5, replication: 5, queriers: 0, has_store: false },
];

/// Clusters whose blocks are in a store before anybody asks.
pub const STORES: [Shape; 2] = [
    Shape { nodes: 2, replication: 2, queriers: 2, has_store: true },
    Shape { nodes: 3, replication: 3, queriers: 0, has_store: true },
];

/// How a node is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ill {
    /// The others know it.
    Down,
    Unreachable,
    /// It never answers.
    Mute,
    /// It dies after it has listed its blocks.
    Dies,
    /// It lets go of what it has listed.
    Forgets,
}

const ILLS: [Ill; 5] = [Ill::Down, Ill::Unreachable, Ill::Mute, Ill::Dies, Ill::Forgets];

/// How a node helps others with their questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Aid {
    #[default]
    Works,
    Refuses,
    Hangs,
    /// It answers after a while.
    Dawdles,
    /// It says something else each time.
    Errs,
    /// What it found is cut.
    Cuts,
    /// It tells of traces that it was not asked about.
    Forges,
    /// It does not find the blocks.
    Misses,
}

const AIDS: [Aid; 8] =
    [Aid::Works, Aid::Refuses, Aid::Hangs, Aid::Dawdles, Aid::Errs, Aid::Cuts, Aid::Forges, Aid::Misses];

/// Who is asked, and who is silent meanwhile.
#[derive(Debug, Clone)]
pub struct Trouble {
    asked: usize,
    ill: Vec<(usize, Ill)>,
    /// By node.
    aids: Vec<Aid>,
    /// Who seals all live spans meanwhile.
    seals: Option<usize>,
    /// Whether the answer must be whole all the same.
    is_whole: bool,
}

/// A node as the others reach it.
#[derive(Default)]
struct Wire {
    serving: Mutex<Option<Serving>>,
    ill: Mutex<Option<Ill>>,
    aid: Mutex<Aid>,
}

impl Wire {
    /// The node, unless it is silent.
    async fn reached(&self) -> Result<Serving, PeerError> {
        let ill = *self.ill.lock();
        match ill {
            Some(Ill::Down | Ill::Unreachable) => Err(PeerError::Unreachable("no connection".into())),
            Some(Ill::Mute) => std::future::pending().await,
            Some(Ill::Dies | Ill::Forgets) | None => Ok(self.serving.lock().clone().unwrap()),
        }
    }
}

impl Peer for Wire {
    fn push(&self, _: Push) -> Answer<'_, Pushed> {
        Box::pin(async { Err(PeerError::Unavailable("nobody pushes here".into())) })
    }

    fn find_trace(&self, question: FindTrace) -> Answer<'_, TraceCopy> {
        Box::pin(async { self.reached().await?.find_trace(question).await })
    }

    fn list_blocks(&self, question: ListBlocks) -> Answer<'_, BlockList> {
        Box::pin(async { self.reached().await?.list_blocks(question).await })
    }

    fn read_block(&self, question: ReadBlock) -> Answer<'_, Vec<Bytes>> {
        Box::pin(async {
            match *self.ill.lock() {
                Some(Ill::Dies) => return Err(PeerError::Unreachable("it died".into())),
                Some(Ill::Forgets) => return Err(PeerError::Missing("it was let go of".into())),
                _ => {}
            }
            self.reached().await?.read_block(question).await
        })
    }

    fn scan_blocks(&self, mut scan: ScanBlocks) -> Answer<'_, Scanned> {
        Box::pin(async move {
            let aid = *self.aid.lock();
            match aid {
                Aid::Refuses => {
                    let retry_after = Duration::from_secs(1);
                    return Err(PeerError::Exhausted { message: "it has enough to do".into(), retry_after });
                }
                Aid::Hangs => std::future::pending().await,
                Aid::Dawdles => tokio::time::sleep(Duration::from_millis(3)).await,
                Aid::Errs => return Err(PeerError::Unavailable("it stops".into())),
                Aid::Misses => scan.blocks.iter_mut().for_each(|block| block.number ^= 1),
                Aid::Works | Aid::Cuts | Aid::Forges => {}
            }
            let mut scanned = self.reached().await?.scan_blocks(scan).await?;
            match aid {
                Aid::Cuts => scanned.found.truncate(scanned.found.len() - 1),
                Aid::Forges => scanned.shared.iter_mut().for_each(|places| places.push(u32::MAX)),
                _ => {}
            }
            Ok(scanned)
        })
    }

    fn exchange_members(&self, _: Bytes) -> Answer<'_, Bytes> {
        Box::pin(async { Err(PeerError::Unavailable("nobody gossips here".into())) })
    }
}

struct Member {
    house: House,
    members: Members,
    wire: Arc<Wire>,
    /// Of one with a store.
    shared: Option<unrest::Node>,
}

/// A cluster.
pub struct ClusterHouse {
    shape: Shape,
    ring: Ring,
    members: Vec<Member>,
}

fn ring(shape: &Shape) -> Ring {
    let mut dice = Dice::new(7);
    let member = |number: usize| {
        let name = NodeName::new(&format!("n{number}")).unwrap();
        let (roles, mut tokens) = match number < shape.nodes {
            true => (Roles::ALL, (0..8).map(|_| dice.next() as u32).collect()),
            false => (Roles::QUERIER, Vec::new()),
        };
        tokens.sort_unstable();
        RingMember::new(name, Zone::none(), tokens, MemberState::Active, roles).unwrap()
    };
    let members = (0..shape.nodes + shape.queriers).map(member).collect();
    Ring::new(members, RingOptions { replication: shape.replication, zone_aware: false }).unwrap()
}

impl ClusterHouse {
    pub fn open(shape: Shape) -> Self {
        let ring = ring(&shape);
        let wires: Vec<Arc<Wire>> = ring.nodes().map(|_| Arc::default()).collect();
        let store: unrest::Objects = Arc::new(Faulty::new(Arc::new(Memory::new()), 1, Faults::default()));
        let open = |me: usize| {
            let runtime = runtime();
            let members = Members::new(seen_by(&ring, &wires, me, &[]));
            let shared = shape.has_store.then(|| unrest::Node::open(&store, runtime.handle()));
            let (disk, bucket): (Arc<dyn Disk>, _) = match &shared {
                Some(node) => (Arc::new(RealDisk::new(node.dir.path()).unwrap()), node.bucket.clone()),
                None => {
                    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
                    (disk.clone(), Arc::new(Bucket::open(disk, None).unwrap().0))
                }
            };
            let manner = MANNERS[me % MANNERS.len()];
            let house = House::over(runtime, manner, disk, bucket, Some(members.clone()));
            let wire = wires[me].clone();
            *wire.serving.lock() = Some(house.serving());
            Member { house, members, wire, shared }
        };
        let members = (0..wires.len()).map(open).collect();
        Self { shape, ring, members }
    }

    pub fn told(&self) -> String {
        format!("{:?}", self.shape)
    }

    /// What was counted of questions that several nodes worked on, by node.
    pub fn split_counts(&self) -> Vec<SplitCounts> {
        self.members.iter().map(|member| member.house.querier().split_counts()).collect()
    }

    fn wires(&self) -> Vec<Arc<Wire>> {
        self.members.iter().map(|member| member.wire.clone()).collect()
    }

    /// Each trace of a request goes to all of its owners, or to a majority of them.
    pub fn fill(&self, dice: &mut Dice, store: &generate_traces::Store, filled: &Filled) {
        for request in &store.requests {
            let tenant = &filled.tenants[request.tenant];
            let mut owners: BTreeMap<TraceId, Vec<usize>> = BTreeMap::new();
            let mut owned = |dice: &mut Dice, id: TraceId, node: usize| {
                let own = owners.entry(id).or_insert_with(|| self.takers(dice, tenant, &id));
                own.contains(&node)
            };
            for node in 0..self.shape.nodes {
                let mut part = request.spans.clone();
                for scope in part.resource_spans.iter_mut().flat_map(|of| &mut of.scope_spans) {
                    scope.spans.retain(|span| owned(dice, span.trace_id, node));
                }
                if part.span_count() > 0 {
                    self.members[node].house.push(tenant, encode::traces_data(&part));
                }
                if request.seal && dice.percent(60) {
                    self.members[node].house.flush();
                }
            }
            self.go_on(dice, &filled.tenants);
        }
    }

    fn takers(&self, dice: &mut Dice, tenant: &Tenant, id: &TraceId) -> Vec<usize> {
        let owners = self.ring.owners_for_write(Tokens::of(tenant).token(id));
        let mut nodes: Vec<usize> = owners.nodes().iter().map(|node| node.get()).collect();
        if dice.percent(60) {
            while nodes.len() > quorum(owners.nodes().len()) {
                nodes.swap_remove(dice.below(nodes.len()));
            }
        }
        nodes
    }

    /// What nodes do by themselves.
    pub fn go_on(&self, dice: &mut Dice, tenants: &[Tenant]) {
        let member = dice.one(&self.members);
        if dice.percent(8) {
            member.house.flush();
        }
        let Some(node) = &member.shared else { return };
        let handle = member.house.handle();
        match dice.below(10) {
            0 | 1 => handle.block_on(node.upkeep.ship()).unwrap(),
            2 => handle.block_on(node.upkeep.poll()).unwrap(),
            3 => handle.block_on(node.upkeep.compact()),
            4 => {
                for tenant in tenants {
                    node.bucket.let_go(tenant).unwrap();
                }
            }
            _ => {}
        }
    }

    /// Brings most of what is live to the store, and has every node look at it.
    pub fn ship(&self, dice: &mut Dice) {
        for member in &self.members[..self.shape.nodes] {
            if dice.percent(75) {
                member.house.flush();
            }
            let node = member.shared.as_ref().unwrap();
            member.house.handle().block_on(node.upkeep.ship()).unwrap();
        }
        for member in &self.members {
            let node = member.shared.as_ref().unwrap();
            member.house.handle().block_on(node.upkeep.poll()).unwrap();
        }
    }

    /// Nobody is silent; others help as they do.
    pub fn no_trouble(&self, dice: &mut Dice) -> Trouble {
        Trouble { ill: Vec::new(), seals: None, is_whole: true, ..self.trouble(dice) }
    }

    fn tolerated(&self) -> usize {
        quorum(self.shape.replication.min(self.shape.nodes)) - 1
    }

    pub fn trouble(&self, dice: &mut Dice) -> Trouble {
        let asked = dice.below(self.members.len());
        let mut others: Vec<usize> = (0..self.shape.nodes).filter(|node| *node != asked).collect();
        let most = if dice.percent(15) { self.tolerated() + 1 } else { self.tolerated() };
        let count = if dice.percent(30) { 0 } else { most.min(others.len()) };
        let is_whole = count <= self.tolerated();
        let ill = (0..count).map(|_| {
            let node = others.swap_remove(dice.below(others.len()));
            // Nobody waits for ever for what is needed; what was brought before is there though its node dies.
            (node, *dice.one(if is_whole { &ILLS } else { &ILLS[..2] }))
        });
        let ill = ill.collect();
        let seals = dice.percent(20).then(|| dice.below(self.shape.nodes));
        let aid = |_| if dice.percent(50) { Aid::Works } else { *dice.one(&AIDS) };
        let aids = (0..self.members.len()).map(aid).collect();
        Trouble { asked, ill, aids, seals, is_whole }
    }

    /// Asks a node and the judge.
    pub fn put(&self, question: &Question, filled: &Filled, trouble: &Trouble) -> Outcome {
        for (node, ill) in &trouble.ill {
            *self.members[*node].wire.ill.lock() = Some(*ill);
        }
        for (member, aid) in self.members.iter().zip(&trouble.aids) {
            *member.wire.aid.lock() = *aid;
        }
        let down: Vec<usize> =
            trouble.ill.iter().filter(|(_, ill)| *ill == Ill::Down).map(|(node, _)| *node).collect();
        let member = &self.members[trouble.asked];
        member.members.set(seen_by(&self.ring, &self.wires(), trouble.asked, &down));
        let asked = AskedNode { house: &member.house, said: RefCell::default() };
        let outcome = match trouble.seals {
            Some(node) => self.members[node].house.while_sealing(|| question.put(&asked, filled)),
            None => question.put(&asked, filled),
        };
        self.members.iter().for_each(|member| *member.wire.ill.lock() = None);
        let said = asked.said.into_inner();
        if trouble.is_whole {
            return match said.into_iter().flatten().next() {
                Some(said) => Outcome::Different(format!("found {said:?}, expected an answer that is whole")),
                None => outcome,
            };
        }
        let names = |said: &String| trouble.ill.iter().all(|(node, _)| said.contains(&format!("n{node} (")));
        match said.iter().find(|said| !said.as_ref().is_some_and(names)) {
            Some(said) => Outcome::Different(format!("found {said:?}, expected the silent nodes named")),
            // What is there is not judged.
            None => Outcome::Same { full: true, exemplars: String::new() },
        }
    }
}

/// A cluster as a node sees it.
fn seen_by(ring: &Ring, wires: &[Arc<Wire>], me: usize, down: &[usize]) -> Cluster {
    let node = |(number, wire): (usize, &Arc<Wire>)| Node {
        name: ring.members()[number].name().clone(),
        peer: wire.clone(),
        is_up: !down.contains(&number),
        generation: 1,
    };
    let nodes = wires.iter().enumerate().map(node).collect();
    Cluster { ring: ring.clone(), nodes, me: ring.nodes().nth(me), tenants: Default::default() }
}

/// A node that is asked, and what it said of each answer that it is not whole.
struct AskedNode<'a> {
    house: &'a House,
    said: RefCell<Vec<Option<String>>>,
}

impl AskedNode<'_> {
    fn ask<T>(&self, ask: impl AsyncFnOnce(&Querier) -> Result<T, Refused>) -> Result<T, Refused> {
        self.house.handle().block_on(ask(self.house.querier()))
    }

    fn note(&self, partial: Option<String>) {
        self.said.borrow_mut().push(partial);
    }
}

impl Store for AskedNode<'_> {
    fn search(&self, request: SearchRequest) -> Result<(Vec<FoundTrace>, Option<Cursor>), Refused> {
        let part = self.ask(async |querier| last_part(querier.search(request).await?).await)?;
        self.note(part.partial);
        Ok((part.traces, part.next))
    }

    fn metrics(&self, request: MetricsRequest) -> Result<(Vec<Series>, Option<String>), Refused> {
        let part = self.ask(async |querier| last_part(querier.metrics(request).await?).await)?;
        // That of a limit is judged.
        let of_nodes = part.partial.as_ref().filter(|said| said.contains("did not answer"));
        self.note(of_nodes.cloned());
        Ok((part.series, part.partial))
    }

    fn tags(&self, request: TagsRequest) -> Result<Tags, Refused> {
        let tags = self.ask(async |querier| Ok(querier.tags(request).await?))?;
        self.note(tags.partial.clone());
        Ok(tags)
    }

    fn tag_values(&self, request: TagValuesRequest) -> Result<TagValues, Refused> {
        let values = self.ask(async |querier| Ok(querier.tag_values(request).await?))?;
        self.note(values.partial.clone());
        Ok(values)
    }

    fn graph(&self, request: GraphRequest) -> Result<ServiceGraph, Refused> {
        let graph = self.ask(async |querier| Ok(querier.service_graph(request).await?))?;
        self.note(graph.partial.clone());
        Ok(graph)
    }

    fn trace(&self, tenants: &[Tenant], id: TraceId) -> Result<Option<model::Trace>, Refused> {
        let mut parts = Vec::new();
        for tenant in tenants {
            let found = self.ask(async |querier| Ok(querier.find_trace(tenant, id).await?))?;
            self.note(found.partial);
            parts.extend(found.trace);
        }
        Ok((!parts.is_empty()).then(|| join::join(parts).trace))
    }
}

/// What was tried.
#[derive(Debug, Default)]
pub struct Seen {
    whole: usize,
    partial: usize,
    ills: BTreeMap<Ill, usize>,
}

impl Seen {
    pub fn count(&mut self, trouble: &Trouble) {
        *(if trouble.is_whole { &mut self.whole } else { &mut self.partial }) += 1;
        trouble.ill.iter().for_each(|(_, ill)| *self.ills.entry(*ill).or_default() += 1);
    }

    /// Everything was tried at all.
    pub fn check(&self, stores: u64) {
        let is_all = self.ills.len() == ILLS.len() && self.partial > 0;
        assert!(stores < SHAPES.len() as u64 || is_all, "found {self:?}, expected every kind of silence");
    }
}
