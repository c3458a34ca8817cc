//! Steps of one node, and of several that see each other late.

use proptest::prelude::*;

use super::*;

const SETTLE: u64 = 2_000;

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn settings(me: &str) -> Settings {
    Settings {
        me: name(me),
        zone: Zone::none(),
        roles: Roles::ALL,
        ring: RingOptions::default(),
        tokens: 16,
        settle_ms: SETTLE,
        join_wait_ms: 10_000,
        founds: false,
        forget_after_ms: None,
    }
}

fn seen(of: &str, state: MemberState, is_up: bool) -> Seen {
    // Tokens that nobody else has, whatever the names.
    let first = of.bytes().fold(1u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into())) << 8;
    let tokens = if state == MemberState::Left { vec![] } else { vec![first, first + 1] };
    let member = RingMember::new(name(of), Zone::none(), tokens, state, Roles::ALL).unwrap();
    Seen { member, is_up, is_removed: false }
}

fn met(others: Vec<Seen>) -> View {
    View { others, met: true, ..View::default() }
}

/// Lets time pass in small steps until something is decided, `within_ms` at most.
fn wait(life: &mut Lifecycle, now: &mut u64, view: &View, within_ms: u64) -> Option<Decision> {
    let end = *now + within_ms;
    while *now < end {
        if let Some(decision) = life.decide(*now, view) {
            return Some(decision);
        }
        *now += 50;
    }
    None
}

fn active(me: &str) -> (Lifecycle, u64) {
    let mut life = Lifecycle::new(0, Settings { founds: true, ..settings(me) }, vec![]);
    let decision = life.decide(0, &View::default());
    assert!(matches!(decision, Some(Decision::Announce(MemberState::Active, _))), "{decision:?}");
    (life, 0)
}

#[test]
fn the_first_is_active_at_once_and_one_that_finds_nobody_after_a_while() {
    active("a");
    let mut life = Lifecycle::new(0, settings("a"), vec![]);
    assert_eq!(life.decide(9_999, &View::default()), None);
    let Some(Decision::Announce(state, tokens)) = life.decide(10_000, &View::default()) else { panic!() };
    assert_eq!((state, tokens.len(), life.stage()), (MemberState::Active, 16, Stage::Active));
}

#[test]
fn a_node_that_finds_others_goes_step_by_step() {
    let view = met(vec![seen("b", MemberState::Active, true)]);
    let (mut life, mut now) = (Lifecycle::new(0, settings("a"), vec![]), 0);
    let Some(Decision::Announce(MemberState::Joining, tokens)) = wait(&mut life, &mut now, &view, 3_000)
    else {
        panic!()
    };
    assert_eq!(now, SETTLE, "the view must have been quiet");
    let Some(Decision::TakeOver(moved)) = wait(&mut life, &mut now, &view, 3_000) else { panic!() };
    assert!(!moved.gained.is_empty() && moved.lost.is_empty());
    assert_eq!(now, 2 * SETTLE);
    assert_eq!(wait(&mut life, &mut now, &view, 60_000), None, "until it is done");
    life.on_work(now, false);
    let failed = now;
    assert!(matches!(wait(&mut life, &mut now, &view, 10_000), Some(Decision::TakeOver(_))));
    assert_eq!(now, failed + RETRY_MS);
    life.on_work(now, true);
    assert_eq!(life.decide(now, &view), Some(Decision::Announce(MemberState::Active, tokens)));
}

#[test]
fn what_was_before_decides_how_a_node_starts() {
    let check = |state, others: MemberState, expected: Option<MemberState>| {
        let former = Former { state, tokens: vec![5, 6], is_removed: false, is_news: true };
        let view = View { held: Some(former), ..met(vec![seen("b", others, false)]) };
        let found = match Lifecycle::new(0, settings("a"), vec![5, 6]).decide(0, &view) {
            Some(Decision::Announce(state, tokens)) if tokens == [5, 6] || tokens.len() == 16 => Some(state),
            None => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{state:?}, others {others:?}");
    };
    check(MemberState::Active, MemberState::Active, Some(MemberState::Active));
    check(MemberState::Leaving, MemberState::Active, Some(MemberState::Active));
    check(MemberState::Joining, MemberState::Active, Some(MemberState::Joining));
    check(MemberState::Left, MemberState::Active, None);
    check(MemberState::Left, MemberState::Left, Some(MemberState::Active));
}

#[test]
fn nobody_goes_by_a_view_that_lacks_something() {
    let mut view = met(vec![seen("b", MemberState::Active, true)]);
    view.is_lacking = true;
    let (mut life, mut now) = (Lifecycle::new(0, settings("a"), vec![]), 0);
    assert!(wait(&mut life, &mut now, &view, 60_000).is_some());
    assert_eq!(now, 10_000);
    // And nobody begins a cluster where somebody is who has one.
    let lacking = View { is_lacking: true, ..met(vec![]) };
    let (mut life, mut now) = (Lifecycle::new(0, settings("a"), vec![]), 0);
    assert_eq!(wait(&mut life, &mut now, &lacking, 60_000), None);
    assert!(wait(&mut life, &mut now, &met(vec![]), 100).is_some());
}

#[test]
fn nobody_comes_while_most_owners_are_down() {
    let active = |is_up: [bool; 3]| {
        let others = ["b", "c", "d"].iter().zip(is_up);
        met(others.map(|(name, is_up)| seen(name, MemberState::Active, is_up)).collect())
    };
    let (few, most) = (active([true, false, false]), active([true, true, false]));
    let (mut life, mut now) = (Lifecycle::new(0, settings("a"), vec![]), 0);
    assert_eq!(wait(&mut life, &mut now, &few, 60_000), None);
    let comes = wait(&mut life, &mut now, &most, 3_000);
    assert!(matches!(comes, Some(Decision::Announce(MemberState::Joining, _))), "{comes:?}");
    assert_eq!(wait(&mut life, &mut now, &few, 60_000), None);
    assert!(matches!(wait(&mut life, &mut now, &most, 3_000), Some(Decision::TakeOver(_))));
}

#[test]
fn a_step_of_the_other_kind_is_waited_for() {
    let (mut life, mut now) = (Lifecycle::new(0, settings("a"), vec![]), 0);
    let view = met(vec![seen("b", MemberState::Active, true)]);
    assert!(wait(&mut life, &mut now, &view, 3_000).is_some());
    // Somebody else joins: it changes who owns next, and this node would change who owns now.
    let joins = met(vec![seen("b", MemberState::Active, true), seen("c", MemberState::Joining, true)]);
    now += SETTLE - 100;
    assert_eq!(life.decide(now, &joins), None);
    let began = now;
    assert!(matches!(wait(&mut life, &mut now, &joins, 9_000), Some(Decision::TakeOver(_))));
    assert_eq!(now, began + SETTLE);
}

#[test]
fn a_node_leaves_step_by_step_and_the_last_one_keeps_its_place() {
    let (mut life, mut now) = active("a");
    life.leave();
    let alone = met(vec![seen("b", MemberState::Active, false)]);
    assert_eq!(life.decide(now, &alone), Some(Decision::Stop));
    assert_eq!(life.stage(), Stage::Gone);
    let (mut life, _) = active("a");
    life.leave();
    let view = met(vec![seen("b", MemberState::Active, true)]);
    let step = wait(&mut life, &mut now, &view, 9_000);
    assert!(matches!(step, Some(Decision::Announce(MemberState::Leaving, _))), "{step:?}");
    let Some(Decision::HandOver(moved)) = wait(&mut life, &mut now, &view, 9_000) else { panic!() };
    assert!(moved.gained.is_empty() && !moved.lost.is_empty());
    life.on_work(now, true);
    assert_eq!(life.decide(now, &view), Some(Decision::Leave));
    assert_eq!((life.decide(now, &view), life.next_deadline(now)), (None, None));
}

#[test]
fn one_that_joins_gives_up_and_one_that_looks_stops() {
    let view = met(vec![seen("b", MemberState::Active, true)]);
    let (mut life, mut now) = (Lifecycle::new(0, settings("a"), vec![]), 0);
    assert!(wait(&mut life, &mut now, &view, 3_000).is_some());
    life.leave();
    assert_eq!(life.decide(now, &view), Some(Decision::Leave));
    let mut life = Lifecycle::new(0, settings("a"), vec![]);
    life.leave();
    assert_eq!(life.decide(0, &view), Some(Decision::Stop));
}

#[test]
fn a_node_that_was_removed_while_it_lived_comes_back() {
    let view = |state| {
        let held = Former { state, tokens: vec![1], is_removed: true, is_news: true };
        View { held: Some(held), ..met(vec![seen("b", MemberState::Active, true)]) }
    };
    let (mut life, mut now) = active("a");
    let stays = life.decide(now, &view(MemberState::Leaving));
    assert!(matches!(stays, Some(Decision::Announce(MemberState::Active, _))), "{stays:?}");
    let comes = wait(&mut life, &mut now, &view(MemberState::Left), 9_000);
    assert!(matches!(comes, Some(Decision::Announce(MemberState::Joining, _))), "{comes:?}");
    // What was said in its place is old now.
    let mut old = view(MemberState::Left);
    old.held.as_mut().unwrap().is_news = false;
    assert!(matches!(wait(&mut life, &mut now, &old, 9_000), Some(Decision::TakeOver(_))));
}

#[test]
fn the_dead_are_removed_one_at_a_time_by_the_lowest_name() {
    let (mut life, mut now) = active("b");
    // So that nobody gains anything.
    life.settings.ring.replication = 7;
    let mut view = met(vec![
        seen("c", MemberState::Active, true),
        seen("d", MemberState::Active, false),
        seen("e", MemberState::Active, false),
    ]);
    life.decide(now, &view);
    assert_eq!(life.forget(&view, "c"), Err(ForgetError::Up(name("c"))));
    assert_eq!(life.forget(&view, "d"), Ok(()));
    assert_eq!(life.forget(&view, "e"), Err(ForgetError::Another(name("d"))));
    let step = wait(&mut life, &mut now, &view, 9_000);
    assert_eq!(step, Some(Decision::Remove(name("d"), MemberState::Leaving)));
    view.others[1] = Seen { is_removed: true, ..seen("d", MemberState::Leaving, false) };
    assert_eq!(life.forget(&view, "e"), Err(ForgetError::Another(name("d"))));
    let began = now;
    // Another one is lower: it does the rest.
    let mut lower = view.clone();
    lower.others.push(seen("a", MemberState::Active, true));
    assert_eq!(wait(&mut life, &mut now, &lower, 9_000), None);
    let step = wait(&mut life, &mut now, &view, 9_000);
    assert_eq!(step, Some(Decision::Remove(name("d"), MemberState::Left)));
    assert!(now >= began + SETTLE);
    view.others[1] = Seen { is_removed: true, ..seen("d", MemberState::Left, false) };
    assert_eq!(life.forget(&view, "d"), Err(ForgetError::Left(name("d"))));
    assert_eq!(life.forget(&view, "e"), Ok(()));
}

#[test]
fn who_is_down_for_long_is_forgotten_if_that_is_wanted_and_most_are_up() {
    let check = |forget_after_ms, others: Vec<Seen>, expected: Option<u64>| {
        let (mut life, mut now) = active("a");
        life.settings.forget_after_ms = forget_after_ms;
        let view = met(others);
        let found = wait(&mut life, &mut now, &view, 200_000);
        let wanted = expected.map(|_| Decision::Remove(name("d"), MemberState::Leaving));
        assert_eq!((found, expected.filter(|at| now < *at)), (wanted, None), "{forget_after_ms:?}");
    };
    let (up, down) = (seen("c", MemberState::Active, true), seen("d", MemberState::Active, false));
    check(None, vec![up.clone(), down.clone()], None);
    check(Some(60_000), vec![up.clone(), down.clone()], Some(60_000));
    check(Some(60_000), vec![down.clone()], None);
    check(Some(60_000), vec![up, down.clone(), seen("e", MemberState::Active, false)], None);
}

#[test]
fn what_is_gained_from_the_dead_is_fetched_before_they_go() {
    let (mut life, mut now) = active("a");
    life.settings.ring.replication = 1;
    let dead = |state| Seen { is_removed: true, ..seen("d", state, false) };
    let view = met(vec![dead(MemberState::Leaving)]);
    let Some(Decision::Fetch(moved)) = wait(&mut life, &mut now, &view, 9_000) else { panic!() };
    assert!(!moved.gained.is_empty() && moved.lost.is_empty());
    assert_eq!(now, SETTLE);
    assert_eq!(wait(&mut life, &mut now, &view, 60_000), None, "until it is done");
    life.on_fetched(now, false);
    assert!(matches!(wait(&mut life, &mut now, &view, 9_000), Some(Decision::Fetch(_))));
    life.on_fetched(now, true);
    assert_eq!(life.decide(now, &view), Some(Decision::Remove(name("d"), MemberState::Left)));
}

#[test]
fn one_that_was_removed_while_it_joined_begins_once_more() {
    let others = vec![seen("b", MemberState::Active, true)];
    let (mut life, mut now) = (Lifecycle::new(0, settings("a"), vec![]), 0);
    assert!(wait(&mut life, &mut now, &met(others.clone()), 3_000).is_some());
    let held = Former { state: MemberState::Left, tokens: vec![], is_removed: true, is_news: true };
    let removed = View { held: Some(held), ..met(others.clone()) };
    now += SETTLE;
    let step = life.decide(now, &removed);
    assert!(matches!(step, Some(Decision::Announce(MemberState::Joining, _))), "{step:?}");
    let began = now;
    assert!(matches!(wait(&mut life, &mut now, &met(others), 9_000), Some(Decision::TakeOver(_))));
    assert_eq!(now, began + SETTLE);
}

/// Nodes that see what others announced some time later.
struct Sim {
    now: u64,
    delay: u64,
    nodes: Vec<(Lifecycle, u64)>,
    /// Who announced what, when.
    said: Vec<(u64, usize, RingMember)>,
}

impl Sim {
    fn view(&self, of: usize) -> View {
        let mut others: Vec<Option<RingMember>> = vec![None; self.nodes.len()];
        for (at, by, member) in &self.said {
            if *at + self.delay <= self.now && *by != of {
                others[*by] = Some(member.clone());
            }
        }
        let others = others.into_iter().flatten();
        met(others.map(|member| Seen { member, is_up: true, is_removed: false }).collect())
    }

    fn step(&mut self) {
        for at in 0..self.nodes.len() {
            if self.nodes[at].1 > self.now {
                continue;
            }
            let view = self.view(at);
            let life = &mut self.nodes[at].0;
            match life.decide(self.now, &view) {
                Some(Decision::Announce(..)) => {
                    let member = life.own_member().unwrap();
                    self.said.push((self.now, at, member));
                }
                Some(Decision::TakeOver(_) | Decision::HandOver(_)) => life.on_work(self.now, true),
                Some(Decision::Leave) => {
                    let member = life.own_member().unwrap();
                    self.said.push((self.now, at, member));
                }
                Some(other) => panic!("{other:?}"),
                None => {}
            }
        }
        self.now += 100;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However many start at whatever times, all become active, and nobody takes two steps in a row before the others
    /// could see the first.
    #[test]
    fn all_arrive_and_nobody_hurries(starts in prop::collection::vec(0u64..8_000, 1..7), delay in 0u64..1_900) {
        let nodes = starts.iter().enumerate();
        let nodes = nodes.map(|(at, start)| {
            (Lifecycle::new(*start, settings(&format!("n{at}")), vec![]), *start)
        });
        let mut sim = Sim { now: 0, delay, nodes: nodes.collect(), said: Vec::new() };
        while sim.now < 120_000 {
            sim.step();
        }
        for (life, _) in &sim.nodes {
            prop_assert_eq!(life.stage(), Stage::Active);
        }
        for at in 0..sim.nodes.len() {
            let own: Vec<_> = sim.said.iter().filter(|(_, by, _)| *by == at).collect();
            let states: Vec<_> = own.iter().map(|(_, _, member)| member.state()).collect();
            prop_assert!(
                states == [MemberState::Active] || states == [MemberState::Joining, MemberState::Active],
                "{:?}", states
            );
            // Only where nobody owns anything yet is nobody waited for.
            let first_active = sim.said.iter().filter(|(.., m)| m.owns_now()).map(|(at, ..)| *at).min();
            if own.len() == 2 && first_active.is_some_and(|first| first + delay < own[0].0) {
                prop_assert!(own[1].0 - own[0].0 >= SETTLE, "{} and {}", own[0].0, own[1].0);
            }
        }
        // Those that are told to leave do, but for the last.
        for at in 1..sim.nodes.len() {
            sim.nodes[at].0.leave();
        }
        while sim.now < 400_000 {
            sim.step();
        }
        for (life, _) in &sim.nodes[1..] {
            prop_assert_eq!(life.stage(), Stage::Gone);
        }
        prop_assert_eq!(sim.nodes[0].0.stage(), Stage::Active);
    }
}
