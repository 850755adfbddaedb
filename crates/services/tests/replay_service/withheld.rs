//! Letters that lack headers: not replayed by themselves, and by hand only with what they lack.

use fuseboard_core::Pin;
use fuseboard_core::letter::{Event, Status};
use fuseboard_services::replay_service::{BatchOptions, ReplayResult};
use fuseboard_services::withhold::{Given, HeaderRules};
use fuseboard_store::{By, Draft, LetterId};

use crate::rig::{Reply, Rig};

fn ops() -> By {
    By::new("ops", "the customer called")
}

/// A letter that came with credentials, which it must not keep; `accept` it keeps.
async fn capture(rig: &Rig) -> LetterId {
    let change = |draft: &mut Draft| {
        draft.headers = vec![
            ("Authorization".to_owned(), b"Bearer abc".to_vec()),
            ("accept".to_owned(), b"*/*".to_vec()),
            ("cookie".to_owned(), b"a=b".to_vec()),
            ("cookie".to_owned(), b"c=d".to_vec()),
        ];
        let rules: HeaderRules = "authorization, cookie, x-not-there".parse().unwrap();
        assert_eq!(rules.withhold(&mut draft.headers), ["authorization", "cookie"]);
    };
    rig.capture_one(change).await
}

/// Rigs whose other side takes only letters with credentials, and no cookies.
fn rigs() -> Vec<Rig> {
    Rig::all(|letter| {
        let has = |wanted: &str| letter.headers.iter().any(|(name, _)| name == wanted);
        assert!(!has("(withheld)"), "the mark does not go out: {:?}", letter.headers);
        match (has("authorization"), has("cookie")) {
            (true, false) => Reply::Done,
            _ => Reply::Never,
        }
    })
}

#[tokio::test]
async fn nobody_replays_it_without_what_it_lacks() {
    for rig in rigs() {
        let id = capture(&rig).await;
        let whole =
            rig.capture_one(|draft| draft.headers = vec![("authorization".into(), vec![])]).await;
        let batch = rig.service.replay_batch(BatchOptions::default()).await.unwrap();
        assert_eq!((batch.success_count, batch.failed_count), (1, 1), "{}", rig.name);
        assert_eq!(rig.life(whole).await.status, Status::Resolved);
        assert_eq!(rig.life(id).await.status, Status::RequiresReview);
        let letter = rig.letters.get(id).await.unwrap().unwrap();
        let why = "withheld: authorization, cookie; it can be replayed by hand, with their values";
        assert_eq!(letter.last_error.as_deref(), Some(why));
        assert!(!format!("{:?}", letter.headers).contains("66, 101, 97"), "{:?}", letter.headers);

        rig.letters.act(id, Event::Requeue, ops(), letter.updated_at).await.unwrap();
        let again = rig.service.replay_single(id).await.unwrap();
        assert_eq!(again.error.as_deref(), Some(why));
        assert_eq!(rig.came().len(), 1, "only the whole one");
        rig.conserved().await;
    }
}

#[tokio::test]
async fn by_hand_it_goes_with_the_values_that_are_given_and_they_are_kept_nowhere() {
    for rig in rigs() {
        let id = capture(&rig).await;
        rig.letters
            .act(id, Event::SetAside, By::system("withheld"), rig.life(id).await.not_before)
            .await
            .unwrap();
        let given = Given::new().with("AUTHORIZATION", "Bearer new").without("cookie");
        assert_eq!(format!("{given:?}"), "{\"authorization\", \"cookie\"}");
        let result = rig.service.replay_single_with(id, given, ops(), false).await.unwrap();
        let expected = ReplayResult::succeeded(id, "answered 200");
        assert_eq!(result, expected.with("status", "resolved").with("attempts", "1"));
        let kept = rig.letters.get(id).await.unwrap().unwrap().headers;
        let names: Vec<_> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["accept", "(withheld)"]);
        let audit = rig.audit().await;
        let letter = |what: &str| format!("{what} letter/{id}");
        let expected = ["system letter.set_aside", "ops letter.requeue", "ops replay_single"];
        assert_eq!(audit, expected.map(letter), "{}", rig.name);
        rig.conserved().await;
    }
}

#[tokio::test]
async fn values_must_be_those_that_it_lacks() {
    for rig in rigs() {
        let id = capture(&rig).await;
        let both = || Given::new().with("authorization", "x").with("cookie", "y");
        let rows = [
            (Given::new(), "cannot replay: no value for authorization, cookie"),
            (Given::new().with("cookie", "x"), "cannot replay: no value for authorization"),
            (both().with("host", "elsewhere"), "cannot replay: not withheld: host"),
        ];
        for (given, error) in rows {
            let result = rig.service.replay_single_with(id, given, ops(), false).await.unwrap();
            assert_eq!(result, ReplayResult::failed(id, error));
        }
        assert_eq!(rig.life(id).await.fence, 0, "nobody claimed it");

        rig.letters.act(id, Event::SetAside, ops(), rig.life(id).await.not_before).await.unwrap();
        rig.breaker("payments").force_open(Pin::by("ops"));
        let rejected = rig.service.replay_single_with(id, both(), ops(), false).await.unwrap();
        assert!(rejected.skipped, "{rejected:?}");
        assert_eq!(rig.life(id).await.status, Status::RequiresReview, "it waits where it was");
        rig.conserved().await;
    }
}
