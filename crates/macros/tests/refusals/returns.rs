//! Functions that return no `Result`, or one with an error that a rejection cannot become.

use std::pin::Pin;

use fuseboard::circuit_breaker;

#[circuit_breaker("payments")]
fn number() -> u32 {
    3
}

#[circuit_breaker("payments")]
async fn option(found: bool) -> Option<String> {
    let name = found.then(String::new)?;
    Some(name)
}

#[circuit_breaker("payments")]
fn boxed_future() -> Pin<Box<dyn Future<Output = Result<(), std::io::Error>>>> {
    Box::pin(std::future::ready(Ok(())))
}

#[circuit_breaker("payments")]
fn without_a_place() -> Result<u32, String> {
    Ok(3)
}

struct Client;

impl Client {
    #[circuit_breaker("payments")]
    async fn without_a_place<'a>(&'a self, name: &'a str) -> Result<&'a str, std::fmt::Error> {
        Ok(name)
    }
}

fn main() {}
