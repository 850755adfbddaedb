//! The arguments of the attribute: read one by one, each checked where it stands, then put together.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Error, Expr, LitStr, Path, Result, Token, Type, parenthesized, parse_quote, token};

use crate::values::{Handler, Value};

/// Every argument's name, in the order of the documentation.
const KNOWN: [&str; 20] = [
    "name",
    "failure_threshold",
    "success_threshold",
    "timeout",
    "window",
    "trip",
    "retry",
    "permit",
    "slots",
    "recovery",
    "probe_timeout",
    "cancelled_after",
    "errors",
    "ignore",
    "judged_by",
    "fallback",
    "fallback_on_error",
    "board",
    "breaker",
    "crate",
];

/// Arguments that cannot stand together, and why.
const EXCLUSIVE: [(&str, &str, &str); 7] = [
    ("failure_threshold", "trip", "both say when the circuit opens"),
    ("timeout", "retry", "both say how long the circuit stays open"),
    ("success_threshold", "recovery", "both say when a half-open circuit closes"),
    ("errors", "judged_by", "both say what is a failure"),
    ("ignore", "judged_by", "both say what is ignored"),
    ("fallback", "fallback_on_error", "both answer a rejected call"),
    ("board", "breaker", "the board is where a breaker is looked for"),
];

/// What the attribute says.
pub(crate) struct Arguments {
    /// The crate `fuseboard`, by the name that it has here.
    pub(crate) krate: Path,
    pub(crate) circuit: Circuit,
    pub(crate) judge: Judge,
    pub(crate) fallback: Option<Fallback>,
}

/// Where the circuit breaker comes from.
pub(crate) enum Circuit {
    /// A board has it by this name; made there by the first call.
    Named { name: LitStr, settings: Vec<Setting>, board: Option<Expr> },
    /// This expression gives it to each call.
    Given(Expr),
}

/// A rule of the circuit: the name of a method and what it is given.
pub(crate) struct Setting {
    pub(crate) method: Ident,
    pub(crate) value: TokenStream,
}

/// Who says what a call came to.
pub(crate) enum Judge {
    /// The circuit, of the errors that are of these types (all if there is no list) and not of those.
    Circuit { errors: Option<Vec<Type>>, ignore: Vec<Type> },
    /// A function of the user.
    By(Handler),
}

/// What answers instead of the function.
pub(crate) enum Fallback {
    /// Only where the call was rejected.
    OfRejections(Handler),
    /// Where it was rejected or failed.
    OfErrors(Handler),
}

/// What was read so far.
#[derive(Default)]
struct Draft {
    seen: Vec<Ident>,
    faults: Option<Error>,
    name: Option<LitStr>,
    settings: Vec<Setting>,
    errors: Option<Vec<Type>>,
    ignore: Vec<Type>,
    judged_by: Option<Handler>,
    fallback: Option<Fallback>,
    board: Option<Expr>,
    breaker: Option<Expr>,
    krate: Option<Path>,
}

impl Arguments {
    /// Reads what stands in the attribute's parentheses.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, each at its place.
    pub(crate) fn read(tokens: TokenStream) -> Result<Self> {
        let parser = |input: ParseStream<'_>| {
            let mut draft = Draft::default();
            if let Err(fault) = draft.read_all(input) {
                draft.blame(fault);
                // What follows a syntax error cannot be read; a rest would be one more error.
                input.parse::<TokenStream>()?;
            }
            Ok(draft)
        };
        parser.parse2(tokens)?.finish()
    }
}

impl Draft {
    fn read_all(&mut self, input: ParseStream<'_>) -> Result<()> {
        while !input.is_empty() {
            let (key, value) = self.read_argument(input)?;
            self.check_company(&key);
            if let Err(fault) = self.take(&key, value) {
                self.blame(fault);
            }
            self.seen.push(key);
            if input.is_empty() {
                break;
            }
            input.parse::<Token![,]>()?;
        }
        Ok(())
    }

    /// One argument by its name; a text alone is the circuit's.
    fn read_argument(&self, input: ParseStream<'_>) -> Result<(Ident, Value)> {
        if self.seen.is_empty() && input.peek(LitStr) {
            let name: Expr = input.parse()?;
            return Ok((Ident::new("name", span_of(&name)), Value::Is(name)));
        }
        if !input.peek(Ident::peek_any) {
            let first = if self.seen.is_empty() { "the circuit's name in quotes, or " } else { "" };
            return Err(input.error(format!("expected {first}`argument = value`")));
        }
        let key = input.call(Ident::parse_any)?;
        if !KNOWN.iter().any(|known| key == known) {
            let stands_alone = input.is_empty() || input.peek(Token![,]);
            return Err(match self.seen.is_empty() && stands_alone {
                true => Error::new(
                    key.span(),
                    format!("expected the circuit's name in quotes: `\"{key}\"`"),
                ),
                false => unknown(&key),
            });
        }
        if input.peek(token::Paren) {
            let content;
            let parentheses = parenthesized!(content in input);
            return Ok((key, Value::Of(content.parse()?, parentheses.span.join())));
        }
        input.parse::<Token![=]>()?;
        Ok((key, Value::Is(input.parse()?)))
    }

    /// Refuses an argument that is there already, and one that excludes another.
    fn check_company(&mut self, key: &Ident) {
        if self.seen.contains(key) {
            self.blame(Error::new(key.span(), format!("`{key}` is given twice")));
        }
        let others = self.seen.iter().filter_map(|other| {
            let because = exclusion(&key.to_string(), &other.to_string())?;
            Some(format!("`{key}` cannot stand beside `{other}`: {because}"))
        });
        let wrongs: Vec<String> = others.collect();
        for wrong in wrongs {
            self.blame(Error::new(key.span(), wrong));
        }
    }

    fn take(&mut self, key: &Ident, value: Value) -> Result<()> {
        const EXPRESSION: &str = "an expression";
        match key.to_string().as_str() {
            "name" => self.name = Some(value.name()?),
            "errors" => self.errors = Some(value.types()?),
            "ignore" => self.ignore = value.types()?,
            "judged_by" => self.judged_by = Some(value.handler()?),
            "fallback" => self.fallback = Some(Fallback::OfRejections(value.handler()?)),
            "fallback_on_error" => self.fallback = Some(Fallback::OfErrors(value.handler()?)),
            "board" => self.board = Some(value.shared_expression(EXPRESSION)?),
            "breaker" => self.breaker = Some(value.expression(EXPRESSION)?),
            "crate" => self.krate = Some(value.path()?),
            _ => {
                let value = setting(key, value)?;
                self.settings.push(Setting { method: key.clone(), value });
            }
        }
        Ok(())
    }

    fn blame(&mut self, fault: Error) {
        match &mut self.faults {
            None => self.faults = Some(fault),
            Some(faults) => faults.combine(fault),
        }
    }

    fn finish(self) -> Result<Arguments> {
        if let Some(faults) = self.faults {
            return Err(faults);
        }
        let circuit = match (self.name, self.breaker) {
            (Some(name), None) => {
                Circuit::Named { name, settings: self.settings, board: self.board }
            }
            (None, Some(breaker)) => Circuit::Given(breaker),
            _ => {
                let wrong = "which circuit? expected its name first, `#[circuit_breaker(\"payments\")]`, or `breaker = ..`";
                return Err(Error::new(Span::call_site(), wrong));
            }
        };
        let judge = match self.judged_by {
            Some(handler) => Judge::By(handler),
            None => Judge::Circuit { errors: self.errors, ignore: self.ignore },
        };
        let krate = self.krate.unwrap_or_else(|| parse_quote!(::fuseboard));
        Ok(Arguments { krate, circuit, judge, fallback: self.fallback })
    }
}

/// The value of a rule, as code that gives it.
fn setting(key: &Ident, value: Value) -> Result<TokenStream> {
    let at = match &value {
        Value::Is(expression) => span_of(expression),
        Value::Of(_, at) => *at,
    };
    let above_zero = Duration::from_nanos(1)..=Duration::MAX;
    let probe = Duration::from_millis(1)..=Duration::from_secs(24 * 3600);
    let duration = match key.to_string().as_str() {
        "window" => return value.text("count(100)").map(|text| quote!(#text)),
        "trip" => return value.text("failure_streak(5)").map(|text| quote!(#text)),
        "retry" => return value.text("backoff(10s, max=5m)").map(|text| quote!(#text)),
        "permit" => return value.text("all").map(|text| quote!(#text)),
        "recovery" => return value.text("successes(3)").map(|text| quote!(#text)),
        "failure_threshold" => return value.number(1..=u64::MAX).map(|number| quote!(#number)),
        "success_threshold" => return number(value, u32::MAX),
        "slots" => return number(value, 10_000),
        "probe_timeout" => value.duration(probe, "a duration from 1ms to 24h")?,
        _ => value.duration(above_zero, "a duration above zero")?,
    };
    let (secs, nanos) = (duration.as_secs(), duration.subsec_nanos());
    Ok(quote_spanned!(at=> ::core::time::Duration::new(#secs, #nanos)))
}

fn number(value: Value, most: u32) -> Result<TokenStream> {
    let number = value.number(1..=u64::from(most))?;
    let number = u32::try_from(number).unwrap_or(most);
    Ok(quote!(#number))
}

/// Why two arguments cannot stand together, if they cannot.
fn exclusion(one: &str, other: &str) -> Option<&'static str> {
    let listed = EXCLUSIVE.iter().find(|(a, b, _)| [(*a, *b), (*b, *a)].contains(&(one, other)));
    if let Some((_, _, because)) = listed {
        return Some(because);
    }
    let beside_breaker = match (one, other) {
        ("breaker", beside) | (beside, "breaker") => beside,
        _ => return None,
    };
    match beside_breaker {
        "name" => Some("a breaker has its name"),
        "errors" | "ignore" | "judged_by" | "fallback" | "fallback_on_error" | "crate"
        | "breaker" => None,
        _ => Some("a breaker has its rules"),
    }
}

fn unknown(key: &Ident) -> Error {
    let known = KNOWN.map(|known| format!("`{known}`")).join(", ");
    Error::new(key.span(), format!("unknown argument `{key}`: expected one of {known}"))
}

fn span_of(expression: &Expr) -> Span {
    syn::spanned::Spanned::span(expression)
}
