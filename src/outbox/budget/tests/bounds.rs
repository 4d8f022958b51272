//! No month is overspent, whatever comes, and whoever dies.

use std::fs;

use proptest::prelude::*;

use super::{folder::Folder, *};

const MONTH: u64 = 30_000;

/// A unit that is bounded, and the processes that use it, each of which may be gone.
struct World {
    pace: Pace,
    folder: Option<Folder>,
    processes: [Option<Arc<Account>>; 2],
    now: SystemTime,
    bill: Bill,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Pass(Duration),
    Use(usize, u16),
    /// Uses so many units again and again, until there are no more.
    Drain(usize, u16),
    Kill(usize),
    End(usize),
    Damage,
}

// ===== impl World =====

impl World {
    fn new(burst: u64, folder: Option<Folder>) -> Self {
        let pace = Pace::new(Allowance::month(MONTH).burst(burst), 1, folder.is_some());
        Self { pace, folder, processes: [None, None], now: november(), bill: Bill::default() }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Pass(time) => self.now += time,
            Act::Use(process, units) => _ = self.spend(process, f64::from(units)),
            Act::Drain(process, units) => _ = (0..400).find(|_| !self.spend(process, f64::from(units))),
            Act::Kill(process) => self.processes[process] = None,
            Act::End(process) => {
                let ended = self.processes[process].take();
                ended.and_then(|account| account.last_errand(self.now)).into_iter().for_each(Errand::run);
            }
            Act::Damage => {
                if let Some(folder) = &self.folder {
                    fs::write(folder.path().join("spans.budget"), "belvedere-budget-1 and what else")
                        .unwrap();
                }
            }
        }
    }

    fn spend(&mut self, process: usize, units: f64) -> bool {
        let (pace, now) = (self.pace, self.now);
        let till = self.folder.as_ref().map(|folder| Till::new(folder.path(), &Unit::SPANS));
        let account = self.processes[process]
            .get_or_insert_with(|| Arc::new(Account::new(Unit::SPANS, pace, till, now)));
        account.errand(units, now).into_iter().for_each(Errand::run);
        let has_spent = account.open(now).spend(units);
        if has_spent {
            self.bill.add(now, units);
        }
        has_spent
    }
}

// ===== impl Act =====

impl Act {
    /// The same, of the first process.
    fn of_the_first(self) -> Self {
        match self {
            Self::Use(_, units) => Self::Use(0, units),
            Self::Drain(_, units) => Self::Drain(0, units),
            other => other,
        }
    }
}

fn pass() -> impl Strategy<Value = Act> {
    let seconds = prop_oneof![5 => 0..1_000_u64, 3 => 0..100_000_u64, 1 => 0..3_000_000_u64];
    seconds.prop_map(|seconds| Act::Pass(Duration::from_secs(seconds)))
}

fn spend() -> impl Strategy<Value = Act> {
    let units = prop_oneof![3 => 0..40_u16, 2 => 0..1_200_u16];
    let one = (0..2_usize, units).prop_map(|(process, units)| Act::Use(process, units));
    let all = (0..2_usize, 20..200_u16).prop_map(|(process, units)| Act::Drain(process, units));
    prop_oneof![one, all]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn no_31_days_are_overspent_by_one_process(
        burst in 1..40_000_u64,
        acts in prop::collection::vec(prop_oneof![pass(), spend()], 0..400),
    ) {
        let mut world = World::new(burst, None);
        for act in acts {
            world.act(act.of_the_first());
        }
        let most = world.bill.most_in_31_days();
        prop_assert!(most <= MONTH as f64, "{most}");
    }

    #[test]
    fn thirty_starts_a_month_without_a_folder_are_within_it(
        burst in 1..40_000_u64,
        starts in prop::collection::vec(prop::collection::vec(spend(), 0..40), 30),
        time in 1..2_678_400_u64,
    ) {
        let mut world = World::new(burst, None);
        for acts in starts {
            world.act(Act::Kill(0));
            for act in acts {
                world.act(act.of_the_first());
                world.act(Act::Pass(Duration::from_secs(time / 1_200)));
            }
        }
        let most = world.bill.most_in_31_days();
        prop_assert!(most <= MONTH as f64, "{most}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn no_month_is_overspent_by_processes_that_share_a_folder_and_die(
        burst in 1..40_000_u64,
        acts in prop::collection::vec(
            prop_oneof![
                6 => pass(),
                12 => spend(),
                1 => (0..2_usize).prop_map(Act::Kill),
                1 => (0..2_usize).prop_map(Act::End),
                1 => Just(Act::Damage),
            ],
            0..120,
        ),
    ) {
        let mut world = World::new(burst, Some(Folder::new()));
        acts.into_iter().for_each(|act| world.act(act));
        let most = world.bill.most_in_a_month();
        prop_assert!(most <= MONTH as f64, "{most}");
        // What was taken by then may be used later: a part for each process.
        let parts = 2.0 * (world.pace.depth / 32.0).max(1_200.0);
        let most = world.bill.most_in_31_days();
        prop_assert!(most <= MONTH as f64 + parts, "{most}");
    }
}

#[test]
fn a_greedy_process_gets_nearly_all_of_a_month_and_a_quiet_one_a_burst_at_once() {
    let mut world = World::new(1_000, Some(Folder::new()));
    for _ in 0..31 * 24 {
        (0..50).for_each(|_| world.act(Act::Use(0, 1)));
        world.act(Act::Pass(hours(1)));
    }
    let used = world.bill.most_in_31_days();
    assert!(used > 0.96 * MONTH as f64 && used <= MONTH as f64, "{used}");

    world.act(Act::Pass(hours(48)));
    let before = world.bill.0.len();
    (0..100).for_each(|_| world.act(Act::Use(0, 30)));
    assert_eq!(world.bill.0.len() - before, 1_000 / 30);
}

#[test]
fn a_killed_process_costs_a_part_and_one_that_ends_nothing() {
    let used = |act: Act| {
        let mut world = World::new(1_000, Some(Folder::new()));
        (0..100).for_each(|_| {
            world.act(Act::Use(0, 1));
            world.act(act);
        });
        world.bill.0.len()
    };
    // A bucket begins with 100 units, and a part of it is 31.
    assert_eq!((used(Act::End(0)), used(Act::Kill(0))), (100, 4));
}

#[test]
fn several_processes_have_a_part_each() {
    let pace = |processes| Pace::new(Allowance::month(MONTH).burst(3_000), processes, true);
    assert_eq!((pace(3).month, pace(3).depth), (10_000.0, 1_000.0));
    let trickle = |processes| pace(processes).per_second * f64::from(processes);
    assert!((trickle(1) - trickle(3)).abs() < 1e-9);
    assert_eq!(Pace::new(Allowance::month(0), 1, true).depth, 0.0);
}

#[test]
fn a_clock_that_is_set_forth_and_back_over_a_restart_gives_nothing_twice() {
    for jump in [hours(1), hours(24), hours(24 * 400)] {
        let mut world = World::new(1_000, Some(Folder::new()));
        let drain = |world: &mut World| {
            world.act(Act::Kill(0));
            (0..1_200).for_each(|_| world.act(Act::Use(0, 1)));
        };
        for _ in 0..20 {
            drain(&mut world);
            world.now += jump;
            drain(&mut world);
            world.now -= jump;
        }
        // All of it was used within no time: a burst, ahead of the clock.
        let used = world.bill.0.len();
        assert!(used <= 1_000 + 100 + 20, "{jump:?}: {used}");
        for _ in 0..3 {
            drain(&mut world);
            world.act(Act::Pass(hours(48)));
        }
        drain(&mut world);
        assert!(world.bill.0.len() > used + 500, "{jump:?}: it comes back");
    }
}
