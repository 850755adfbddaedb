//! No room for another letter: the next fallback applies and says so, everything else goes on, and when there is room
//! again letters are kept again.

use std::path::Path;
use std::process::{Command, Stdio};

use fuseboard_core::letter::Status;
use fuseboard_core::time::WallTime;
use tempfile::TempDir;

use crate::rig::{CHAIN, Rig, Setup, get, with_body};
use crate::upstream::Upstream;

#[tokio::test]
async fn when_the_capacity_is_reached_the_next_fallback_says_so() {
    let upstream = Upstream::good().await;
    let rig = Rig::start(Setup::of(&upstream).route(CHAIN).letters("capacity = 1\n")).await;
    for round in 1..=2 {
        rig.force_open();
        let kept = rig.ask(with_body("POST", "/", "", "first")).await;
        assert_eq!(kept.status, 202, "round {round}");
        for _ in 0..3 {
            let refused = rig.ask(with_body("POST", "/", "", "second")).await;
            assert_eq!((refused.status, refused.text().as_str()), (503, "later"));
            assert_eq!(
                refused.get("fuseboard-reason").unwrap(),
                "rejected; not queued: no room for another letter: capacity of 1 letters reached"
            );
        }
        rig.circuit().reset();
        assert_eq!(rig.ask(get("/")).await.text(), "ok", "what needs no letter goes on");
        rig.until_letter(&kept.get("location").unwrap(), "resolved").await;
    }
    let bodies: Vec<_> = upstream.requests().iter().map(|request| request.body.clone()).collect();
    assert_eq!(bodies.iter().filter(|body| *body == b"first").count(), 2);
    assert!(!bodies.contains(&b"second".to_vec()));
}

#[tokio::test]
async fn a_letter_that_is_here_already_needs_no_room() {
    let upstream = Upstream::good().await;
    let rig = Rig::start(Setup::of(&upstream).route(CHAIN).letters("capacity = 1\n")).await;
    rig.force_open();
    let request = with_body("POST", "/", "idempotency-key: k\r\n", "first");
    let first = rig.ask(&request).await;
    let again = rig.ask(&request).await;
    assert_eq!((first.status, again.status), (202, 202));
    assert_eq!(first.get("location"), again.get("location"));
}

/// A file system of 8 MiB, half of which the store holds in reserve, where the system lets the test mount one.
struct Disk {
    folder: TempDir,
    mounted: bool,
}

fn mount(options: &str, at: &Path) -> bool {
    let mut command = Command::new("mount");
    command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

impl Disk {
    fn small() -> Disk {
        let folder = tempfile::tempdir().unwrap();
        let mounted = mount("size=8m", folder.path());
        Disk { folder, mounted }
    }

    fn grow(&self) {
        assert!(mount("remount,size=64m", self.folder.path()));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            // Lazily: the store may still be closing.
            let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
        }
    }
}

/// Queues letters until one is refused; the pages of those that were kept, and why the last one was not.
async fn fill(rig: &Rig) -> (Vec<String>, String) {
    let body = "x".repeat(50_000);
    let mut pages = Vec::new();
    while pages.len() < 200 {
        let answer = rig.ask(with_body("POST", "/fill", "", &body)).await;
        match answer.status {
            202 => pages.push(answer.get("location").unwrap()),
            503 => return (pages, answer.get("fuseboard-reason").unwrap()),
            other => panic!("{other}: {}", answer.text()),
        }
    }
    panic!("it is never full");
}

#[tokio::test]
async fn a_full_store_refuses_letters_and_keeps_serving() {
    let disk = Disk::small();
    let upstream = Upstream::good().await;
    let mut setup = Setup::of(&upstream).route(CHAIN);
    setup.data = Some(disk.folder.path().join("data").display().to_string());
    if !disk.mounted {
        setup = setup.letters("max_bytes = \"2MiB\"\n");
    }
    let rig = Rig::start(setup).await;
    rig.force_open();
    let (pages, reason) = fill(&rig).await;
    assert!(pages.len() > 5, "{} were kept", pages.len());
    let full = if disk.mounted { "disk full" } else { "size limit of 2097152 bytes reached" };
    let expected = format!("rejected; not queued: no room for another letter: {full}");
    assert_eq!(reason, expected);
    for page in &pages {
        assert_eq!(rig.ask(get(page)).await.json()["status"], "pending");
    }
    if disk.mounted {
        // The upstream comes back while the disk is full: live calls do not depend on it.
        rig.circuit().reset();
        for _ in 0..10 {
            assert_eq!(rig.ask(with_body("POST", "/live", "", "x")).await.text(), "ok");
        }
        disk.grow();
    }
    rig.circuit().reset();
    for page in &pages {
        rig.until_letter(page, "resolved").await;
    }
    let far = WallTime::from_unix_millis(i64::MAX / 2);
    rig.app.letters().purge(far, 1000).await.unwrap();
    rig.force_open();
    assert_eq!(rig.ask(with_body("POST", "/", "", "x")).await.status, 202, "there is room again");
    let filled = upstream.requests().iter().filter(|one| one.line() == "POST /fill").count();
    assert_eq!(filled, pages.len(), "each was done once");
}

#[tokio::test]
async fn a_store_at_its_size_limit_refuses_letters_and_can_be_emptied() {
    let upstream = Upstream::good().await;
    let setup = Setup::of(&upstream).route(CHAIN).letters("max_bytes = \"1MiB\"\n");
    let rig = Rig::start(setup).await;
    rig.force_open();
    let (pages, reason) = fill(&rig).await;
    assert!(reason.ends_with("size limit of 1048576 bytes reached"), "{reason}");
    rig.circuit().reset();
    assert_eq!(rig.ask(get("/")).await.text(), "ok");
    for page in &pages {
        rig.until_letter(page, "resolved").await;
    }
    let far = WallTime::from_unix_millis(i64::MAX / 2);
    assert_eq!(rig.app.letters().purge(far, 1000).await.unwrap(), pages.len() as u64);
    rig.force_open();
    assert_eq!(rig.ask(with_body("POST", "/", "", "x")).await.status, 202);
    assert_eq!(rig.app.letters().counts().await.unwrap().of(Status::Pending), 1);
}
