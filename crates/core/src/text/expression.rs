//! Terms joined by `&`, `|` and `!`: read, printed, walked through and bounded in one place for all that have them.

use std::fmt;

use super::lexer::TokenKind;
use super::{Cursor, ParseError};
use crate::policy::InvalidPolicy;

/// How many parentheses and `!` may stand inside one another.
const MAX_NESTING: usize = 64;
/// How many terms an expression may have; what recurses over it stays within any thread's stack.
const MAX_TERMS: usize = 256;

/// Something that is a term, or joined from others.
pub(crate) trait Expression:
    Sized + std::ops::BitAnd<Output = Self> + std::ops::BitOr<Output = Self>
{
    /// How to negate one, where the kind knows `!`.
    const NOT: Option<fn(Self) -> Self>;

    /// How it is joined.
    fn node(&self) -> Node<'_, Self>;

    /// Reads a term.
    fn parse_term(cursor: &mut Cursor<'_>) -> Result<Self, ParseError>;

    /// Prints a term.
    fn fmt_term(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// How an expression is joined.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node<'a, T> {
    Term(&'a T),
    And(&'a T, &'a T),
    Or(&'a T, &'a T),
    Not(&'a T),
}

/// How tightly the surroundings bind: what binds looser needs parentheses there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Not,
}

impl<T> Node<'_, T> {
    fn needs_parentheses(&self, around: Binding) -> bool {
        match self {
            Node::Or(..) => around > Binding::Or,
            Node::And(..) => around > Binding::And,
            Node::Not(_) | Node::Term(_) => false,
        }
    }
}

/// Reads an expression, up to what cannot belong to it.
pub(crate) fn parse<T: Expression>(cursor: &mut Cursor<'_>) -> Result<T, ParseError> {
    let mut parser = Parser { cursor, nesting: 0, terms: 0 };
    let whole = parser.any_of()?;
    match cursor.peek() {
        token if token.kind == TokenKind::End => Ok(whole),
        token => Err(token.refuse("`&`, `|` or the end")),
    }
}

struct Parser<'c, 'a> {
    cursor: &'c mut Cursor<'a>,
    nesting: usize,
    terms: usize,
}

impl Parser<'_, '_> {
    fn any_of<T: Expression>(&mut self) -> Result<T, ParseError> {
        let mut joined: T = self.all_of()?;
        while self.cursor.take(TokenKind::Or) {
            joined = joined | self.all_of()?;
        }
        Ok(joined)
    }

    fn all_of<T: Expression>(&mut self) -> Result<T, ParseError> {
        let mut joined: T = self.single()?;
        while self.cursor.take(TokenKind::And) {
            joined = joined & self.single()?;
        }
        Ok(joined)
    }

    fn single<T: Expression>(&mut self) -> Result<T, ParseError> {
        let token = self.cursor.peek();
        match (token.kind, T::NOT) {
            (TokenKind::Open, _) => self.nested(|parser| {
                let inner = parser.any_of()?;
                parser.cursor.expect(TokenKind::Close, "`&`, `|` or `)`")?;
                Ok(inner)
            }),
            (TokenKind::Not, Some(not)) => self.nested(|parser| parser.single().map(not)),
            _ if self.terms == MAX_TERMS => Err(token.refuse(format!("at most {MAX_TERMS} terms"))),
            _ => {
                self.terms += 1;
                T::parse_term(self.cursor)
            }
        }
    }

    /// Reads the sign ahead, and what `inner` makes of the rest.
    fn nested<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        let sign = self.cursor.next();
        if self.nesting == MAX_NESTING {
            return Err(sign.refuse(format!("at most {MAX_NESTING} `(` or `!` inside one another")));
        }
        self.nesting += 1;
        let value = inner(self)?;
        self.nesting -= 1;
        Ok(value)
    }
}

/// Prints an expression with the fewest parentheses that keep its shape.
pub(crate) fn fmt<T: Expression>(expression: &T, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    fmt_in(expression, Binding::Or, f)
}

/// An expression, to be printed.
pub(crate) fn display<T: Expression>(expression: &T) -> impl fmt::Display {
    fmt::from_fn(move |f| fmt(expression, f))
}

fn fmt_in<T: Expression>(
    expression: &T,
    around: Binding,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let node = expression.node();
    let parentheses = node.needs_parentheses(around);
    if parentheses {
        f.write_str("(")?;
    }
    match node {
        Node::Term(term) => term.fmt_term(f)?,
        Node::Not(inner) => {
            f.write_str("!")?;
            fmt_in(inner, Binding::Not, f)?;
        }
        // Reading joins from the left, so that on the right the same sign needs parentheses.
        Node::And(left, right) => {
            fmt_in(left, Binding::And, f)?;
            f.write_str(" & ")?;
            fmt_in(right, Binding::Not, f)?;
        }
        Node::Or(left, right) => {
            fmt_in(left, Binding::Or, f)?;
            f.write_str(" | ")?;
            fmt_in(right, Binding::And, f)?;
        }
    }
    if parentheses { f.write_str(")") } else { Ok(()) }
}

/// Calls `visit` with each term, from left to right, until one fails.
pub(crate) fn try_each_term<'a, T: Expression, E>(
    expression: &'a T,
    visit: &mut impl FnMut(&'a T) -> Result<(), E>,
) -> Result<(), E> {
    match expression.node() {
        Node::Term(term) => visit(term),
        Node::Not(inner) => try_each_term(inner, visit),
        Node::And(left, right) | Node::Or(left, right) => {
            try_each_term(left, visit)?;
            try_each_term(right, visit)
        }
    }
}

/// Calls `visit` with each term, from left to right.
pub(crate) fn for_each_term<'a, T: Expression>(expression: &'a T, visit: &mut impl FnMut(&'a T)) {
    let visited = try_each_term(expression, &mut |term| {
        visit(term);
        Ok::<(), std::convert::Infallible>(())
    });
    match visited {
        Ok(()) => {}
    }
}

/// Refuses an expression that could be printed but not read back, because it is too long or nested too deeply.
pub(crate) fn check_limits<T: Expression>(
    expression: &T,
    field: &'static str,
) -> Result<(), InvalidPolicy> {
    let (terms, nesting) = extent(expression, Binding::Or);
    if terms <= MAX_TERMS && nesting <= MAX_NESTING {
        return Ok(());
    }
    let found = format!("{terms} terms, nested {nesting} deep");
    let limits = format!("at most {MAX_TERMS} terms, nested {MAX_NESTING} deep");
    Err(InvalidPolicy::new(field, found, limits))
}

/// How many terms it has, and how deep its parentheses and `!` go when printed.
fn extent<T: Expression>(expression: &T, around: Binding) -> (usize, usize) {
    let node = expression.node();
    let own = usize::from(node.needs_parentheses(around));
    let (terms, inner) = match node {
        Node::Term(_) => (1, 0),
        Node::Not(inner) => {
            let (terms, nesting) = extent(inner, Binding::Not);
            (terms, nesting + 1)
        }
        Node::And(left, right) => both(extent(left, Binding::And), extent(right, Binding::Not)),
        Node::Or(left, right) => both(extent(left, Binding::Or), extent(right, Binding::And)),
    };
    (terms, inner + own)
}

fn both(left: (usize, usize), right: (usize, usize)) -> (usize, usize) {
    (left.0 + right.0, left.1.max(right.1))
}
