//! A captured call, done again: the same handler, the same bytes, the same key.

use fuseboard_core::letter::Answer;
use fuseboard_core::{Judgement, Outcome};
use fuseboard_store::Letter;

use crate::replay::{Deliver, Delivering, Delivery};
use crate::replay_service::ReplayContext;

use super::call::{Call, Parts};
use super::kind::Undone;
use super::storable::Storable;

impl<P, T, E> Deliver for Parts<P, T, E>
where
    P: Storable + Send + 'static,
    T: 'static,
    E: 'static,
{
    fn deliver<'a>(&'a self, letter: &'a Letter) -> Delivering<'a> {
        Box::pin(ReplayContext::during(letter, self.replay(letter)))
    }
}

impl<P: Storable, T: 'static, E: 'static> Parts<P, T, E> {
    async fn replay(&self, letter: &Letter) -> Delivery {
        let payload = match P::from_bytes(&letter.body) {
            Ok(payload) => payload,
            Err(problem) => return unreadable(format!("its payload cannot be read: {problem}")),
        };
        let replay = Some(letter.life.attempts.saturating_add(1));
        let call = Call { key: letter.key.clone(), replay };
        let result = (self.handler)(payload, call).await;
        let judgement = self.breaker.judge(result.as_ref());
        match &result {
            Ok(_) => delivery(Answer::Done, judgement, "done".to_owned()),
            Err(error) => failed((self.classify)(error), judgement),
        }
    }
}

fn failed(undone: Option<Undone>, judgement: Judgement) -> Delivery {
    let retry_after = judgement.failure.as_ref().and_then(|failure| failure.retry_after_hint());
    let (answer, word) = match undone {
        None => (Answer::Never, "answered that it will not be done"),
        Some(undone @ (Undone::Rejected | Undone::Connect)) => {
            (Answer::NotReached, undone.as_str())
        }
        Some(undone) => (Answer::Again { retry_after }, undone.as_str()),
    };
    let message = judgement.failure.as_ref().and_then(|failure| failure.message());
    let note = message.map_or(word.to_owned(), |message| format!("{word}: {message}"));
    delivery(answer, judgement, note)
}

fn delivery(answer: Answer, judgement: Judgement, note: String) -> Delivery {
    let Judgement { outcome, failure } = judgement;
    Delivery { answer, outcome, failure, stored: None, note }
}

/// A letter that cannot be made a call again. That says nothing about the other side.
fn unreadable(note: String) -> Delivery {
    let (answer, outcome) = (Answer::Never, Outcome::Ignored);
    Delivery { answer, outcome, failure: None, stored: None, note }
}
