//! The payment service's durable record: a file with one JSON line per delivery, written before the answer.
//!
//! A line that its writer did not finish, because it was killed, has no end; it was never answered, and does not count.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// One delivery of a payment to the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The idempotency key that it came with.
    pub key: String,
    /// How much, in cents.
    pub amount: u64,
    /// What the gateway said of it, if this delivery was a replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
    /// Whether money moved: true the first time that the key was seen, false for a repeat.
    pub applied: bool,
}

/// Why a ledger cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be read or written.
    #[error("ledger {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A finished line is not an entry.
    #[error("ledger {path}, line {line}: {source}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The key belongs to a payment of another amount.
    #[error(
        "key `{key}` belongs to a payment of {known}, this one is of {amount}: a new payment needs a new key"
    )]
    KeyReused {
        /// The key.
        key: String,
        /// The amount that was paid with it.
        known: u64,
        /// The amount that was to be paid now.
        amount: u64,
    },
}

impl LedgerError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> LedgerError + '_ {
        |source| LedgerError::Io { path: path.to_owned(), source }
    }
}

/// All that a ledger's file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    entries: Vec<Entry>,
    finished: u64,
}

impl Ledger {
    /// Reads the file, also while the service writes it: an unfinished last line is left out.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or a finished line in it is not an [`Entry`].
    pub fn read(path: impl AsRef<Path>) -> Result<Ledger, LedgerError> {
        let path = path.as_ref();
        let mut bytes = Vec::new();
        let mut file = File::open(path).map_err(LedgerError::io(path))?;
        file.read_to_end(&mut bytes).map_err(LedgerError::io(path))?;
        Ledger::parse(&bytes, path)
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Ledger, LedgerError> {
        let mut ledger = Ledger::default();
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let Some(line) = line.strip_suffix(b"\n") else { break };
            let entry = serde_json::from_slice(line).map_err(|source| LedgerError::Malformed {
                path: path.to_owned(),
                line: index + 1,
                source,
            })?;
            ledger.entries.push(entry);
            ledger.finished += line.len() as u64 + 1;
        }
        Ok(ledger)
    }

    /// Every delivery, in the order in which the service took them.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How often each key's payment was done. Anything but 1 is a fault of the service.
    pub fn applied(&self) -> BTreeMap<&str, u64> {
        let mut applied = BTreeMap::new();
        for entry in &self.entries {
            *applied.entry(entry.key.as_str()).or_default() += u64::from(entry.applied);
        }
        applied
    }

    /// How often each key was delivered, repeats included.
    pub fn deliveries(&self) -> BTreeMap<&str, u64> {
        let mut deliveries = BTreeMap::new();
        for entry in &self.entries {
            *deliveries.entry(entry.key.as_str()).or_default() += 1;
        }
        deliveries
    }
}

/// A ledger's file as the service holds it.
#[derive(Debug)]
pub struct LedgerFile {
    path: PathBuf,
    file: File,
    length: u64,
    amounts: BTreeMap<String, u64>,
}

impl LedgerFile {
    /// Opens the file, or makes it; an unfinished last line is cut off.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or a finished line in it is not an [`Entry`].
    pub fn open(path: impl Into<PathBuf>) -> Result<LedgerFile, LedgerError> {
        let path = path.into();
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(LedgerError::io(&path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(LedgerError::io(&path))?;
        let Ledger { entries, finished: length } = Ledger::parse(&bytes, &path)?;
        let amounts = entries.into_iter().map(|entry| (entry.key, entry.amount)).collect();
        let mut ledger = LedgerFile { path, file, length, amounts };
        ledger.cut().map_err(LedgerError::io(&ledger.path))?;
        Ok(ledger)
    }

    /// Records a delivery; when this returns, it is on the disk. `true` if the key was new, and the payment is done now.
    ///
    /// # Errors
    ///
    /// [`LedgerError::KeyReused`] if the key belongs to another payment; [`LedgerError::Io`] if the disk does not take
    /// it. Nothing was done then.
    pub fn record(
        &mut self,
        key: &str,
        amount: u64,
        replay: Option<&str>,
    ) -> Result<bool, LedgerError> {
        let known = self.amounts.get(key).copied();
        if let Some(known) = known.filter(|known| *known != amount) {
            return Err(LedgerError::KeyReused { key: key.to_owned(), known, amount });
        }
        let applied = known.is_none();
        let replay = replay.map(str::to_owned);
        let entry = Entry { key: key.to_owned(), amount, replay, applied };
        self.append(&entry).map_err(LedgerError::io(&self.path))?;
        self.amounts.insert(entry.key, amount);
        Ok(applied)
    }

    fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.length += line.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.cut()?;
                Err(error)
            }
        }
    }

    /// Cuts off what stands behind the last finished line, and goes there.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        (folder, path)
    }

    #[test]
    fn a_key_is_applied_once_and_every_delivery_is_kept() {
        let (_folder, path) = folder();
        let mut file = LedgerFile::open(&path).unwrap();
        assert!(file.record("a", 100, None).unwrap());
        assert!(file.record("b", 200, Some("1")).unwrap());
        assert!(!file.record("a", 100, Some("2")).unwrap());

        let ledger = Ledger::read(&path).unwrap();
        assert_eq!(ledger.applied(), BTreeMap::from([("a", 1), ("b", 1)]));
        assert_eq!(ledger.deliveries(), BTreeMap::from([("a", 2), ("b", 1)]));
        assert_eq!(ledger.entries()[2].replay.as_deref(), Some("2"));
    }

    #[test]
    fn a_key_is_remembered_by_the_next_process() {
        let (_folder, path) = folder();
        LedgerFile::open(&path).unwrap().record("a", 100, None).unwrap();
        let mut again = LedgerFile::open(&path).unwrap();
        assert!(!again.record("a", 100, None).unwrap());
        assert!(again.record("b", 1, None).unwrap());
        assert_eq!(Ledger::read(&path).unwrap().entries().len(), 3);
    }

    #[test]
    fn a_key_of_another_amount_is_refused_and_not_recorded() {
        let (_folder, path) = folder();
        let mut file = LedgerFile::open(&path).unwrap();
        file.record("a", 100, None).unwrap();
        let error = file.record("a", 101, None).unwrap_err();
        assert!(matches!(error, LedgerError::KeyReused { known: 100, amount: 101, .. }), "{error}");
        assert_eq!(Ledger::read(&path).unwrap().entries().len(), 1);
    }

    #[test]
    fn a_torn_last_line_does_not_count_wherever_it_is_torn() {
        let (_folder, path) = folder();
        LedgerFile::open(&path).unwrap().record("a", 100, None).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let torn = br#"{"key":"b","amount":200,"applied":true}"#;
        for length in 1..=torn.len() {
            std::fs::write(&path, [&whole, &torn[..length]].concat()).unwrap();
            assert_eq!(Ledger::read(&path).unwrap().entries().len(), 1, "torn at {length}");

            let mut file = LedgerFile::open(&path).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), whole, "torn at {length}");
            assert!(file.record("b", 200, None).unwrap(), "torn at {length}");
            assert_eq!(Ledger::read(&path).unwrap().entries().len(), 2, "torn at {length}");
        }
    }

    #[test]
    fn a_finished_line_that_is_no_entry_is_an_error_that_names_it() {
        let (_folder, path) = folder();
        LedgerFile::open(&path).unwrap().record("a", 100, None).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend(b"{\"key\":\n");
        std::fs::write(&path, &bytes).unwrap();
        let error = Ledger::read(&path).unwrap_err();
        assert!(matches!(error, LedgerError::Malformed { line: 2, .. }), "{error}");
        assert!(LedgerFile::open(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "a damaged file is left as it is");
    }
}
