//! Having a letter wait for a person, in both kinds of replay.

use fuseboard_core::letter::{Event, Life, Status};
use fuseboard_core::time::WallTime;
use fuseboard_store::{By, LetterId, Letters};
use tracing::warn;

/// Has a pending letter wait for a person, and returns its life. If that cannot be written down it stays in the queue, which
/// loses nothing.
pub(crate) async fn set_aside(
    letters: &dyn Letters,
    id: LetterId,
    life: Life,
    by: By,
    now: WallTime,
) -> Life {
    if life.status != Status::Pending {
        return life;
    }
    match letters.act(id, Event::SetAside, by, now).await {
        Ok(life) => life,
        Err(error) => {
            warn!(letter = %id, %error, "a letter could not be set aside for review");
            life
        }
    }
}
