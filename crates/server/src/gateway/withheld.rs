//! Letters that were captured without some of their headers: they wait for a person.

use fuseboard_core::letter::{Event, Status};
use fuseboard_services::capture::Queued;
use fuseboard_services::withhold;
use fuseboard_store::By;
use tracing::warn;

use super::Gateway;

impl Gateway {
    /// Sets a new letter aside if it lacks headers; the letter's status then. Until that is done, or if it fails, whoever
    /// claims the letter finds out and sends it to review instead of replaying it.
    pub(super) async fn set_aside_without(&self, names: &[String], queued: &Queued) -> Status {
        if names.is_empty() || !queued.is_new {
            return queued.status;
        }
        let id = queued.id;
        let by = By::system(withhold::reason(names));
        match self.letters.act(id, Event::SetAside, by, self.clock.wall()).await {
            Ok(life) => life.status,
            Err(error) => {
                warn!(letter = %id, %error, "a letter without all of its headers stays in the queue until it is claimed");
                queued.status
            }
        }
    }
}
