//! A file that holds room on the disk, most of it to be given up when the disk is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::owner;

const FILE: &str = "reserve";

/// Of so many parts the last one is not given up but only lent.
const PARTS: u64 = 8;

/// What is written at once: more than file systems compress at once.
const BLOCK: usize = 256 << 10;

/// The file, and how much of it is there.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    pub(crate) bytes: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    /// Given up but for its last part.
    Last,
    /// None is wanted, or it cannot be written for reasons other than a full disk.
    Without,
}

impl Reserve {
    /// The reserve of `bytes` in `folder`, as it was left.
    pub(crate) fn find(folder: &Path, bytes: u64) -> Self {
        let path = folder.join(FILE);
        let left = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        let state = match bytes {
            0 => State::Without,
            _ if left == bytes => State::Whole,
            _ => State::Last,
        };
        let mut reserve = Reserve { path, bytes, state };
        match state {
            State::Whole => {}
            State::Last => reserve.resize(bytes / PARTS, 0),
            State::Without => reserve.remove(),
        }
        reserve
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.state == State::Last
    }

    /// Gives the room to whoever needs it, but for the last part; `false` if that was done before.
    pub(crate) fn give_up(&mut self) -> bool {
        let whole = self.state == State::Whole;
        if whole {
            self.state = State::Last;
            self.resize(self.bytes / PARTS, 0);
        }
        whole
    }

    /// Takes all the room again, if the disk has it and `spare` bytes more; `false` if not.
    pub(crate) fn take(&mut self, spare: u64) -> bool {
        if self.state == State::Last {
            self.resize(self.bytes, spare);
        }
        self.state != State::Last
    }

    /// Has `borrow` done with all the room there is, and takes it again: what was borrowed must be given back by then.
    pub(crate) fn lend<T>(&mut self, borrow: impl FnOnce() -> T) -> T {
        let was_whole = self.state == State::Whole;
        if self.state == State::Without {
            return borrow();
        }
        self.remove();
        self.state = State::Last;
        let outcome = borrow();
        self.resize(self.bytes / PARTS, 0);
        if was_whole {
            self.take(0);
        }
        outcome
    }

    /// Makes the file `bytes` long, if the disk has the room and `spare` bytes more. If not, it stays as it is.
    fn resize(&mut self, bytes: u64, spare: u64) {
        match resize(&self.path, bytes, spare) {
            Ok(()) if bytes == self.bytes => self.state = State::Whole,
            Ok(()) => {}
            Err(error) => {
                if !matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
                    self.remove();
                    self.state = State::Without;
                }
            }
        }
    }

    fn remove(&self) {
        // If it cannot be removed, the room stays taken and what wants it says that the disk is full.
        let _ = fs::remove_file(&self.path);
    }
}

fn resize(path: &Path, bytes: u64, spare: u64) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let length = file.metadata()?.len();
    if length < bytes
        && let Err(error) = fill(&mut file, bytes.saturating_add(spare) - length)
    {
        file.set_len(length)?;
        return Err(error);
    }
    file.set_len(bytes)?;
    file.sync_all()?;
    owner::sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Writes so many bytes that nothing can compress.
fn fill(file: &mut File, bytes: u64) -> io::Result<()> {
    let block = noise();
    let mut left = usize::try_from(bytes).unwrap_or(usize::MAX);
    while left > 0 {
        let written = left.min(BLOCK);
        file.write_all(&block[..written])?;
        left -= written;
    }
    Ok(())
}

/// Bytes without a pattern (xorshift64).
fn noise() -> Vec<u8> {
    let mut word = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        word
    });
    words.take(BLOCK / 8).flat_map(u64::to_le_bytes).collect()
}
