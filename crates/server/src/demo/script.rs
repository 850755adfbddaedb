//! The script: when the payment service dies, comes back, browns out and recovers.

use std::time::Duration;

/// What happens to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// SIGKILL.
    Kill,
    /// A new process, on the same port and ledger.
    Restart,
    /// It fails most payments, and lets others hang after it has done them.
    BrownOut,
    /// It works again.
    Heal,
}

/// Each act, and when it comes, for traffic of a given length.
pub(crate) fn script(length: Duration) -> Vec<(Duration, Act)> {
    let acts = [(0.20, Act::Kill), (0.46, Act::Restart), (0.66, Act::BrownOut), (0.82, Act::Heal)];
    acts.into_iter().map(|(share, act)| (length.mul_f64(share), act)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_healthy_at_both_ends_and_every_act_comes_in_its_order() {
        let length = Duration::from_secs(25);
        let acts = script(length);
        assert!(acts.is_sorted_by_key(|(at, _)| *at));
        assert!(acts[0].0 >= Duration::from_secs(4), "{acts:?}");
        assert!(length - acts[3].0 >= Duration::from_secs(4), "{acts:?}");
        let order: Vec<Act> = acts.into_iter().map(|(_, act)| act).collect();
        assert_eq!(order, [Act::Kill, Act::Restart, Act::BrownOut, Act::Heal]);
    }
}
