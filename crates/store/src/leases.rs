//! Named leases: one holder at a time for work that only one may do.

use std::time::Duration;

use fuseboard_core::time::WallTime;

use crate::letters::Answering;

/// Who has a lease, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What it is for, such as `replay/payments`.
    pub name: String,
    /// Who has it, in words for people.
    pub holder: String,
    /// Grows with every holder; only the one with the latest may renew or release.
    pub fence: u64,
    /// When it ends by itself.
    pub until: WallTime,
}

/// What became of [`Leases::acquire`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// It is the caller's now.
    Mine(Lease),
    /// Somebody has it, be it the same holder in another place.
    Taken(Lease),
}

/// Leases by name, one holder at a time.
///
/// ```
/// use fuseboard_core::time::WallTime;
/// use fuseboard_store::{Acquired, Leases, Memory};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fuseboard_store::StoreError> {
/// let store = Memory::default();
/// let (minute, now) = (Duration::from_secs(60), WallTime::from_unix_millis(1_000));
/// let acquire = |holder: &str, now| {
///     store.acquire("replay/payments".to_owned(), holder.to_owned(), minute, now)
/// };
/// let Acquired::Mine(lease) = acquire("a", now).await? else { unreachable!("nobody has it") };
/// assert_eq!(acquire("b", now).await?, Acquired::Taken(lease.clone()));
/// assert!(matches!(acquire("b", now + minute).await?, Acquired::Mine(_)));
/// assert!(store.renew(lease.name, lease.fence, minute, now + minute).await.is_err(), "it is b's");
/// # Ok(())
/// # }
/// ```
pub trait Leases {
    /// Takes a lease for as long as `lasts`, if nobody has it or its time is over.
    fn acquire(
        &self,
        name: String,
        holder: String,
        lasts: Duration,
        now: WallTime,
    ) -> Answering<'_, Acquired>;

    /// Has a lease end `lasts` after `now`, also if its time was over and nobody took it.
    ///
    /// # Errors
    ///
    /// [`StoreError::LeaseLost`](crate::StoreError::LeaseLost) if somebody else has had it since, or it was released.
    fn renew(
        &self,
        name: String,
        fence: u64,
        lasts: Duration,
        now: WallTime,
    ) -> Answering<'_, Lease>;

    /// Gives a lease back before its time.
    ///
    /// # Errors
    ///
    /// [`StoreError::LeaseLost`](crate::StoreError::LeaseLost), as for [`Leases::renew`].
    fn release(&self, name: String, fence: u64) -> Answering<'_, ()>;
}
