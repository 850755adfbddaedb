//! What a keyed circuit takes: at rest, and hot.

use fuseboard_core::{Keyed, KeyedLimits};

use super::heap::{Change, Heap, change_by, change_by_thread};
use crate::protect::Fault;

pub(super) const KEYS: usize = 100_000;
/// Tables grow in jumps: between so many keys and all of them, the most is looked for, too.
const FROM: usize = 50_000;
const STEP: usize = 500;
/// A key at rest has had so many calls, a hot one so many.
pub(super) const FEW: usize = 5;
pub(super) const MANY: usize = 100;

/// What one keyed circuit takes of memory, in bytes.
pub(super) struct Keys {
    pub(super) at_rest: f64,
    /// At that number of keys between half and all of them at which it is most.
    pub(super) at_worst: f64,
    /// Blocks of the heap asked for while it was made.
    pub(super) allocations: f64,
    /// While the thread lives that made the many calls.
    pub(super) hot: f64,
    /// When it ended.
    pub(super) cooled: f64,
}

/// Counts for keys of 8 to 20 characters.
pub(super) fn measure() -> Result<Keys, String> {
    let limits = KeyedLimits::default().capacity(2 * KEYS);
    let keyed = Keyed::<String>::builder("payments").limits(limits).build();
    let keyed = keyed.expect("keyed circuits can have this name and these limits");
    let keys: Vec<String> = (0..KEYS).map(key).collect();
    let before = Heap::now();
    let mut at_worst = 0.0_f64;
    for (index, key) in keys.iter().enumerate() {
        call(&keyed, key, FEW);
        let made = index + 1;
        if made >= FROM && made % STEP == 0 {
            at_worst = at_worst.max(before.change().bytes as f64 / made as f64);
        }
    }
    let made = before.change();
    let mut hot = Change::default();
    let cooled = change_by_thread(|| {
        let call_all = || keys.iter().for_each(|key| call(&keyed, key, MANY - FEW));
        ((), hot) = change_by(call_all);
    });
    let info = keyed.info();
    let calls = (KEYS * MANY) as u64;
    if (info.keys, info.overflowed, info.totals.success) != (KEYS, 0, calls) {
        return Err(format!("not every key had its own circuit for all of its calls: {info:?}"));
    }
    let mean = |bytes: i64| bytes as f64 / KEYS as f64;
    Ok(Keys {
        at_rest: mean(made.bytes),
        at_worst,
        allocations: made.allocations as f64 / KEYS as f64,
        hot: mean(made.bytes + hot.bytes),
        cooled: mean(made.bytes + cooled.bytes),
    })
}

/// Keys of 8 to 20 characters, each length as often as the others.
fn key(index: usize) -> String {
    let rest = &"-tenant-eu-1"[..index % 13];
    format!("{index:08}{rest}")
}

pub(super) fn call(keyed: &Keyed<String>, key: &str, times: usize) {
    for _ in 0..times {
        keyed.call(key, || Ok::<_, Fault>(())).expect("a circuit whose calls succeed is closed");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_are_different_and_have_8_to_20_characters() {
        let keys: BTreeSet<String> = (0..1000).map(key).collect();
        let lengths: BTreeSet<usize> = keys.iter().map(String::len).collect();
        assert_eq!((keys.len(), lengths), (1000, (8..=20).collect()));
    }
}
