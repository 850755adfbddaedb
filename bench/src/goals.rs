//! What Fuseboard set out to reach, as paired ratios.

use crate::cases::{
    AVERAGE, FUSEBOARD, FUSEBOARD_TOWER, RECLOSER, SHARED_ADD, TOWER_RESILIENCE, WORK_ALONE,
};

/// A ratio between two contestants of one case.
pub(crate) struct Goal {
    pub(crate) text: &'static str,
    pub(crate) case: &'static str,
    pub(crate) ours: &'static str,
    pub(crate) against: &'static str,
    pub(crate) threads: usize,
    pub(crate) at_most: f64,
}

/// Every goal, in the order of the cases.
pub(crate) fn all() -> Vec<Goal> {
    let rows = [
        row("success", "success", FUSEBOARD, RECLOSER, [Some(0.25), Some(0.03)]),
        row("success, below one `lock xadd`", "success", FUSEBOARD, SHARED_ADD, [Some(1.0); 2]),
        row("1 % failures", "failures-1", FUSEBOARD, RECLOSER, [Some(0.35), Some(0.06)]),
        row("30 % failures", "failures-30", FUSEBOARD, RECLOSER, [Some(0.7), Some(0.6)]),
        row("rejection in open", "open", FUSEBOARD, RECLOSER, [Some(0.5); 2]),
        row("async success", "async", FUSEBOARD, RECLOSER, [Some(0.4), Some(0.05)]),
        row("slow-call detection", "slow", FUSEBOARD, RECLOSER, [Some(1.0), Some(0.1)]),
        row("100 ns of work", "work", FUSEBOARD, WORK_ALONE, [None, Some(1.05)]),
        row("time window of 60 s", "window", FUSEBOARD, AVERAGE, [Some(0.2), Some(0.06)]),
        row("Tower layer", "tower", FUSEBOARD_TOWER, TOWER_RESILIENCE, [Some(0.1), Some(0.01)]),
    ];
    rows.into_iter().flatten().collect()
}

/// The goals of one case, with one thread and with two.
fn row(
    text: &'static str,
    case: &'static str,
    ours: &'static str,
    against: &'static str,
    limits: [Option<f64>; 2],
) -> Vec<Goal> {
    let limits = limits.into_iter().zip(1..);
    let goal = |(limit, threads): (Option<f64>, usize)| {
        Some(Goal { text, case, ours, against, threads, at_most: limit? })
    };
    limits.filter_map(goal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases;

    #[test]
    fn every_goal_is_about_contestants_of_its_case() {
        let cases = cases::all();
        for goal in all() {
            let case = cases.iter().find(|case| case.key == goal.case);
            let case = case.unwrap_or_else(|| panic!("no case {}", goal.case));
            let has = |name| case.entries.iter().any(|entry| entry.name == name);
            assert!(has(goal.against), "{}: {}", goal.case, goal.against);
            assert!(has(goal.ours), "{}: {}", goal.case, goal.ours);
            assert!(has(case.reference), "{}: {}", goal.case, case.reference);
        }
    }
}
