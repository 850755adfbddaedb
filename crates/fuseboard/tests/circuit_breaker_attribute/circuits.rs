//! Which circuit a function is behind, and by which rules.

use std::panic::catch_unwind;
use std::sync::{Arc, LazyLock};

use fuseboard::{Board, CallError, CircuitBreaker, Pin, Rules, circuit_breaker, global};

use crate::rig::{Rig, rig};

type Answer = Result<u32, CallError<String>>;

/// What a function panics with, in text.
fn panic_of(function: fn() -> Answer) -> String {
    let panic = catch_unwind(function).expect_err("it panics");
    panic.downcast_ref::<String>().expect("its message is formatted").clone()
}

#[test]
fn functions_with_one_name_and_the_same_rules_share_a_circuit() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("payments", failure_threshold = 3, board = RIG.board)]
    fn charge() -> Answer {
        Ok(1)
    }

    #[circuit_breaker(name = "payments", trip = "failure_streak(3)", errors(String), board = RIG.board)]
    fn refund() -> Answer {
        Ok(2)
    }

    assert_eq!((charge(), refund()), (Ok(1), Ok(2)));
    assert_eq!(RIG.totals().success, 2);
    RIG.circuit().force_open(Pin::by("test"));
    assert!(charge().is_err() && refund().is_err());
}

#[test]
fn functions_with_one_name_and_other_rules_panic_at_the_first_call() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("payments", board = RIG.board)]
    fn charge() -> Answer {
        Ok(1)
    }

    #[circuit_breaker("payments", slots = 1, board = RIG.board)]
    fn refund() -> Answer {
        Ok(2)
    }

    assert_eq!(charge(), Ok(1));
    let expected = "#[circuit_breaker] on `circuit_breaker_attribute::circuits::refund`: circuit `payments` exists \
                    with other policies; differing: slots is 3, not 1";
    assert_eq!(panic_of(refund), expected);
    assert_eq!(panic_of(refund), expected, "and at every other");
}

#[test]
fn a_text_that_is_no_policy_panics_with_its_function_field_and_column() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("payments", trip = "min_requests(20) & failure_rate(1.5)", board = RIG.board)]
    fn above_one() -> Answer {
        Ok(1)
    }

    #[circuit_breaker("payments", window = "count(10)", trip = "min_requests(20) & failure_rate(0.5)", board = RIG.board)]
    fn never_enough() -> Answer {
        Ok(1)
    }

    let start = "#[circuit_breaker] on `circuit_breaker_attribute::circuits::";
    assert_eq!(
        panic_of(above_one),
        format!(
            "{start}above_one`: trip = \"min_requests(20) & failure_rate(1.5)\": column 33: expected a ratio from 0 \
             to 1, found `1.5`"
        )
    );
    let message = panic_of(never_enough);
    assert!(
        message.starts_with(&format!("{start}never_enough`: trip: `min_requests(20)")),
        "{message}"
    );
}

/// Checks that the rules of the only circuit on a board are `changed`, and otherwise those that go without saying.
fn assert_changed(rig: &Rig, changed: &[(&str, &str)]) {
    let defaults = Rules::default().settings();
    let mut expected = defaults.each_ref().map(|(name, value)| (*name, value.as_str()));
    for (name, value) in changed {
        let setting = expected.iter_mut().find(|(known, _)| known == name);
        setting.expect("it is a setting").1 = value;
    }
    let circuit = rig.circuit();
    let found = circuit.rules().settings();
    assert_eq!(found.each_ref().map(|(name, value)| (*name, value.as_str())), expected);
}

#[test]
fn the_classic_settings_reach_their_rules() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker(
        "payments",
        failure_threshold = 3,
        success_threshold = 4,
        timeout = "1m30s",
        slots = 5,
        probe_timeout = "250ms",
        cancelled_after = "1.5s",
        board = RIG.board,
    )]
    fn charge() -> Answer {
        Ok(1)
    }

    charge().unwrap();
    let changed = [
        ("trip", "failure_streak(3)"),
        ("recovery", "successes(4)"),
        ("retry", "cooldown(1m30s)"),
        ("slots", "5"),
        ("probe_timeout", "250ms"),
        ("cancelled_after", "1.5s"),
    ];
    assert_changed(&RIG, &changed);
}

#[test]
fn policies_in_text_reach_their_rules() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker(
        "payments",
        window = "time(1m)",
        trip = "failures(7)",
        retry = "backoff(1s, max=1h, jitter=0.5)",
        permit = "random(0.5)",
        recovery = "tripper",
        board = RIG.board,
    )]
    fn charge() -> Answer {
        Ok(1)
    }

    charge().unwrap();
    let changed = [
        ("window", "time(1m)"),
        ("trip", "failures(7)"),
        ("retry", "backoff(1s, max=1h, jitter=0.5)"),
        ("permit", "random(0.5)"),
        ("recovery", "tripper"),
    ];
    assert_changed(&RIG, &changed);
}

#[test]
fn a_circuit_without_settings_has_the_default_rules() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("payments", errors(String), board = RIG.board)]
    fn charge() -> Answer {
        Ok(1)
    }

    charge().unwrap();
    assert_changed(&RIG, &[]);
}

/// A client with a circuit of its own.
struct Client {
    breaker: CircuitBreaker,
    shared: Arc<CircuitBreaker>,
    sum: u32,
}

static ORDERS: LazyLock<CircuitBreaker> =
    LazyLock::new(|| CircuitBreaker::builder("orders").build().expect("the name is possible"));

impl Client {
    fn new(name: &str) -> Self {
        let breaker = CircuitBreaker::builder(name).build().expect("the name is possible");
        Client { shared: Arc::new(breaker.clone()), breaker, sum: 0 }
    }

    fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    #[circuit_breaker(breaker = self.breaker)]
    fn borrowed(&self) -> Answer {
        Ok(self.sum)
    }

    #[circuit_breaker(breaker = self.shared)]
    fn shared(&self) -> Answer {
        Ok(self.sum)
    }

    #[circuit_breaker(breaker = self.breaker())]
    async fn called(&self) -> Answer {
        Ok(self.sum)
    }

    #[circuit_breaker(breaker = &self.breaker)]
    fn changed(&mut self, by: u32) -> Result<&mut u32, CallError<String>> {
        self.sum += by;
        Ok(&mut self.sum)
    }

    #[circuit_breaker(breaker = self.breaker)]
    async fn changed_later(&mut self, by: u32) -> Answer {
        self.sum += by;
        Ok(self.sum)
    }

    #[circuit_breaker(breaker = self.breaker)]
    fn taken(self) -> Result<Client, CallError<String>> {
        Ok(self)
    }
}

#[circuit_breaker(breaker = client.breaker)]
fn through(client: Client) -> Result<Client, CallError<String>> {
    Ok(client)
}

#[circuit_breaker(breaker = ORDERS)]
fn order() -> Answer {
    Ok(1)
}

#[tokio::test]
async fn each_instance_may_have_its_own_breaker() {
    let (mut one, other) = (Client::new("one"), Client::new("other"));
    assert_eq!((one.borrowed(), one.shared(), one.called().await), (Ok(0), Ok(0), Ok(0)));
    assert_eq!(one.changed(1).copied(), Ok(1));
    assert_eq!(one.changed_later(1).await, Ok(2));
    let one = through(one.taken().unwrap()).unwrap();
    assert_eq!(one.breaker.info().totals.success, 7);
    one.breaker.force_open(Pin::by("test"));
    assert!(one.borrowed().is_err());
    assert_eq!(other.borrowed(), Ok(0));
}

#[test]
fn a_breaker_may_be_a_static() {
    assert_eq!(order(), Ok(1));
    assert_eq!(ORDERS.info().totals.success, 1);
}

#[test]
fn all_instances_of_a_generic_function_are_behind_one_circuit() {
    static RIG: LazyLock<Rig> = rig();

    #[circuit_breaker("payments", board = RIG.board)]
    fn same<T>(value: T) -> Result<T, CallError<String>> {
        Ok(value)
    }

    assert_eq!((same(1), same("a")), (Ok(1), Ok("a")));
    assert_eq!(RIG.totals().success, 2);
}

#[test]
fn a_board_may_belong_to_the_type() {
    struct Shop;

    impl Shop {
        fn board() -> &'static Board {
            static RIG: LazyLock<Rig> = rig();
            &RIG.board
        }

        #[circuit_breaker("payments", board = Self::board())]
        fn charge(&self) -> Answer {
            Ok(1)
        }
    }

    assert_eq!(Shop.charge(), Ok(1));
    assert!(Shop::board().get("payments").is_some());
}

#[test]
fn without_a_board_the_circuit_is_on_that_of_the_process() {
    #[circuit_breaker("on the board of the process")]
    fn charge() -> Answer {
        Ok(1)
    }

    assert_eq!(charge(), Ok(1));
    let circuit = global::board().get("on the board of the process").unwrap();
    assert_eq!(circuit.info().totals.success, 1);
    assert!(global::install(Board::new()).is_err(), "someone asked for the board already");
}
