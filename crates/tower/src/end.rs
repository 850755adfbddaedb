//! When an admitted call ends: with the response, or with the last byte of its body.

use crate::admitted::{Admitted, settle};
use crate::classify::Classify;

#[cfg(feature = "http")]
pub use at_body_end::AtBodyEnd;

/// Settles a call that was answered: [`AtResponse`] or [`AtBodyEnd`].
pub trait End<Response, Error, C>: sealed::Sealed {
    /// The response as the caller gets it.
    type Response;

    #[doc(hidden)]
    fn answered(call: &mut Option<Admitted>, classify: &C, response: Response) -> Self::Response;

    #[doc(hidden)]
    fn not_called(classify: &C, response: Response) -> Self::Response;
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::AtResponse {}
    #[cfg(feature = "http")]
    impl Sealed for super::AtBodyEnd {}
}

/// A call ends when the inner service's future does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AtResponse;

impl<Response, Error, C: Classify<Response, Error>> End<Response, Error, C> for AtResponse {
    type Response = Response;

    #[inline]
    fn answered(call: &mut Option<Admitted>, classify: &C, response: Response) -> Response {
        settle(call, classify, Ok(&response));
        response
    }

    fn not_called(_classify: &C, response: Response) -> Response {
        response
    }
}

#[cfg(feature = "http")]
mod at_body_end {
    use fuseboard_core::Outcome;
    use http::Response;
    use http_body::Body;

    use super::End;
    use crate::admitted::{Admitted, ENDED};
    use crate::body::WatchedBody;
    use crate::classify::Classify;

    /// A call ends with its response's body, unless the response is no success or the call was a probe. Chosen by
    /// [`watch_bodies`](crate::CircuitBreakerLayer::watch_bodies).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct AtBodyEnd;

    impl<B, Error, C> End<Response<B>, Error, C> for AtBodyEnd
    where
        B: Body<Error: 'static>,
        C: Classify<Response<B>, Error> + Clone,
    {
        type Response = Response<WatchedBody<B, C>>;

        fn answered(
            call: &mut Option<Admitted>,
            classify: &C,
            response: Response<B>,
        ) -> Self::Response {
            let call = call.take().expect(ENDED);
            let judgement = call.judged(|circuit| classify.classify(circuit, Ok(&response)));
            let over = judgement.outcome != Outcome::Success
                || call.is_probe()
                || response.body().is_end_stream();
            let call = match over {
                true => {
                    call.settle(judgement);
                    None
                }
                false => Some(call),
            };
            WatchedBody::of(response, call, classify.clone(), C::classify_end)
        }

        fn not_called(classify: &C, response: Response<B>) -> Self::Response {
            WatchedBody::of(response, None, classify.clone(), C::classify_end)
        }
    }
}
