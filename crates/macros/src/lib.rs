//! The attribute `#[circuit_breaker]`, which puts a function behind a circuit. It comes from the crate `fuseboard`, as
//! `fuseboard::circuit_breaker`, and what it expands to is in need of that crate.

mod arguments;
mod duration;
mod expand;
mod function;
mod tokens;
mod values;

use proc_macro::TokenStream;

// Its documentation is where its users are and where its examples compile: at the re-export in the crate `fuseboard`.
#[allow(missing_docs, reason = "documented at its re-export, which is what users see")]
#[proc_macro_attribute]
pub fn circuit_breaker(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(arguments.into(), item.into()).into()
}
