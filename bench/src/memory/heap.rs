//! The heap before and after something: what is kept of it, and how often the allocator was asked.

use std::hint::black_box;
use std::thread;

use dhat::HeapStats;

/// What something did to the heap of the whole process, in bytes as they were asked for: what an allocator adds to each
/// block is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Bytes that are still in use, less those that were given back.
    pub(super) bytes: i64,
    /// How often the allocator was asked for a block, or to make one larger or smaller.
    pub(super) allocations: u64,
}

/// The heap at one moment.
pub(super) struct Heap(HeapStats);

impl Heap {
    pub(super) fn now() -> Self {
        Heap(HeapStats::get())
    }

    pub(super) fn change(&self) -> Change {
        let (before, after) = (&self.0, HeapStats::get());
        Change {
            bytes: after.curr_bytes as i64 - before.curr_bytes as i64,
            allocations: after.total_blocks - before.total_blocks,
        }
    }
}

/// What `work` gives, and did to the heap.
pub(super) fn change_by<T>(work: impl FnOnce() -> T) -> (T, Change) {
    let before = Heap::now();
    let result = work();
    (result, before.change())
}

/// As [`change_by`], of a thread that begins and ends with `work`: what the thread kept for itself is given back.
pub(super) fn change_by_thread(work: impl FnOnce() + Send) -> Change {
    change_by(|| thread::scope(|scope| scope.spawn(work).join().expect("it does not panic"))).1
}

/// Whether what is counted here is what was asked for, also across threads. It is asked at each run, before anything else.
pub(super) fn check() -> Result<(), String> {
    // What the standard library makes for the first thread of a process is nobody's.
    change_by_thread(|| ());
    let boxes = || (0..1000).map(|_| black_box(Box::new([0_u8; 100]))).collect::<Vec<_>>();
    let (boxes, made) = change_by(boxes);
    let dropped = change_by_thread(|| drop(boxes));
    let whole = change_by_thread(|| ());
    // A thread's own blocks come and go with it.
    let expected = [
        (made, Change { bytes: 100_000 + 8000, allocations: 1001 }),
        (dropped, Change { bytes: -108_000, allocations: whole.allocations }),
        (whole, Change { bytes: 0, allocations: whole.allocations }),
    ];
    match expected.iter().find(|(found, expected)| found != expected) {
        None => Ok(()),
        Some(wrong) => Err(format!("the allocator does not count right: {wrong:?}")),
    }
}
