//! What the marked function becomes: its signature as it was, and its body behind the circuit.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, Result, Type};

use crate::arguments::{Arguments, Circuit, Fallback, Judge, Setting};
use crate::function::Function;
use crate::tokens::without_impls;
use crate::values::Handler;

/// Expands the attribute. What is wrong is told beside the function as it stands, so that its callers still find it.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = syn::parse2::<Function>(item.clone());
    let expanded = match (Arguments::read(arguments), function) {
        (Ok(arguments), Ok(function)) => Guarded::new(&arguments, &function).expand(),
        (Err(mut fault), Err(another)) => {
            fault.combine(another);
            Err(fault)
        }
        (Err(fault), Ok(_)) | (Ok(_), Err(fault)) => Err(fault),
    };
    expanded.unwrap_or_else(|fault| {
        let fault = fault.into_compile_error();
        quote!(#fault #item)
    })
}

/// Code that is shown at `span`, and whose variables the user's code cannot see.
fn at(span: Span) -> Span {
    span.resolved_at(Span::mixed_site())
}

/// The same code, shown at `span`.
fn shown_at(span: Span, code: TokenStream) -> TokenStream {
    let tokens = code.into_iter().map(|mut token| {
        token.set_span(token.span().located_at(span));
        token
    });
    tokens.collect()
}

/// A function, and what puts it behind its circuit.
struct Guarded<'a> {
    arguments: &'a Arguments,
    function: &'a Function,
    /// What is returned, with `_` for what has no name.
    output: Type,
    /// `.await` in an async function.
    awaited: TokenStream,
}

impl<'a> Guarded<'a> {
    fn new(arguments: &'a Arguments, function: &'a Function) -> Self {
        let output = without_impls(&function.output);
        let awaited = if function.is_async() { quote!(.await) } else { TokenStream::new() };
        Guarded { arguments, function, output, awaited }
    }

    /// The module of the crate `fuseboard` that the expansion calls, for code that is shown at `span`.
    fn support(&self, span: Span) -> TokenStream {
        let krate = &self.arguments.krate;
        shown_at(span, quote!(#krate::marked))
    }

    fn expand(&self) -> Result<TokenStream> {
        let Function { attributes, visibility, signature, inner_attributes, .. } = self.function;
        let (breaker, admission) = (self.breaker(), self.admission()?);
        let (call, settling, answer) = (self.call(), self.settling(), self.answer());
        Ok(quote_spanned! {Span::mixed_site()=>
            #(#attributes)*
            #visibility #signature {
                #(#inner_attributes)*
                #breaker
                #admission
                let result = #call;
                #settling
                #answer
            }
        })
    }

    /// Finds the circuit breaker.
    fn breaker(&self) -> TokenStream {
        let (name, settings, board) = match &self.arguments.circuit {
            Circuit::Named { name, settings, board } => (name, settings, board),
            Circuit::Given(breaker) => return self.given_breaker(breaker),
        };
        let support = self.support(Span::mixed_site());
        let function = self.function.signature.ident.unraw().to_string();
        // If one of them panics, that is shown at its place.
        let settings = settings
            .iter()
            .map(|Setting { method, value }| quote_spanned!(at(value.span())=> .#method(#value)));
        let (board, at_board) = match board {
            Some(board) => (quote_spanned!(at(board.span())=> &(#board)), at(board.span())),
            None => (quote!(#support::board()), Span::mixed_site()),
        };
        let on_board = quote_spanned!(at(name.span())=> .on(#board));
        // The expression of the board is all in here that could depend on one call's arguments.
        let find = quote_spanned! {at_board=> || {
            let function = ::core::concat!(::core::module_path!(), "::", #function);
            #support::Plan::new(#name, function) #(#settings)* #on_board
        }};
        quote_spanned! {Span::mixed_site()=>
            static __FUSEBOARD_CIRCUIT: #support::Circuit = #support::Circuit::new();
            let breaker = __FUSEBOARD_CIRCUIT.get(#find);
        }
    }

    /// Takes the circuit breaker that the user's expression gives: by reference, unless the body may take away what the
    /// reference goes to.
    fn given_breaker(&self, breaker: &Expr) -> TokenStream {
        let support = self.support(Span::mixed_site());
        let given = quote_spanned!(at(breaker.span())=> &(#breaker));
        let given = match self.function.may_lose(&quote!(#breaker)) {
            true => quote!(&#support::CircuitBreaker::clone(#given)),
            false => given,
        };
        quote_spanned!(Span::mixed_site()=> let breaker: &#support::CircuitBreaker = #given;)
    }

    /// Asks the circuit, and returns if it rejects the call.
    fn admission(&self) -> Result<TokenStream> {
        let ask = match self.function.is_async() {
            true => quote!(try_acquire),
            false => quote!(enter),
        };
        let refusal = self.refusal()?;
        Ok(quote_spanned! {Span::mixed_site()=>
            let pass = match breaker.#ask() {
                ::core::result::Result::Ok(pass) => pass,
                ::core::result::Result::Err(rejected) => return #refusal,
            };
        })
    }

    /// What is returned instead of a call that was rejected.
    fn refusal(&self) -> Result<TokenStream> {
        let output = &self.output;
        let at_output = self.support(output.span());
        Ok(match &self.arguments.fallback {
            None => {
                quote_spanned!(at(output.span())=> #at_output::refuse::<#output, _, _>(rejected))
            }
            Some(Fallback::OfRejections(Handler::Path(path))) => {
                let (arguments, awaited) = (self.function.arguments()?, &self.awaited);
                quote_spanned!(at(path.span())=> #path(#(#arguments,)* rejected) #awaited)
            }
            Some(Fallback::OfRejections(handler)) => {
                self.handled(&quote_spanned!(Span::mixed_site()=> rejected), handler)
            }
            Some(Fallback::OfErrors(handler)) => {
                let error = quote_spanned! {at(output.span())=>
                    #at_output::rejection::<#output, _, _>(rejected)
                };
                self.handled(&error, handler)
            }
        })
    }

    /// What a handler makes of `argument`.
    fn handled(&self, argument: &TokenStream, handler: &Handler) -> TokenStream {
        let (handler, awaited) = (handler.expression(), &self.awaited);
        let support = self.support(handler.span());
        quote_spanned!(at(handler.span())=> #support::apply(#argument, #handler) #awaited)
    }

    /// Runs the body.
    fn call(&self) -> TokenStream {
        let (support, output) = (self.support(Span::mixed_site()), &self.output);
        let body = &self.function.body;
        match self.function.is_async() {
            false => {
                quote_spanned!(Span::mixed_site()=> #support::call(move || -> #output { #body }))
            }
            // A block has no place for its type; the first `return` gives it.
            true => quote_spanned! {Span::mixed_site()=>
                async move {
                    if false {
                        return #support::never::<#output>();
                    }
                    #body
                }
                .await
            },
        }
    }

    /// Tells the circuit what the call came to.
    fn settling(&self) -> TokenStream {
        let output = &self.output;
        let at_output = self.support(output.span());
        let result =
            quote_spanned! {at(output.span())=> #at_output::as_result::<#output, _, _>(&result)};
        match &self.arguments.judge {
            Judge::By(handler) => {
                let judge = handler.expression();
                let support = self.support(judge.span());
                quote_spanned!(at(judge.span())=> pass.settle(#support::apply(#result, #judge));)
            }
            Judge::Circuit { errors, ignore } => {
                let judgement = self.judgement(errors.as_deref(), ignore);
                quote_spanned! {Span::mixed_site()=>
                    match #result {
                        ::core::result::Result::Ok(_) => pass.success(),
                        ::core::result::Result::Err(error) => pass.settle(#judgement),
                    }
                }
            }
        }
    }

    /// What `error` comes to: the circuit's judgement, if it is of the types that count.
    fn judgement(&self, errors: Option<&[Type]>, ignore: &[Type]) -> TokenStream {
        let support = self.support(Span::mixed_site());
        let is = |ty: &Type| {
            let support = self.support(ty.span());
            quote_spanned!(at(ty.span())=> (&&#support::OfType::<#ty>::NEW).is(&seen))
        };
        let ignored = ignore.iter().map(is);
        let counted = errors.map(|errors| {
            let errors = errors.iter().map(is);
            quote_spanned!(Span::mixed_site()=> && (false #(|| #errors)*))
        });
        quote_spanned! {Span::mixed_site()=> {
            #[allow(unused_imports, reason = "which of them is needed depends on the type of the error")]
            use #support::{
                FromAny as _, FromBox as _, FromError as _, FromSharedBox as _, IsAny as _, IsError as _,
                PeelAny as _, PeelCallError as _,
            };
            match (&&#support::Peel(error)).peel() {
                ::core::result::Result::Ok(error) => {
                    let seen = #support::Seen::new(error, (&&&&#support::Look(error)).as_error());
                    let counts = true #(&& !#ignored)* #counted;
                    #support::judge(breaker, error, &seen, counts)
                }
                ::core::result::Result::Err(rejected) => #support::judge_rejection(breaker, rejected),
            }
        }}
    }

    /// What is returned after the call.
    fn answer(&self) -> TokenStream {
        let Some(Fallback::OfErrors(handler)) = &self.arguments.fallback else {
            return quote_spanned!(Span::mixed_site()=> result);
        };
        let support = self.support(Span::mixed_site());
        let failed = quote_spanned!(Span::mixed_site()=> #support::CallError::Failed(error));
        let answer = self.handled(&failed, handler);
        quote_spanned! {Span::mixed_site()=>
            match result {
                ::core::result::Result::Ok(value) => ::core::result::Result::Ok(value),
                ::core::result::Result::Err(error) => #answer,
            }
        }
    }
}
