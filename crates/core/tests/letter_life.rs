//! The life of a dead letter: every row of its table, and the refusal of everything else.
#![cfg(test)]

use std::time::Duration;

use fuseboard_core::letter::{Answer, Event, Life, Refused, Rules, Status, step};
use fuseboard_core::policy::Retry;
use fuseboard_core::time::WallTime;

const LEASE: Duration = Duration::from_secs(15);
const AGAIN: Answer = Answer::Again { retry_after: None };
/// A draw that leaves a jittered wait as it is.
const MIDDLE: f64 = 0.5;

const fn at(seconds: i64) -> WallTime {
    WallTime::from_unix_millis(seconds * 1000)
}

/// When every letter here is captured.
const START: WallTime = at(1000);

fn must(life: &Life, event: Event, now: WallTime, rules: &Rules) -> Life {
    step(life, event, now, rules).unwrap()
}

fn claim(life: &Life, now: WallTime) -> Life {
    must(life, Event::Claim { lease: LEASE }, now, &Rules::default())
}

fn settled(life: &Life, answer: Answer) -> Event {
    Event::Settled { fence: life.fence, answer, draw: MIDDLE }
}

/// A letter in `status`, brought there by the machine itself.
fn letter_in(status: Status) -> Life {
    let (pending, rules) = (Life::captured(START), Rules::default());
    let replaying = claim(&pending, START);
    let after = |answer| must(&replaying, settled(&replaying, answer), START, &rules);
    let life = match status {
        Status::Pending => pending,
        Status::Replaying => replaying,
        Status::RequiresReview => after(Answer::Never),
        Status::Resolved => after(Answer::Done),
        Status::Discarded => must(&pending, Event::Discard, START, &rules),
        Status::Expired => {
            let expiring = Life { expires_at: Some(START), ..pending };
            must(&expiring, Event::Tick, START, &rules)
        }
    };
    assert_eq!(life.status, status);
    life
}

/// Every event, each in the forms that make a difference.
const EVENTS: [&str; 21] = [
    "claim",
    "claim_early",
    "claim_after_expiry",
    "claim_after_lease",
    "claim_after_lease_and_expiry",
    "done",
    "again",
    "never",
    "not_reached",
    "done_with_old_fence",
    "handed_back",
    "handed_back_with_old_fence",
    "owner_started",
    "requeue",
    "hasten",
    "set_aside",
    "discard",
    "tick",
    "tick_after_expiry",
    "tick_after_lease",
    "tick_after_lease_and_expiry",
];

/// What `name` stands for: the letter before it, the event, and when it happens.
fn event(name: &str, life: Life) -> (Life, Event, WallTime) {
    let claim = Event::Claim { lease: LEASE };
    let old = |event| match event {
        Event::Settled { answer, draw, .. } => {
            Event::Settled { fence: life.fence + 1, answer, draw }
        }
        _ => Event::HandedBack { fence: life.fence + 1 },
    };
    let handed_back = Event::HandedBack { fence: life.fence };
    let expiring = Life { expires_at: Some(START), ..life };
    match name {
        "claim" => (life, claim, START),
        "claim_after_lease_and_expiry" => (expiring, claim, START + LEASE),
        "claim_early" => (Life { not_before: at(1001), ..life }, claim, START),
        "claim_after_expiry" => (expiring, claim, START),
        "claim_after_lease" => (life, claim, START + LEASE),
        "done" => (life, settled(&life, Answer::Done), START),
        "again" => (life, settled(&life, AGAIN), START),
        "never" => (life, settled(&life, Answer::Never), START),
        "not_reached" => (life, settled(&life, Answer::NotReached), START),
        "done_with_old_fence" => (life, old(settled(&life, Answer::Done)), START),
        "handed_back" => (life, handed_back, START),
        "handed_back_with_old_fence" => (life, old(handed_back), START),
        "owner_started" => (life, Event::OwnerStarted, START),
        "requeue" => (life, Event::Requeue, START),
        "hasten" => (life, Event::Hasten, START),
        "set_aside" => (life, Event::SetAside, START),
        "discard" => (life, Event::Discard, START),
        "tick" => (life, Event::Tick, START),
        "tick_after_expiry" => (expiring, Event::Tick, START),
        "tick_after_lease" => (life, Event::Tick, START + LEASE),
        "tick_after_lease_and_expiry" => (expiring, Event::Tick, START + LEASE),
        other => panic!("`{other}` is no event"),
    }
}

/// Status and event; status after, fences more, attempts, crashes. What is not listed is refused.
const ROWS: &str = "
pending          claim                        replaying        1  0  0
pending          claim_after_expiry           expired          0  0  0
pending          claim_after_lease            replaying        1  0  0
pending          claim_after_lease_and_expiry expired          0  0  0
pending          hasten                       pending          1  0  0
pending          set_aside                    requires_review  1  0  0
pending          discard                      discarded        1  0  0
pending          tick_after_expiry            expired          0  0  0
pending          tick_after_lease_and_expiry  expired          0  0  0
replaying        claim_after_lease            replaying        1  0  1
replaying        claim_after_lease_and_expiry expired          1  0  1
replaying        done                         resolved         0  1  0
replaying        again                        pending          0  1  0
replaying        never                        requires_review  0  1  0
replaying        not_reached                  pending          0  0  0
replaying        handed_back                  pending          0  0  0
replaying        owner_started                pending          1  0  1
replaying        tick_after_lease             pending          1  0  1
replaying        tick_after_lease_and_expiry  expired          1  0  1
requires_review  requeue                      pending          1  0  0
requires_review  discard                      discarded        1  1  0
";

fn row(status: Status, name: &str) -> Option<Vec<&'static str>> {
    let rows = ROWS.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| !row.is_empty()).find(|row| row[0] == status.as_str() && row[1] == name)
}

#[test]
fn every_row_of_the_table_holds_and_everything_else_is_refused() {
    let mut accepted = 0;
    for status in Status::ALL {
        for name in EVENTS {
            let (before, event, now) = event(name, letter_in(status));
            let after = step(&before, event, now, &Rules::default());
            let Some(row) = row(status, name) else {
                assert!(after.is_err(), "{status} {name}: expected a refusal, got {after:?}");
                continue;
            };
            accepted += 1;
            let after = after.unwrap_or_else(|refused| panic!("{status} {name}: {refused}"));
            let Life { status: to, fence, attempts, crashes, .. } = after;
            let fences = fence - before.fence;
            let got = format!("{status} {name} {to} {fences} {attempts} {crashes}");
            assert_eq!(got, row.join(" "));
            let leased = after.lease_until.is_some();
            assert_eq!(leased, to == Status::Replaying, "{got}: only a claim has a lease");
        }
    }
    let rows = ROWS.lines().filter(|line| !line.is_empty()).count();
    assert_eq!(accepted, rows, "every row names a status and an event that are tried");
}

#[test]
fn a_refusal_says_what_stands_in_the_way() {
    let late = |held, current| Refused::Fence { held, current };
    let table = [
        (Status::Pending, "claim_early", Refused::NotDue(at(1001))),
        (Status::Replaying, "claim", Refused::NotDue(START + LEASE)),
        (Status::Replaying, "done_with_old_fence", late(2, 1)),
        (Status::Replaying, "handed_back_with_old_fence", late(2, 1)),
        (Status::Replaying, "discard", Refused::Status(Status::Replaying)),
        (Status::Resolved, "done_with_old_fence", late(2, 1)),
        (Status::Resolved, "done", Refused::Status(Status::Resolved)),
        (Status::Resolved, "requeue", Refused::Status(Status::Resolved)),
        (Status::Pending, "tick", Refused::Status(Status::Pending)),
        (Status::Replaying, "tick", Refused::NotDue(START + LEASE)),
        (Status::Replaying, "tick_after_expiry", Refused::NotDue(START + LEASE)),
        (Status::Resolved, "tick_after_lease", Refused::Status(Status::Resolved)),
    ];
    for (status, name, expected) in table {
        let (life, event, now) = event(name, letter_in(status));
        let refused = step(&life, event, now, &Rules::default()).unwrap_err();
        assert_eq!(refused, expected, "{status} {name}");
        assert!(!refused.to_string().is_empty());
    }
    assert!(late(1, 2).to_string().contains("fence 1 is over"));
}

#[test]
fn a_late_holder_can_neither_settle_nor_hand_back() {
    let (first, rules) = (letter_in(Status::Replaying), Rules::default());
    let overtakers = [
        ("another claim", claim(&first, START + LEASE)),
        ("a new owner", must(&first, Event::OwnerStarted, START, &rules)),
        ("time", must(&first, Event::Tick, START + LEASE, &rules)),
    ];
    for (name, taken) in overtakers {
        let refused = Refused::Fence { held: first.fence, current: taken.fence };
        for late in [settled(&first, Answer::Done), Event::HandedBack { fence: first.fence }] {
            assert_eq!(step(&taken, late, START + LEASE, &rules), Err(refused), "{name}: {late:?}");
        }
    }
    let requeued = must(&letter_in(Status::RequiresReview), Event::Requeue, START, &rules);
    let late = settled(&first, Answer::Done);
    assert!(matches!(step(&requeued, late, START, &rules), Err(Refused::Fence { .. })));
}

#[test]
fn a_claim_holds_until_its_lease_is_over() {
    let replaying = letter_in(Status::Replaying);
    assert_eq!(replaying.lease_until, Some(START + LEASE));
    let just_before = START + (LEASE - Duration::from_millis(1));
    let again = Event::Claim { lease: LEASE };
    assert!(step(&replaying, again, just_before, &Rules::default()).is_err());
    let taken = claim(&replaying, START + LEASE);
    assert_eq!(taken.lease_until, Some(START + LEASE + LEASE));
}

#[test]
fn a_letter_is_due_from_its_not_before_on() {
    let life = Life { not_before: at(1001), ..Life::captured(START) };
    let just_before = WallTime::from_unix_millis(1_000_999);
    let early = step(&life, Event::Claim { lease: LEASE }, just_before, &Rules::default());
    assert_eq!(early, Err(Refused::NotDue(at(1001))));
    assert_eq!(claim(&life, at(1001)).status, Status::Replaying);
}

/// Claims and settles a letter with each answer in turn, each as soon as it is due.
fn replayed(answers: &[Answer], rules: &Rules) -> Life {
    answers.iter().fold(Life::captured(START), |life, answer| {
        let claimed = claim(&life, life.not_before);
        must(&claimed, settled(&claimed, *answer), life.not_before, rules)
    })
}

#[test]
fn attempts_count_what_reached_the_other_side_and_have_a_cap() {
    let rules = Rules { max_attempts: 3, ..Rules::default() };
    let none = Answer::NotReached;
    let table: [(&[Answer], Status, u32); 7] = [
        (&[AGAIN, AGAIN], Status::Pending, 2),
        (&[AGAIN, AGAIN, AGAIN], Status::RequiresReview, 3),
        (&[AGAIN, AGAIN, Answer::Done], Status::Resolved, 3),
        (&[AGAIN, none, none, none, AGAIN], Status::Pending, 2),
        (&[AGAIN, none, AGAIN, AGAIN], Status::RequiresReview, 3),
        (&[none; 20], Status::Pending, 0),
        (&[Answer::Never], Status::RequiresReview, 1),
    ];
    for (answers, status, attempts) in table {
        let life = replayed(answers, &rules);
        assert_eq!((life.status, life.attempts), (status, attempts), "{answers:?}");
        assert_eq!(life.crashes, 0, "{answers:?}");
    }
    assert_eq!(replayed(&[AGAIN; 299], &Rules::default()).status, Status::Pending);
    assert_eq!(replayed(&[AGAIN; 300], &Rules::default()).status, Status::RequiresReview);
}

#[test]
fn a_letter_that_is_handed_back_counts_no_attempt_and_is_due_at_once() {
    let mut life = Life::captured(START);
    for _ in 0..50 {
        let claimed = claim(&life, at(1005));
        let back = Event::HandedBack { fence: claimed.fence };
        life = must(&claimed, back, at(1010), &Rules::default());
        assert_eq!((life.attempts, life.crashes, life.not_before), (0, 0, at(1010)));
        life.not_before = START;
    }
    assert_eq!((life.status, life.fence), (Status::Pending, 50));
}

#[test]
fn a_letter_that_kills_its_workers_ends_in_review() {
    let rules = Rules::default();
    assert_eq!(rules.max_crashes, 5);
    let mut claimed = letter_in(Status::Replaying);
    for crashes in 1..=5 {
        let lease_over = claimed.lease_until.unwrap();
        claimed = claim(&claimed, lease_over);
        let expected = if crashes < 5 { Status::Replaying } else { Status::RequiresReview };
        assert_eq!((claimed.status, claimed.crashes, claimed.attempts), (expected, crashes, 0));
    }
    assert_eq!(claimed.lease_until, None);

    for (event, now) in [(Event::OwnerStarted, START), (Event::Tick, START + LEASE)] {
        let mut freed = Life::captured(START);
        for crashes in 1..=5 {
            freed = must(&claim(&Life { not_before: START, ..freed }, START), event, now, &rules);
            let expected = if crashes < 5 { Status::Pending } else { Status::RequiresReview };
            let got = (freed.status, freed.crashes, freed.attempts, freed.not_before);
            assert_eq!(got, (expected, crashes, 0, now), "{event:?}");
        }
        let again = must(&freed, Event::Requeue, at(2000), &rules);
        assert_eq!((again.status, again.crashes), (Status::Pending, 0), "{event:?}");
    }
}

#[test]
fn a_letter_whose_worker_died_is_an_operators_again_from_the_next_tick_on() {
    let (replaying, rules) = (letter_in(Status::Replaying), Rules::default());
    let freed = must(&replaying, Event::Tick, START + LEASE, &rules);
    assert_eq!((freed.status, freed.lease_until), (Status::Pending, None));
    let moves = [(Event::SetAside, Status::RequiresReview), (Event::Discard, Status::Discarded)];
    for (event, status) in moves {
        assert!(step(&replaying, event, START + LEASE, &rules).is_err(), "{status}: too early");
        assert_eq!(must(&freed, event, START + LEASE, &rules).status, status);
    }
}

#[test]
fn a_person_looks_at_the_letter_that_killed_its_workers_even_past_its_expiry() {
    let rules = Rules::default();
    for event in [Event::Tick, Event::Claim { lease: LEASE }] {
        let killer = Life { crashes: 4, expires_at: Some(START), ..letter_in(Status::Replaying) };
        let life = must(&killer, event, START + LEASE, &rules);
        assert_eq!((life.status, life.crashes), (Status::RequiresReview, 5), "{event:?}");
    }
}

#[test]
fn a_hastened_letter_is_due_at_once_with_the_attempts_that_it_had_and_never_later_than_it_was() {
    for (due, now, after) in [(9000, 2000, 2000), (2000, 2000, 2000), (1500, 2000, 1500)] {
        let waiting =
            Life { attempts: 2, crashes: 1, not_before: at(due), ..Life::captured(START) };
        let hastened = must(&waiting, Event::Hasten, at(now), &Rules::default());
        assert_eq!((hastened.attempts, hastened.crashes), (2, 1));
        assert_eq!((hastened.status, hastened.not_before), (Status::Pending, at(after)));
    }
}

#[test]
fn a_requeue_clears_attempts_and_crashes_and_makes_the_letter_due() {
    let life = Life { crashes: 4, not_before: at(9000), ..letter_in(Status::RequiresReview) };
    assert_eq!(life.attempts, 1);
    let pending = must(&life, Event::Requeue, at(2000), &Rules::default());
    assert_eq!((pending.attempts, pending.crashes, pending.not_before), (0, 0, at(2000)));
}

#[test]
fn a_letter_waits_longer_after_each_try_that_failed() {
    let backoff = Rules { max_attempts: 100, ..Rules::default() };
    let minute = Some(Duration::from_secs(60));
    let hour = Some(Duration::from_secs(3600));
    let cooldown = |wait| Retry::cooldown(Duration::from_secs(wait));
    let table = [
        (backoff.retry.clone(), 0, MIDDLE, None, 1000),
        (backoff.retry.clone(), 1, MIDDLE, None, 2000),
        (backoff.retry.clone(), 4, MIDDLE, None, 16_000),
        (backoff.retry.clone(), 60, MIDDLE, None, 300_000),
        (backoff.retry.clone(), 0, 0.0, None, 800),
        (backoff.retry.clone(), 0, 0.75, None, 1100),
        (backoff.retry.clone(), 0, MIDDLE, minute, 60_000),
        (backoff.retry.clone(), 8, MIDDLE, minute, 256_000),
        (backoff.retry.clone(), 0, MIDDLE, hour, 300_000),
        (cooldown(7), 0, MIDDLE, None, 7000),
        (cooldown(7), 5, MIDDLE, None, 7000),
        (cooldown(7), 0, MIDDLE, hour, 3_600_000),
        (Retry::Always, 5, MIDDLE, None, 0),
    ];
    for (retry, attempts, draw, retry_after, expected) in table {
        let rules = Rules { retry, ..backoff.clone() };
        let claimed = Life { attempts, ..letter_in(Status::Replaying) };
        let answer = Answer::Again { retry_after };
        let event = Event::Settled { fence: claimed.fence, answer, draw };
        let waiting = must(&claimed, event, START, &rules);
        let wait = waiting.not_before.since(START).as_millis();
        let case = format!("{}, {attempts} before, {retry_after:?}", rules.retry);
        assert_eq!((waiting.status, wait), (Status::Pending, expected), "{case}");
    }
}

#[test]
fn what_was_not_reached_waits_too() {
    let claimed = letter_in(Status::Replaying);
    let life = must(&claimed, settled(&claimed, Answer::NotReached), START, &Rules::default());
    assert_eq!((life.not_before, life.attempts), (START + Duration::from_secs(1), 0));
}

#[test]
fn never_to_be_tried_again_means_review_after_the_first_failed_replay() {
    let rules = Rules { retry: Retry::Never, ..Rules::default() };
    assert_eq!(replayed(&[AGAIN], &rules).status, Status::RequiresReview);
    assert_eq!(replayed(&[Answer::Done], &rules).status, Status::Resolved);
}

#[test]
fn only_an_owners_expiry_expires_a_letter() {
    let far = at(10_000_000_000);
    assert!(step(&Life::captured(START), Event::Tick, far, &Rules::default()).is_err());
    let life = Life { expires_at: Some(at(2000)), ..Life::captured(START) };
    assert!(step(&life, Event::Tick, at(1999), &Rules::default()).is_err());
    assert_eq!(claim(&life, at(1999)).status, Status::Replaying);
    for event in [Event::Tick, Event::Claim { lease: LEASE }] {
        let expired = must(&life, event, at(2000), &Rules::default());
        assert_eq!(
            (expired.status, expired.fence, expired.lease_until),
            (Status::Expired, 0, None)
        );
    }
}

#[test]
fn what_the_other_side_answers_decides() {
    let retry_after = Some(Duration::from_secs(7));
    let table = [
        (100..=199, Answer::Never),
        (200..=299, Answer::Done),
        (300..=302, Answer::Never),
        (303..=303, Answer::Done),
        (304..=399, Answer::Never),
        (400..=407, Answer::Never),
        (408..=408, Answer::Again { retry_after }),
        (409..=424, Answer::Never),
        (425..=425, Answer::Again { retry_after }),
        (426..=428, Answer::Never),
        (429..=429, Answer::Again { retry_after }),
        (430..=499, Answer::Never),
        (500..=599, Answer::Again { retry_after }),
    ];
    for (codes, answer) in table {
        for code in codes {
            assert_eq!(Answer::from_http(code, retry_after), answer, "{code}");
        }
    }
    assert_eq!(Answer::from_http(503, None), AGAIN);
}

#[test]
fn a_status_is_a_word_and_some_are_final() {
    for status in Status::ALL {
        assert_eq!(status.to_string().parse(), Ok(status));
        let leaves =
            ROWS.lines().any(|line| line.split_whitespace().next() == Some(status.as_str()));
        assert_eq!(status.is_final(), !leaves, "{status}");
    }
    let unknown = "lost".parse::<Status>().unwrap_err().to_string();
    assert!(unknown.contains("`lost`") && unknown.contains("requires_review"), "{unknown}");
}
