//! What the other side's answer to a replay means for its letter.

use std::time::Duration;

/// How a replay went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was done.
    Done,
    /// Not now: worth another try.
    Again {
        /// When the other side said to come back.
        retry_after: Option<Duration>,
    },
    /// Nothing was sent: the connection was refused. No attempt is counted.
    NotReached,
    /// Not ever, as it stands: a person must look.
    Never,
}

impl Answer {
    /// What an HTTP status means: 2xx and 303 say that it was done; 408, 425, 429 and 5xx are worth another try. With any
    /// other it was not done and will not be: replays follow no redirects.
    ///
    /// ```
    /// use fuseboard_core::letter::Answer;
    ///
    /// assert_eq!(Answer::from_http(201, None), Answer::Done);
    /// assert_eq!(Answer::from_http(503, None), Answer::Again { retry_after: None });
    /// assert_eq!(Answer::from_http(422, None), Answer::Never);
    /// ```
    pub const fn from_http(status: u16, retry_after: Option<Duration>) -> Self {
        match status {
            408 | 425 | 429 | 500.. => Answer::Again { retry_after },
            200..=299 | 303 => Answer::Done,
            _ => Answer::Never,
        }
    }
}
