//! Letters that are encrypted at rest: captured, kept over a restart, replayed; and keys that are not the right ones.

use std::fs;
use std::path::Path;

use fuseboard_core::letter::{Event, Status};
use fuseboard_server::app::StartError;
use fuseboard_store::{By, LetterId, Query, StoreError};
use tempfile::TempDir;

use crate::rig::{Rig, Setup, answer, get, with_body};
use crate::upstream::Upstream;

const QUEUE: &str = "fallback = [\"queue\"]\n";
const SECRETS: [&str; 3] = ["Bearer abc", "card 4242", "the answer's own"];

/// A folder for the data and for keys: `KEY.key` for each, of its first character only.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, digit) in [("one", "1"), ("two", "2")] {
            fs::write(folder.path().join(format!("{name}.key")), digit.repeat(64)).unwrap();
        }
        Place { folder }
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    fn key(&self, id: &str, file: &str) -> String {
        let file = self.folder.path().join(file);
        format!("key_id = {id:?}, key_file = {:?}", file.display().to_string())
    }

    /// A server whose letters are here, with these lines about keys.
    fn setup(&self, upstream: &Upstream, encryption: &str) -> Setup {
        let letters = format!("encryption = {{ {encryption} }}\n");
        let data = Some(self.data());
        Setup { data, ..Setup::of(upstream).route(QUEUE).letters(&letters) }
    }

    fn secrets(&self) -> Vec<&'static str> {
        let files = fs::read_dir(Path::new(&self.data())).unwrap();
        let bytes: Vec<u8> =
            files.flat_map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
        let is_here = |secret: &&str| bytes.windows(secret.len()).any(|at| at == secret.as_bytes());
        SECRETS.into_iter().filter(is_here).collect()
    }
}

/// Captures a letter while the circuit is open; its page.
async fn capture(rig: &Rig) -> String {
    rig.force_open();
    let request = with_body("POST", "/pay", "authorization: Bearer abc\r\n", "card 4242");
    let accepted = rig.ask(request).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text());
    accepted.get("location").unwrap()
}

#[tokio::test]
async fn what_is_captured_is_sealed_on_the_disk_and_replayed_as_it_came_after_a_restart() {
    let upstream = Upstream::answering(|_| answer(201, "", "the answer's own")).await;
    let place = Place::new();
    let one = place.key("one", "one.key");
    let rig = Rig::start(place.setup(&upstream, &one)).await;
    let page = capture(&rig).await;
    assert!(place.secrets().is_empty(), "{:?}", place.secrets());
    rig.app.stop().await;

    let rotated = format!("{}, previous = [{{ {one} }}]", place.key("two", "two.key"));
    let rig = Rig::start(place.setup(&upstream, &rotated)).await;
    rig.until_letter(&page, "resolved").await;
    let request = upstream.only();
    assert_eq!(request.get("authorization").unwrap(), "Bearer abc");
    assert_eq!(request.body, b"card 4242");
    let answered = rig.ask(get(&format!("{page}/answer"))).await;
    assert_eq!((answered.status, answered.text().as_str()), (201, "the answer's own"));
    rig.app.stop().await;
    assert!(place.secrets().is_empty(), "{:?}", place.secrets());
}

#[tokio::test]
async fn a_server_without_the_right_keys_does_not_start() {
    let upstream = Upstream::good().await;
    let place = Place::new();
    let one = place.key("one", "one.key");
    let rig = Rig::start(place.setup(&upstream, &one)).await;
    capture(&rig).await;
    rig.app.stop().await;

    let refused = async |keys: &str| Rig::refused(place.setup(&upstream, keys)).await;
    let other = refused(&place.key("one", "two.key")).await;
    assert!(matches!(&other, StartError::WrongKey(StoreError::WrongKey { key }) if key == "one"));
    assert!(other.to_string().starts_with("letters.encryption: the key `one` is another one than"));
    let missing = refused(&place.key("two", "two.key")).await;
    assert!(matches!(&missing, StartError::MissingKey(_)), "{missing}");
    let said = missing.to_string();
    assert!(
        said.starts_with(
            "letters.encryption.previous: letter 1 cannot be opened: the key `one` is"
        )
    );
    assert!(said.ends_with("its name in letters.encryption.lost"), "{said}");
    let no_file = refused(&place.key("one", "none.key")).await;
    assert!(matches!(&no_file, StartError::Key(_)), "{no_file}");
    assert!(no_file.to_string().contains("none.key` cannot be read"), "{no_file}");
}

#[tokio::test]
async fn letters_of_a_lost_key_go_to_review_and_hold_nobody_up() {
    let upstream = Upstream::good().await;
    let place = Place::new();
    let rig = Rig::start(place.setup(&upstream, &place.key("one", "one.key"))).await;
    let page = capture(&rig).await;
    rig.app.stop().await;

    let lost = format!("{}, lost = [\"one\"]", place.key("two", "two.key"));
    let rig = Rig::start(place.setup(&upstream, &lost)).await;
    let later = rig.ask(with_body("POST", "/pay", "", "card 4242")).await;
    assert_eq!(later.status, 200);
    let review = Query { status: Some(Status::RequiresReview), ..Query::default() };
    let listed = loop {
        let listed = rig.app.letters().list(review.clone()).await.unwrap();
        if !listed.is_empty() {
            break listed;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await; // waits for: the replay
    };
    let why = listed[0].last_error.as_deref().unwrap();
    assert!(why.starts_with("it cannot be opened: the key `one` is not in the keyring"), "{why}");
    assert_eq!(rig.ask(get(&page)).await.status, 503);
    assert_eq!(upstream.requests().len(), 1, "ciphertext never goes out");
    let by = By::new("ops", "lost");
    rig.app.letters().act(LetterId(1), Event::Discard, by, listed[0].updated_at).await.unwrap();
}

#[tokio::test]
async fn letters_in_clear_go_on_when_encryption_is_turned_on() {
    let upstream = Upstream::good().await;
    let place = Place::new();
    let in_clear = Setup { letters: String::new(), ..place.setup(&upstream, "") };
    let rig = Rig::start(in_clear).await;
    let page = capture(&rig).await;
    rig.app.stop().await;
    assert_eq!(place.secrets(), ["Bearer abc", "card 4242"]);

    let rig = Rig::start(place.setup(&upstream, &place.key("one", "one.key"))).await;
    rig.until_letter(&page, "resolved").await;
    assert_eq!(upstream.only().body, b"card 4242");
}
