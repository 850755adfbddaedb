//! The guide: a page for each choice, to be read in two minutes. What a page claims, its examples show, and they run as
//! tests.
//!
//! | you ask | page |
//! |---|---|
//! | what will a breaker not do for me? | [`limits`] |
//! | how much should it remember? | [`window`] |
//! | when should it open? | [`tripper`] |
//! | what if the dependency does not answer at all? | [`timeout`] |
//! | retry around the breaker, or breaker around the retry? | [`order`] |
//! | one circuit for all shards, or one for each? | [`shards`] |
//! | is a 404 a failure? | [`failures`] |
//! | when does it try again, and with how many calls? | [`recovery`] |
//! | what do I answer when a call is rejected? may I send it again? | [`rejections`] |
//! | who does what could not be done? | [`letters`] |
//! | how do I introduce it, watch it, change it, switch it off? | [`operating`] |
//! | how do I test code with a breaker in it? | [`testing`] |
//! | I know another breaker: what is this called here? | [`from_elsewhere`] |
//!
//! # If you read no further
//!
//! 1. Give every call a timeout of its own. The breaker ends none ([`timeout`]).
//! 2. Retry around the breaker, the breaker around the timeout ([`order`]).
//! 3. One circuit for each thing that can fail alone ([`shards`]).
//! 4. Errors that are the caller's fault are no failures ([`failures`]).
//! 5. Begin with the [default rules](crate::Rules) under [`metrics_only`](crate::CircuitBreaker::metrics_only), and
//!    look at what would have tripped ([`operating`]).

pub mod limits {
    #![doc = include_str!("guide/limits.md")]
}

pub mod window {
    #![doc = include_str!("guide/window.md")]
}

pub mod tripper {
    #![doc = include_str!("guide/tripper.md")]
}

pub mod timeout {
    #![doc = include_str!("guide/timeout.md")]
}

pub mod order {
    #![doc = include_str!("guide/order.md")]
}

pub mod shards {
    #![doc = include_str!("guide/shards.md")]
}

pub mod failures {
    #![doc = include_str!("guide/failures.md")]
}

pub mod recovery {
    #![doc = include_str!("guide/recovery.md")]
}

pub mod rejections {
    #![doc = include_str!("guide/rejections.md")]
}

pub mod letters {
    #![doc = include_str!("guide/letters.md")]
}

pub mod operating {
    #![doc = include_str!("guide/operating.md")]
}

pub mod testing {
    #![doc = include_str!("guide/testing.md")]
}

pub mod from_elsewhere {
    #![doc = include_str!("guide/from_elsewhere.md")]

    pub mod baldur {
        #![doc = include_str!("guide/from_elsewhere/baldur.md")]
    }

    pub mod classic {
        #![doc = include_str!("guide/from_elsewhere/classic.md")]
    }

    pub mod fluxgate {
        #![doc = include_str!("guide/from_elsewhere/fluxgate.md")]
    }

    pub mod grelmicro {
        #![doc = include_str!("guide/from_elsewhere/grelmicro.md")]
    }

    pub mod powertools {
        #![doc = include_str!("guide/from_elsewhere/powertools.md")]
    }
}
