//! What is asked of Rust code whose meaning does not matter here: the names in it, and a type without its `impl`s.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::{GenericArgument, PathArguments, Type, parse_quote};

/// Every name in the code, keywords too.
pub(crate) fn names(code: &TokenStream) -> impl Iterator<Item = Ident> {
    let mut found = Vec::new();
    collect_names(code.clone(), &mut found);
    found.into_iter()
}

fn collect_names(code: TokenStream, found: &mut Vec<Ident>) {
    for token in code {
        match token {
            TokenTree::Ident(name) => found.push(name),
            TokenTree::Group(group) => collect_names(group.stream(), found),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// The type with `_` for every `impl Trait` in it: a function may return such a type, but nothing else may be of it.
pub(crate) fn without_impls(ty: &Type) -> Type {
    let mut ty = ty.clone();
    erase(&mut ty);
    ty
}

fn erase(ty: &mut Type) {
    match ty {
        Type::ImplTrait(_) => *ty = parse_quote!(_),
        Type::Array(array) => erase(&mut array.elem),
        Type::Group(group) => erase(&mut group.elem),
        Type::Paren(paren) => erase(&mut paren.elem),
        Type::Reference(reference) => erase(&mut reference.elem),
        Type::Slice(slice) => erase(&mut slice.elem),
        Type::Tuple(tuple) => tuple.elems.iter_mut().for_each(erase),
        Type::Path(path) => {
            for segment in &mut path.path.segments {
                let PathArguments::AngleBracketed(arguments) = &mut segment.arguments else {
                    continue;
                };
                for argument in &mut arguments.args {
                    if let GenericArgument::Type(ty) = argument {
                        erase(ty);
                    }
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;

    use super::*;

    #[test]
    fn every_impl_in_a_type_becomes_an_underscore() {
        for (with, without) in [
            ("Result<impl Iterator<Item = u8>, E>", "Result<_, E>"),
            ("Result<(u8, impl Sized), Box<dyn Error>>", "Result<(u8, _), Box<dyn Error>>"),
            ("std::io::Result<Vec<[&'a impl Sized; 2]>>", "std::io::Result<Vec<[&'a _; 2]>>"),
            ("Result<Box<dyn Fn() -> u8>, E>", "Result<Box<dyn Fn() -> u8>, E>"),
        ] {
            let [with, without] = [with, without].map(|text| syn::parse_str::<Type>(text).unwrap());
            let erased = without_impls(&with).to_token_stream().to_string();
            assert_eq!(erased, without.to_token_stream().to_string());
        }
    }

    #[test]
    fn names_are_found_however_deep() {
        let code = "self.clients[&id].breaker(|x| { y::z })".parse().unwrap();
        let found: Vec<String> = names(&code).map(|name| name.to_string()).collect();
        assert_eq!(found, ["self", "clients", "id", "breaker", "x", "y", "z"]);
    }
}
