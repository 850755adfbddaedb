//! The ring that says which cell a key belongs to.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::error::Invalid;
use super::siphash;

/// How often each cell is on the ring unless something else is asked for: with 128, the fullest of 8 cells holds about a fifth
/// more keys than the mean.
const VIRTUAL_NODES: u32 = 128;
const MOST_CELLS: usize = 4_096;

/// Consistent hashing (Karger and others, 1997): each cell has many places on a ring of hashes, and a key belongs to the first
/// place at or after its own hash. A cell that is added takes keys from the others and no key moves otherwise; a cell that
/// leaves gives its keys to the others, and no other key moves.
///
/// Every process with the same cells and virtual nodes agrees on every key, in whatever order the cells were given. The hash is
/// SipHash-2-4 with fixed keys, so that this holds across versions, platforms and languages; a user who can choose
/// their key can therefore choose their cell.
///
/// ```
/// use fuseboard_services::circuits::CellRing;
///
/// let ring = CellRing::new(["eu-1", "eu-2", "us-1"])?;
/// let cell = ring.cell_of("tenant-7");
/// assert!(ring.contains(cell));
/// assert_eq!(CellRing::new(["us-1", "eu-2", "eu-1"])?.cell_of("tenant-7"), cell);
/// # Ok::<(), fuseboard_services::circuits::Invalid>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct CellRing {
    cells: BTreeSet<Arc<str>>,
    virtual_nodes: u32,
    /// Each place with its cell, by hash.
    places: Vec<(u64, Arc<str>)>,
}

impl fmt::Debug for CellRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("CellRing");
        debug.field("cells", &self.cells).field("virtual_nodes", &self.virtual_nodes);
        debug.finish_non_exhaustive()
    }
}

impl CellRing {
    /// A ring of those cells, each of which is on it 128 times.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if there are none or more than 4 096, one is given twice, or one has a name that no cell can have: 1 to 100
    /// characters, no `@` and no control characters.
    pub fn new<S: AsRef<str>>(cells: impl IntoIterator<Item = S>) -> Result<Self, Invalid> {
        let mut known = BTreeSet::new();
        for cell in cells {
            let cell = checked(cell.as_ref())?;
            if known.contains(cell) {
                return Err(Invalid::new("cells", cell, "each cell once"));
            }
            known.insert(Arc::from(cell));
        }
        CellRing::of(known, VIRTUAL_NODES)
    }

    /// A ring of the cells `cell-0`, `cell-1`, and so on.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if there are none or more than 4 096.
    pub fn numbered(cells: u32) -> Result<Self, Invalid> {
        if cells as usize > MOST_CELLS {
            return Err(Invalid::new("cells", cells, format!("1 to {MOST_CELLS} cells")));
        }
        CellRing::new((0..cells).map(|number| format!("cell-{number}")))
    }

    /// The ring with each cell on it `count` times, 1 to 4 096: more make the cells more even and the ring larger. Rings with
    /// different counts do not agree.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if `count` is none of these.
    pub fn with_virtual_nodes(self, count: u32) -> Result<Self, Invalid> {
        if !(1..=4_096).contains(&count) {
            return Err(Invalid::new("virtual_nodes", count, "a number from 1 to 4096"));
        }
        CellRing::of(self.cells, count)
    }

    /// The ring with one cell more.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with(&self, cell: &str) -> Result<Self, Invalid> {
        let cell = checked(cell)?;
        let mut cells = self.cells.clone();
        if !cells.insert(Arc::from(cell)) {
            return Err(Invalid::new("cells", cell, "each cell once"));
        }
        CellRing::of(cells, self.virtual_nodes)
    }

    /// The ring without that cell.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if it is the last one, or not on the ring.
    pub fn without(&self, cell: &str) -> Result<Self, Invalid> {
        let mut cells = self.cells.clone();
        if !cells.remove(cell) {
            return Err(Invalid::new("cells", cell, "a cell of the ring"));
        }
        CellRing::of(cells, self.virtual_nodes)
    }

    /// The cell that `key` belongs to: of a tenant, a user, a session.
    pub fn cell_of(&self, key: impl AsRef<[u8]>) -> &str {
        let hash = siphash::hash(key.as_ref());
        let after = self.places.partition_point(|(place, _)| *place < hash);
        let (_, cell) = &self.places[after % self.places.len()];
        cell
    }

    /// Whether that cell is on the ring.
    pub fn contains(&self, cell: &str) -> bool {
        self.cells.contains(cell)
    }

    /// The cells, by name.
    pub fn cells(&self) -> impl ExactSizeIterator<Item = &str> {
        self.cells.iter().map(AsRef::as_ref)
    }

    fn of(cells: BTreeSet<Arc<str>>, virtual_nodes: u32) -> Result<Self, Invalid> {
        if !(1..=MOST_CELLS).contains(&cells.len()) {
            return Err(Invalid::new("cells", cells.len(), format!("1 to {MOST_CELLS} cells")));
        }
        let mut places = Vec::with_capacity(cells.len() * virtual_nodes as usize);
        for cell in &cells {
            for node in 0..virtual_nodes {
                places.push((place(cell, node), Arc::clone(cell)));
            }
        }
        // Where two cells share a place, the first by name has it, in every process.
        places.sort_unstable();
        Ok(CellRing { cells, virtual_nodes, places })
    }
}

/// Where a cell's virtual node is. No cell has a NUL in its name, so that no two nodes have the same text.
fn place(cell: &str, node: u32) -> u64 {
    let mut text = cell.as_bytes().to_vec();
    text.push(0);
    text.extend(node.to_le_bytes());
    siphash::hash(&text)
}

fn checked(cell: &str) -> Result<&str, Invalid> {
    let length_ok = (1..=100).contains(&cell.chars().count());
    if length_ok && !cell.contains('@') && !cell.chars().any(char::is_control) {
        return Ok(cell);
    }
    let expected = "1 to 100 characters, no `@` and no control characters";
    Err(Invalid::new("cell", cell, expected))
}
