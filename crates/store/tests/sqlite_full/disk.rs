//! A disk of 12 MiB that can really be full.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use fuseboard_store::SqliteOptions;
use tempfile::TempDir;

const BYTES: u64 = 12 << 20;

/// A file system of its own, for as long as this is held; or, where none may be mounted, a plain folder.
pub(crate) struct Disk {
    folder: TempDir,
    mounted: bool,
}

impl Disk {
    pub(crate) fn mount() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={BYTES}");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder.path())
            .output();
        let mounted = mount.is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("no file system can be mounted here: the size of the database is limited");
        }
        Disk { folder, mounted }
    }

    pub(crate) fn is_mounted(&self) -> bool {
        self.mounted
    }

    /// The data folder. Not the top, so that it is made by the store.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn options(&self) -> SqliteOptions {
        let max_bytes = (!self.mounted).then_some(BYTES);
        SqliteOptions { max_bytes, ..SqliteOptions::new(self.data()) }
    }

    /// Fills the disk to the last byte with somebody else's file, and returns that.
    pub(crate) fn stuff(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let mut file = File::create(&path).unwrap();
        if !self.mounted {
            return path;
        }
        for length in [64 << 10, 4 << 10, 1] {
            while file.write_all(&vec![7; length]).is_ok() {}
        }
        path
    }

    pub(crate) fn reserve(&self) -> u64 {
        let reserve = self.data().join("reserve");
        reserve.metadata().map_or(0, |metadata| metadata.len())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            let unmount = |path: &Path| Command::new("umount").arg("-l").arg(path).status();
            let status = unmount(self.folder.path()).expect("what could mount can unmount");
            assert!(status.success() || std::thread::panicking(), "not unmounted: {status}");
        }
    }
}
