//! What is no function, or one that cannot be guarded.

use std::convert::Infallible;
use std::future::Future;

use fuseboard::circuit_breaker;

#[circuit_breaker("payments")]
struct Payments;

trait Charge {
    #[circuit_breaker("payments")]
    fn charge(&self) -> Result<(), Infallible>;
}

#[circuit_breaker("payments")]
const fn constant() -> Result<(), Infallible> {
    Ok(())
}

#[circuit_breaker("payments")]
extern "C" fn foreign() -> Result<(), Infallible> {
    Ok(())
}

#[circuit_breaker("payments")]
fn returns_nothing() {}

#[circuit_breaker("payments")]
fn returns_a_future() -> impl Future<Output = Result<(), Infallible>> {
    std::future::ready(Ok(()))
}

#[circuit_breaker("payments", fallback = instead)]
fn has_an_argument_without_a_name((a, b): (u32, u32), _: u32) -> Result<u32, Infallible> {
    Ok(a + b)
}

fn main() {}
