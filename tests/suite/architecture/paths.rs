//! The paths that a source names, read from its tokens.

use std::iter::Peekable;

use proc_macro2::{Delimiter, TokenStream, TokenTree, token_stream};

/// The path from the root of the crate; none where it leads into another crate or names a local thing.
pub(super) fn resolved(module: &[String], path: &[String]) -> Option<Vec<String>> {
    let mut at = match path.first()?.as_str() {
        "crate" => Vec::new(),
        "self" | "super" => module.to_vec(),
        _ => return None,
    };
    for name in path {
        match name.as_str() {
            "crate" | "self" => {}
            "super" => {
                at.pop();
            }
            name => at.push(name.to_owned()),
        }
    }
    Some(at)
}

type Tokens = Peekable<token_stream::IntoIter>;

/// Every path of more than one name, with the module that it stands in.
pub(super) fn collect(
    tokens: TokenStream,
    module: &[String],
    paths: &mut Vec<(Vec<String>, Vec<String>)>,
) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(name) if name == "mod" => {
                let mut inner = module.to_vec();
                inner.extend(tokens.next().map(|name| name.to_string()));
                if let Some(TokenTree::Group(body)) = tokens.next() {
                    collect(body.stream(), &inner, paths);
                }
            }
            TokenTree::Ident(name) => {
                let mut found = Vec::new();
                follow(vec![name.to_string()], &mut tokens, &mut found);
                // A single name is local, but for `use anyhow;`, which nobody writes.
                let found = found.into_iter().filter(|path| path.len() > 1);
                paths.extend(found.map(|path| (module.to_vec(), path)));
            }
            TokenTree::Group(group) => collect(group.stream(), module, paths),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// Goes along `::name`, `::{...}` and `::*` as far as they lead.
fn follow(mut path: Vec<String>, tokens: &mut Tokens, paths: &mut Vec<Vec<String>>) {
    loop {
        let mut ahead = tokens.clone();
        if !(is_colon(ahead.next()) && is_colon(ahead.next())) {
            break;
        }
        match ahead.next() {
            Some(TokenTree::Ident(name)) => {
                path.push(name.to_string());
                *tokens = ahead;
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                *tokens = ahead;
                return branches(&path, group.stream(), paths);
            }
            Some(TokenTree::Punct(star)) if star.as_char() == '*' => {
                *tokens = ahead;
                // All that is in there: the path ends with itself.
                path.push("self".to_owned());
            }
            _ => break,
        }
    }
    paths.push(path);
}

/// The alternatives of `path::{a, b::c, d::{e, f}}`.
fn branches(path: &[String], inside: TokenStream, paths: &mut Vec<Vec<String>>) {
    let mut tokens = inside.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(name) if name == "as" => {
                tokens.next();
            }
            TokenTree::Ident(name) => {
                let mut path = path.to_vec();
                path.push(name.to_string());
                follow(path, &mut tokens, paths);
            }
            TokenTree::Punct(star) if star.as_char() == '*' => {
                paths.push(path.iter().cloned().chain(["self".to_owned()]).collect());
            }
            _ => {}
        }
    }
}

fn is_colon(token: Option<TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}
