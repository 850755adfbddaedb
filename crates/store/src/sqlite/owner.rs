//! The data folder and its one owner.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::StoreError;

const LOCK_FILE: &str = "owner.lock";
const CLOSED: &str = "closed\n";

/// Ownership of a data folder; it ends when this is dropped or the process dies, however it dies.
#[derive(Debug)]
pub(crate) struct Owner {
    file: File,
    /// Whether the owner before said that it closed the store.
    pub(crate) found_closed: bool,
}

impl Owner {
    /// Becomes the owner of `folder`, which is created if it is missing.
    pub(crate) fn of(folder: &Path) -> Result<Self, StoreError> {
        create_folder(folder)?;
        let path = folder.join(LOCK_FILE);
        let mut file = private_file(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = text_of(&mut file).ok().and_then(|text| text.trim().parse().ok());
                return Err(StoreError::Owned { path: folder.to_owned(), pid });
            }
            Err(TryLockError::Error(error)) => return Err(unwritable(&path, error)),
        }
        let found_closed = text_of(&mut file).is_ok_and(|text| text == CLOSED);
        let mut owner = Owner { file, found_closed };
        owner
            .say(&format!("{}\n", std::process::id()))
            .map_err(|error| unwritable(&path, error))?;
        Ok(owner)
    }

    /// Ends the ownership of a store that was closed in order.
    pub(crate) fn close(mut self) -> io::Result<()> {
        self.say(CLOSED)
    }

    /// Writes over what is there, because a full disk may have no room for what is written after a truncation.
    fn say(&mut self, text: &str) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())?;
        self.file.set_len(text.len() as u64)?;
        self.file.sync_data()
    }
}

fn text_of(file: &mut File) -> io::Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.take(64).read_to_string(&mut text)?;
    Ok(text)
}

/// Creates `folder` and what is missing above it, each entry on disk before the next.
fn create_folder(folder: &Path) -> Result<(), StoreError> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = match folder.parent() {
        Some(above) if above.as_os_str().is_empty() => PathBuf::from("."),
        Some(above) => above.to_owned(),
        None => PathBuf::from("."),
    };
    create_folder(&above)?;
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        created => created.and_then(|()| sync_folder(&above)),
    }
    .map_err(|error| unwritable(folder, error))
}

/// Opens the file at `path` for its owner's eyes only; creates it if it is missing.
pub(crate) fn private_file(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|error| unwritable(path, error))?;
    #[cfg(unix)]
    {
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(path, private).map_err(|error| unwritable(path, error))?;
    }
    Ok(file)
}

/// Makes the entries of `folder` survive a power failure.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

pub(crate) fn unwritable(path: &Path, error: io::Error) -> StoreError {
    StoreError::Unwritable { path: path.to_owned(), source: Arc::new(error) }
}
