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
        let breaker = self.breaker();
        let call = match (&self.arguments.fallback, self.function.is_async()) {
            (None, _) => self.call_or_refuse(),
            (Some(Fallback::OfErrors(handler)), _) => self.call_or_handle(handler),
            (Some(Fallback::OfRejections(handler)), false) => self.call_or_answer(handler)?,
            (Some(Fallback::OfRejections(handler)), true) => self.call_async_or_answer(handler)?,
        };
        Ok(quote_spanned! {Span::mixed_site()=>
            #(#attributes)*
            #visibility #signature {
                #(#inner_attributes)*
                #breaker
                #call
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

    /// Makes the call, and returns its rejection as an error.
    fn call_or_refuse(&self) -> TokenStream {
        let output = &self.output;
        let support = self.support(output.span());
        let refusal =
            quote_spanned!(at(output.span())=> #support::refuse::<#output, _, _>(rejected));
        self.unless_rejected(&self.call(), &refusal)
    }

    /// Makes the call, and lets the handler answer every error.
    fn call_or_handle(&self, handler: &Handler) -> TokenStream {
        let call = self.call();
        let answer = self.handled(&quote_spanned!(Span::mixed_site()=> error), handler);
        quote_spanned! {Span::mixed_site()=>
            match #call {
                ::core::result::Result::Ok(value) => ::core::result::Result::Ok(value),
                ::core::result::Result::Err(error) => #answer,
            }
        }
    }

    /// Makes the call, or lets the handler answer its rejection: at the beginning of the body, which owns the arguments.
    fn call_or_answer(&self, handler: &Handler) -> Result<TokenStream> {
        let (output, body, judge) = (&self.output, &self.function.body, self.judge());
        let (support, answer) = (self.support(output.span()), self.answer(handler)?);
        let body = quote_spanned! {Span::mixed_site()=>
            move |rejected| -> #output {
                if let ::core::option::Option::Some(rejected) = rejected {
                    return #answer;
                }
                #body
            }
        };
        let call_or_answer =
            quote_spanned!(at(output.span())=> #support::call_or_answer::<#output, _, _>);
        Ok(quote_spanned!(Span::mixed_site()=> #call_or_answer(breaker, #body, #judge)))
    }

    /// As `call_or_answer`. The body, which must not move, finds the rejection in a place beside it.
    fn call_async_or_answer(&self, handler: &Handler) -> Result<TokenStream> {
        let (support, answer) = (self.support(Span::mixed_site()), self.answer(handler)?);
        let body = self.block(Some(&quote_spanned! {Span::mixed_site()=>
            if let ::core::option::Option::Some(&rejected) = rejection.get() {
                return #answer;
            }
        }));
        let call = self.call_async(&quote_spanned!(Span::mixed_site()=> body.as_mut()));
        let answered = quote_spanned! {Span::mixed_site()=> {
            rejection.get_or_init(|| rejected);
            body.await
        }};
        let result = self.unless_rejected(&call, &answered);
        Ok(quote_spanned! {Span::mixed_site()=>
            let rejection = &#support::OnceLock::<#support::Rejected>::new();
            let mut body = ::core::pin::pin!(#body);
            #result
        })
    }

    /// Makes the call. What it comes to is a `Result` with a `CallError`.
    fn call(&self) -> TokenStream {
        if self.function.is_async() {
            let body = self.block(None);
            return self.call_async(&quote_spanned!(Span::mixed_site()=> ::core::pin::pin!(#body)));
        }
        let (output, body, judge) = (&self.output, &self.function.body, self.judge());
        let support = self.support(output.span());
        let call = quote_spanned!(at(output.span())=> #support::call::<#output, _, _>);
        quote_spanned!(Span::mixed_site()=> #call(breaker, move || -> #output { #body }, #judge))
    }

    /// As `call`, with a pinned body.
    fn call_async(&self, body: &TokenStream) -> TokenStream {
        let (output, judge) = (&self.output, self.judge());
        let (support, at_output) = (self.support(Span::mixed_site()), self.support(output.span()));
        let into_result =
            quote_spanned!(at(output.span())=> #at_output::into_result::<#output, _, _>);
        quote_spanned! {Span::mixed_site()=>
            #support::call_async(breaker, #body, |returned| #into_result(returned), #judge).await
        }
    }

    /// What a call comes to, or what there is in place of one that was `rejected`.
    fn unless_rejected(&self, call: &TokenStream, instead: &TokenStream) -> TokenStream {
        let output = &self.output;
        let (support, at_output) = (self.support(Span::mixed_site()), self.support(output.span()));
        let succeeded = quote_spanned!(at(output.span())=> #at_output::succeeded::<#output, _, _>);
        let failed = quote_spanned!(at(output.span())=> #at_output::failed::<#output, _, _>);
        quote_spanned! {Span::mixed_site()=>
            match #call {
                ::core::result::Result::Ok(value) => #succeeded(value),
                ::core::result::Result::Err(#support::CallError::Failed(error)) => #failed(error),
                ::core::result::Result::Err(#support::CallError::Rejected(rejected)) => #instead,
            }
        }
    }

    /// What the handler makes of a rejection.
    fn answer(&self, handler: &Handler) -> Result<TokenStream> {
        let Handler::Path(path) = handler else {
            return Ok(self.handled(&quote_spanned!(Span::mixed_site()=> rejected), handler));
        };
        let (arguments, awaited) = (self.function.arguments()?, &self.awaited);
        Ok(quote_spanned!(at(path.span())=> #path(#(#arguments,)* rejected) #awaited))
    }

    /// The body of an async function, after what comes first.
    fn block(&self, first: Option<&TokenStream>) -> TokenStream {
        let (support, output) = (self.support(Span::mixed_site()), &self.output);
        let body = &self.function.body;
        // A block has no place for its type; the first `return` gives it.
        quote_spanned! {Span::mixed_site()=>
            async move {
                if false {
                    return #support::never::<#output>();
                }
                #first
                #body
            }
        }
    }

    /// What a handler makes of `argument`.
    fn handled(&self, argument: &TokenStream, handler: &Handler) -> TokenStream {
        let (handler, awaited) = (handler.expression(), &self.awaited);
        let support = self.support(handler.span());
        quote_spanned!(at(handler.span())=> #support::apply(#argument, #handler) #awaited)
    }

    /// The closure that says what a result came to.
    fn judge(&self) -> TokenStream {
        match &self.arguments.judge {
            Judge::By(handler) => {
                let judge = handler.expression();
                let support = self.support(judge.span());
                quote_spanned!(at(judge.span())=> |result| #support::judged(result, #judge))
            }
            Judge::Circuit { errors, ignore } => {
                let support = self.support(Span::mixed_site());
                let judgement = self.judgement(errors.as_deref(), ignore);
                quote_spanned!(Span::mixed_site()=> |result| #support::judge_error(result, |error| #judgement))
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
}
