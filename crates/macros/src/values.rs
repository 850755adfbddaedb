//! The value of one argument: of the right kind and in its range, or an error at its place.

use std::ops::RangeInclusive;
use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, Lit, LitStr, Path, Result, Token, Type};

use crate::duration;
use crate::tokens::names;

/// What stands after an argument's name.
pub(crate) enum Value {
    /// `= expression`
    Is(Expr),
    /// `(..)`, and where that is.
    Of(TokenStream, Span),
}

/// A handler: a path to a function, or a closure.
pub(crate) enum Handler {
    Path(Expr),
    Closure(Expr),
}

impl Handler {
    pub(crate) fn expression(&self) -> &Expr {
        let (Handler::Path(expression) | Handler::Closure(expression)) = self;
        expression
    }
}

impl Value {
    /// Any expression.
    pub(crate) fn expression(self, expected: &str) -> Result<Expr> {
        match self {
            Value::Is(expression) => Ok(expression),
            Value::Of(_, at) => Err(Error::new(at, format!("expected `=` and {expected}"))),
        }
    }

    /// Types in parentheses, at least one.
    pub(crate) fn types(self) -> Result<Vec<Type>> {
        let (tokens, at) = match self {
            Value::Of(tokens, at) => (tokens, at),
            Value::Is(expression) => {
                let wrong =
                    "expected types in parentheses and no `=`, such as `errors(TypeA, TypeB)`";
                return Err(Error::new_spanned(expression, wrong));
            }
        };
        let types = Punctuated::<Type, Token![,]>::parse_terminated.parse2(tokens)?;
        match types.is_empty() {
            true => Err(Error::new(at, "expected at least one type")),
            false => Ok(types.into_iter().collect()),
        }
    }

    /// A text in quotes.
    pub(crate) fn text(self, example: &str) -> Result<LitStr> {
        let expected = format!("a text in quotes, such as `\"{example}\"`");
        match self.expression(&expected)? {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text),
            other => Err(Error::new_spanned(other, format!("expected {expected}"))),
        }
    }

    /// The name of a circuit.
    pub(crate) fn name(self) -> Result<LitStr> {
        let name = self.text("payments")?;
        match is_possible_name(&name.value()) {
            true => Ok(name),
            false => {
                let wrong = "no circuit can have this name: expected 1 to 200 characters without control characters, \
                             `@` at most once and only before the cell, as in `payments@eu-1`";
                Err(Error::new_spanned(name, wrong))
            }
        }
    }

    /// A whole number.
    pub(crate) fn number(self, range: RangeInclusive<u64>) -> Result<u64> {
        let expected = match *range.end() {
            most if most >= u64::from(u32::MAX) => {
                "a whole number of at least 1, such as `3`".to_owned()
            }
            most => format!("a whole number from 1 to {most}, such as `3`"),
        };
        let expression = self.expression(&expected)?;
        let number = match &expression {
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        number.ok_or_else(|| Error::new_spanned(expression, format!("expected {expected}")))
    }

    /// A duration in quotes.
    pub(crate) fn duration(
        self,
        range: RangeInclusive<Duration>,
        bounds: &str,
    ) -> Result<Duration> {
        let expression = self.expression(duration::EXPECTED)?;
        let wrong =
            |expected: &str| Error::new_spanned(&expression, format!("expected {expected}"));
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &expression else {
            return Err(wrong(duration::EXPECTED));
        };
        let duration = duration::read(&text.value()).ok_or_else(|| wrong(duration::EXPECTED))?;
        range.contains(&duration).then_some(duration).ok_or_else(|| wrong(bounds))
    }

    /// A path to a function, or a closure.
    pub(crate) fn handler(self) -> Result<Handler> {
        const EXPECTED: &str = "the path of a function, or a closure";
        match self.expression(EXPECTED)? {
            path @ Expr::Path(_) => Ok(Handler::Path(path)),
            closure @ Expr::Closure(_) => Ok(Handler::Closure(closure)),
            other => Err(Error::new_spanned(other, format!("expected {EXPECTED}"))),
        }
    }

    /// An expression that is evaluated once, for all calls.
    pub(crate) fn shared_expression(self, expected: &str) -> Result<Expr> {
        let expression = self.expression(expected)?;
        match names(&expression.to_token_stream()).find(|name| name == "self") {
            None => Ok(expression),
            Some(name) => {
                let wrong = "one circuit is for all instances, so its board cannot be taken from `self`: \
                             for a circuit of each instance give it as `breaker = ..`";
                Err(Error::new_spanned(name, wrong))
            }
        }
    }

    /// A path.
    pub(crate) fn path(self) -> Result<Path> {
        const EXPECTED: &str = "the path of the crate `fuseboard`";
        match self.expression(EXPECTED)? {
            Expr::Path(path) if path.qself.is_none() => Ok(path.path),
            other => Err(Error::new_spanned(other, format!("expected {EXPECTED}"))),
        }
    }
}

/// The engine's rule for names.
fn is_possible_name(name: &str) -> bool {
    let cell_is_possible = match name.split_once('@') {
        Some((circuit, cell)) => !circuit.is_empty() && !cell.is_empty() && !cell.contains('@'),
        None => true,
    };
    let length = name.chars().count();
    (1..=200).contains(&length) && cell_is_possible && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use fuseboard::CircuitBreaker;

    use super::*;

    #[test]
    fn a_name_is_possible_here_if_it_is_for_the_engine() {
        let (long, longer) = ("é".repeat(200), "é".repeat(201));
        for name in [
            "payments",
            "payments@eu-1",
            "",
            "@",
            "a@",
            "@b",
            "a@b@c",
            " ",
            "a b",
            "a\nb",
            "é",
            &long,
            &longer,
        ] {
            let by_the_engine = CircuitBreaker::builder(name).build().is_ok();
            assert_eq!(is_possible_name(name), by_the_engine, "{name:?}");
        }
    }
}
