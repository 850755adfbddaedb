//! The function that is put behind a circuit: its signature, and its body as it stands.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{
    Attribute, Error, FnArg, Pat, ReceiverKind, Result, ReturnType, Safety, Signature, Token, Type,
    Visibility, braced,
};

use crate::tokens::names;

/// A function or method with a body.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) output: Type,
    /// The attributes inside the body, `#![..]`, which concern the function.
    pub(crate) inner_attributes: Vec<Attribute>,
    /// The statements. They are not parsed here: what is wrong with them is told by the compiler.
    pub(crate) body: TokenStream,
}

/// The words that a function may begin with.
const BEGINNINGS: [&str; 5] = ["fn", "async", "const", "extern", "unsafe"];

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let first = input.fork().call(Ident::parse_any);
        let is_function = first.is_ok_and(|first| BEGINNINGS.iter().any(|word| first == word));
        if !is_function {
            return Err(
                input.error("`#[circuit_breaker]` guards calls: expected a function or a method")
            );
        }
        let signature: Signature = input.parse()?;
        if input.peek(Token![;]) {
            let wrong = "there is no body to guard here: mark the methods that implement this one";
            return Err(Error::new_spanned(&signature, wrong));
        }
        let content;
        braced!(content in input);
        let inner_attributes = content.call(Attribute::parse_inner)?;
        let body = content.parse()?;
        check_kind(&signature)?;
        let output = output(&signature)?;
        Ok(Function { attributes, visibility, signature, output, inner_attributes, body })
    }
}

/// Refuses the kinds of functions that cannot be guarded.
fn check_kind(signature: &Signature) -> Result<()> {
    let Signature { constness, safety, abi, .. } = signature;
    if let Some(keyword) = constness {
        let wrong = "a `const fn` cannot be guarded: a circuit breaker counts at run time";
        return Err(Error::new_spanned(keyword, wrong));
    }
    if let Safety::Unsafe(keyword) = safety {
        let wrong = "an `unsafe fn` cannot be guarded: mark a safe function that calls it";
        return Err(Error::new_spanned(keyword, wrong));
    }
    if let Some(abi) = abi {
        let wrong = "an `extern fn` cannot be guarded: mark a Rust function that calls it";
        return Err(Error::new_spanned(abi, wrong));
    }
    Ok(())
}

/// The type that is returned, if it may be a `Result`; whether it is one, the compiler knows.
fn output(signature: &Signature) -> Result<Type> {
    match &signature.output {
        ReturnType::Default => {
            let name = &signature.ident;
            let wrong = format!(
                "`{name}` returns nothing that could tell a failure: expected `-> Result<..>`"
            );
            Err(Error::new_spanned(name, wrong))
        }
        ReturnType::Type(_, output) if matches!(**output, Type::ImplTrait(_)) => {
            let wrong =
                "expected a `Result`; a future has one only when it was awaited: write `async fn`";
            Err(Error::new_spanned(output, wrong))
        }
        ReturnType::Type(_, output) => Ok((**output).clone()),
    }
}

impl Function {
    pub(crate) fn is_async(&self) -> bool {
        self.signature.asyncness.is_some()
    }

    /// The arguments by name, `self` among them, as they are given to a function in this one's place.
    ///
    /// # Errors
    ///
    /// An argument that has a pattern and no name.
    pub(crate) fn arguments(&self) -> Result<Vec<Ident>> {
        let inputs = self.signature.inputs.iter();
        inputs
            .map(|input| match input {
                FnArg::Receiver(receiver) => Ok(receiver.self_token.into()),
                FnArg::Typed(argument) => match &*argument.pat {
                    Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {
                        Ok(name.ident.clone())
                    }
                    pattern => {
                        let wrong = "the fallback is given this argument too: expected a name";
                        Err(Error::new_spanned(pattern, wrong))
                    }
                },
            })
            .collect()
    }

    /// Whether `expression` speaks of an argument that the body may move or change.
    pub(crate) fn may_lose(&self, expression: &TokenStream) -> bool {
        let mut inputs = self.signature.inputs.iter();
        inputs.any(|input| match input {
            FnArg::Receiver(receiver) => {
                let is_shared = match &receiver.kind {
                    ReceiverKind::Reference(_, _, mutability) => mutability.is_none(),
                    ReceiverKind::Typed(_, ty) => is_shared_reference(ty),
                    _ => false,
                };
                !is_shared && names(expression).any(|name| name == "self")
            }
            FnArg::Typed(argument) => {
                let pattern = argument.pat.to_token_stream();
                let bound: Vec<Ident> = names(&pattern).collect();
                !is_shared_reference(&argument.ty)
                    && names(expression).any(|name| bound.contains(&name))
            }
        })
    }
}

fn is_shared_reference(ty: &Type) -> bool {
    matches!(ty, Type::Reference(reference) if reference.mutability.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_must_take_care_of_is_not_guarded() {
        let function = syn::parse_str::<Function>("pub unsafe fn f() -> Result<(), E> { Ok(()) }");
        let error = function.err().expect("it is refused").to_string();
        assert_eq!(error, "an `unsafe fn` cannot be guarded: mark a safe function that calls it");
    }
}
