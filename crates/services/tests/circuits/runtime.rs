//! Runtimes: whose service a getter gives.

use std::sync::Arc;
use std::thread;

use fuseboard_services::circuits::{
    CircuitBreakerConfig, CircuitBreakerService, Runtime, get_circuit_breaker_service,
};

/// A runtime whose service is known by its threshold.
fn runtime(failure_threshold: u32) -> Runtime {
    let config = CircuitBreakerConfig { failure_threshold, ..CircuitBreakerConfig::default() };
    let service = CircuitBreakerService::builder().config(config).build().unwrap();
    let runtime = Runtime::new();
    runtime.set(Arc::new(service));
    runtime
}

fn threshold() -> u32 {
    get_circuit_breaker_service().config().failure_threshold
}

#[test]
fn the_getter_gives_the_same_service_each_time() {
    Runtime::new().scope(|| {
        let first = get_circuit_breaker_service();
        assert!(Arc::ptr_eq(&first, &get_circuit_breaker_service()));
    });
}

#[test]
fn runtimes_do_not_see_each_others_circuits() {
    Runtime::new().scope(|| get_circuit_breaker_service().should_allow("mine").unwrap());
    Runtime::new().scope(|| assert!(get_circuit_breaker_service().get_all_states().is_empty()));
}

#[test]
fn the_innermost_runtime_holds_and_leaving_brings_the_outer_one_back() {
    let (outer, inner) = (runtime(11), runtime(12));
    let _outer = outer.enter();
    assert_eq!(threshold(), 11);
    inner.scope(|| assert_eq!(threshold(), 12));
    assert_eq!(threshold(), 11);
}

#[test]
fn guards_may_be_dropped_in_any_order() {
    let first = runtime(11).enter();
    let second = runtime(12).enter();
    drop(first);
    assert_eq!(threshold(), 12);
    let third = runtime(13).enter();
    drop(second);
    assert_eq!(threshold(), 13);
    drop(third);
    assert_eq!(threshold(), 5, "that of the process");
}

#[test]
fn a_panic_leaves_the_runtime_too() {
    let runtime = runtime(11);
    let panicked = thread::spawn(move || {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.scope(|| panic!("inside"));
        }));
        assert!(caught.is_err());
        threshold()
    });
    assert_eq!(panicked.join().unwrap(), 5);
}

#[test]
fn another_thread_is_in_no_runtime_that_it_did_not_enter() {
    let runtime = runtime(11);
    let _entered = runtime.enter();
    let clone = runtime.clone();
    let other = thread::spawn(move || (threshold(), clone.scope(threshold)));
    assert_eq!(other.join().unwrap(), (5, 11));
}

#[test]
fn a_service_that_is_set_is_swapped_for_those_who_ask_from_then_on() {
    let runtime = Runtime::new();
    let before = runtime.scope(get_circuit_breaker_service);
    let mine = Arc::new(CircuitBreakerService::default());
    let replaced = runtime.set(Arc::clone(&mine)).unwrap();
    assert!(Arc::ptr_eq(&replaced, &before));
    assert!(Arc::ptr_eq(&runtime.scope(get_circuit_breaker_service), &mine));
}

#[test]
fn services_of_other_types_can_join_and_ask_for_each_other() {
    struct Replays(Arc<CircuitBreakerService>);
    let runtime = runtime(11);
    let replays = runtime.scope(|| {
        Runtime::current().get_or_init(|| Arc::new(Replays(get_circuit_breaker_service())))
    });
    assert_eq!(replays.0.config().failure_threshold, 11);
}

#[test]
fn threads_that_ask_at_the_same_time_get_one_service() {
    let runtime = Runtime::new();
    let services: Vec<_> = thread::scope(|scope| {
        let ask = || scope.spawn(|| runtime.scope(get_circuit_breaker_service));
        let threads: Vec<_> = (0..8).map(|_| ask()).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(services.iter().all(|service| Arc::ptr_eq(service, &services[0])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_future_stays_in_its_runtime_on_whatever_thread_it_runs() {
    let future = |runtime: Runtime, expected: u32| async move {
        let steps = async {
            for _ in 0..100 {
                assert_eq!(threshold(), expected);
                tokio::task::yield_now().await;
            }
        };
        runtime.within(steps).await;
        assert_eq!(threshold(), 5, "outside it is in none");
    };
    let tasks = [11, 12, 13].map(|number| tokio::spawn(future(runtime(number), number)));
    for task in tasks {
        task.await.unwrap();
    }
}
