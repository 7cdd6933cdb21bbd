//! Reads a crate's modules and the names that each of them uses, without what stands under `#[cfg(test)]`.
//!
//! It works on tokens, so that comments and strings count for nothing. It is not a compiler: a path that begins
//! with a name brought in by `use` is not followed, because the `use` itself is seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One module of a crate.
#[derive(Debug)]
pub(crate) struct Module {
    /// Where it stands in the crate: `["kernels", "linear"]`; empty for the root.
    pub(crate) path: Vec<String>,
    /// The file that holds it.
    pub(crate) file: PathBuf,
    /// Paths inside the crate that it names, from the crate's root: `["recording", "Buffer"]`.
    pub(crate) names: BTreeSet<Vec<String>>,
    /// Every word of its code.
    pub(crate) words: BTreeSet<String>,
}

/// A crate's modules.
#[derive(Debug)]
pub(crate) struct Crate {
    pub(crate) modules: Vec<Module>,
    /// Where the root's `use` lines take their names from: `Error` -> `["error", "Error"]`.
    pub(crate) root_uses: BTreeMap<String, Vec<String>>,
}

impl Crate {
    /// Reads the crate whose root is `file`, following its `mod` lines.
    pub(crate) fn read(file: &Path) -> Self {
        let mut modules = vec![];
        read_file(file, vec![], &mut modules);
        let mut root_uses = BTreeMap::new();
        for path in uses(&tokens_of(file)) {
            if let (Some(last), true) = (path.last(), path.len() > 1) {
                root_uses.insert(last.clone(), path);
            }
        }
        Self { modules, root_uses }
    }

    /// Pairs of a module and a path it names in another room, with names of the root's `use` lines resolved.
    /// A room is a module that the root declares; the root itself is none.
    pub(crate) fn uses_between_rooms(&self) -> impl Iterator<Item = (&Module, Vec<String>)> {
        let rooms: BTreeSet<_> = self.modules.iter().filter_map(|module| module.path.first()).collect();
        self.modules.iter().filter(|module| !module.path.is_empty()).flat_map(move |module| {
            let rooms = rooms.clone();
            module.names.iter().filter_map(move |name| {
                let first = name.first()?;
                let name =
                    if rooms.contains(first) { name.clone() } else { self.root_uses.get(first)?.clone() };
                (name.first() != module.path.first()).then_some((module, name))
            })
        })
    }
}

fn tokens_of(file: &Path) -> Vec<TokenTree> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let stream: TokenStream = text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    without_tests(stream)
}

/// The tokens without the items, fields and statements under `#[cfg(test)]`.
fn without_tests(stream: TokenStream) -> Vec<TokenTree> {
    let mut kept = vec![];
    let mut tokens = stream.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let attribute = is_punct(&token, '#').then(|| tokens.peek().map(ToString::to_string)).flatten();
        if attribute.is_some_and(|text| text.replace(' ', "") == "[cfg(test)]") {
            tokens.next();
            for token in tokens.by_ref() {
                let braces =
                    matches!(&token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
                if braces || is_punct(&token, ';') || is_punct(&token, ',') {
                    break;
                }
            }
        } else {
            kept.push(token);
        }
    }
    kept
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn ident(token: Option<&TokenTree>) -> Option<String> {
    match token {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
        _ => None,
    }
}

fn read_file(file: &Path, path: Vec<String>, modules: &mut Vec<Module>) {
    let own_folder = file.parent().unwrap_or(Path::new(""));
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let children =
        if matches!(stem, "lib" | "main" | "mod") { own_folder.to_path_buf() } else { own_folder.join(stem) };
    let module = Module { path, file: file.to_path_buf(), names: BTreeSet::new(), words: BTreeSet::new() };
    read_module(&tokens_of(file), &children, module, modules);
}

/// Reads one module's tokens, then the modules that it declares, whose files stand in `folder`.
fn read_module(tokens: &[TokenTree], folder: &Path, mut module: Module, modules: &mut Vec<Module>) {
    let mut own = tokens.to_vec();
    let mut at = 0;
    while at + 2 < own.len() {
        let declared =
            (ident(own.get(at)).as_deref() == Some("mod")).then(|| ident(own.get(at + 1))).flatten();
        let Some(name) = declared else {
            at += 1;
            continue;
        };
        let child_path = [module.path.clone(), vec![name.clone()]].concat();
        match &own[at + 2] {
            TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => {
                let child = Module {
                    path: child_path,
                    file: module.file.clone(),
                    names: BTreeSet::new(),
                    words: BTreeSet::new(),
                };
                read_module(&without_tests(body.stream()), &folder.join(&name), child, modules);
            }
            _ => {
                let files = [folder.join(format!("{name}.rs")), folder.join(&name).join("mod.rs")];
                let file = files.iter().find(|file| file.is_file());
                let file =
                    file.unwrap_or_else(|| panic!("no file of `mod {name}` of {}", module.file.display()));
                read_file(file, child_path, modules);
            }
        }
        own.drain(at..at + 3);
    }
    collect(&own, &mut module);
    modules.push(module);
}

/// Adds the words and the crate's own paths among `tokens` to the module.
fn collect(tokens: &[TokenTree], module: &mut Module) {
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => collect(&without_tests(group.stream()), module),
            TokenTree::Ident(word) => {
                let word = word.to_string();
                let goes_on = tokens.get(at + 1).is_some_and(|token| is_punct(token, ':'));
                let begins = at == 0 || !is_punct(&tokens[at - 1], ':');
                let start = match word.as_str() {
                    "crate" => Some(vec![]),
                    "self" => Some(module.path.clone()),
                    "super" => Some(parent(&module.path)),
                    _ => None,
                };
                if let (Some(start), true) = (start, goes_on && begins) {
                    let mut found = vec![];
                    follow(&tokens[at + 1..], start, &mut found);
                    module.names.extend(found);
                }
                module.words.insert(word);
            }
            _ => {}
        }
    }
}

fn parent(path: &[String]) -> Vec<String> {
    path[..path.len().saturating_sub(1)].to_vec()
}

/// Walks `::name::name` or `::{…}` after `start` and adds each whole path to `found`.
fn follow(tokens: &[TokenTree], start: Vec<String>, found: &mut Vec<Vec<String>>) {
    let mut path = start;
    let mut rest = tokens;
    while let [first, second, next, after @ ..] = rest {
        if !(is_punct(first, ':') && is_punct(second, ':')) {
            break;
        }
        match next {
            TokenTree::Ident(name) if name == "super" => path = parent(&path),
            TokenTree::Ident(name) => path.push(name.to_string()),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                for branch in inner.split(|token| is_punct(token, ',')).filter(|branch| !branch.is_empty()) {
                    let mut path = path.clone();
                    match ident(branch.first()) {
                        Some(name) if name != "self" => path.push(name),
                        _ => {}
                    }
                    follow(&branch[1..], path, found);
                }
                return;
            }
            _ => break,
        }
        rest = after;
    }
    if !path.is_empty() {
        found.push(path);
    }
}

/// The paths of the `use` lines among `tokens`, as they are written.
fn uses(tokens: &[TokenTree]) -> Vec<Vec<String>> {
    let mut found = vec![];
    for (at, token) in tokens.iter().enumerate() {
        if ident(Some(token)).as_deref() == Some("use")
            && let Some(first) = ident(tokens.get(at + 1))
        {
            follow(&tokens[at + 2..], vec![first], &mut found);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(text: &str) -> Module {
        let mut modules = vec![];
        let path = ["kernels", "attention", "tile"].map(str::to_owned).to_vec();
        let module = Module { path, file: PathBuf::new(), names: BTreeSet::new(), words: BTreeSet::new() };
        let stream: TokenStream = text.parse().unwrap();
        read_module(&without_tests(stream), Path::new(""), module, &mut modules);
        modules.pop().unwrap()
    }

    fn names(text: &str) -> Vec<String> {
        module(text).names.iter().map(|name| name.join("::")).collect()
    }

    #[test]
    fn a_name_in_a_group_or_in_a_body_or_in_a_macro_is_seen() {
        let text = "use crate::{error::Result, model::{self, Model as M}};
            fn f() { vec![crate::session::Session::new()]; crate::weights::load::<u8>() }";
        let found = ["error::Result", "model", "model::Model", "session::Session::new", "weights::load"];
        assert_eq!(names(text), found);
    }

    #[test]
    fn a_way_up_by_super_is_seen() {
        let text = "use super::super::lanes; use super::values::{V}; use super::super::super::model::Model;";
        assert_eq!(names(text), ["kernels::attention::values::V", "kernels::lanes", "model::Model"]);
    }

    #[test]
    fn tests_comments_and_strings_are_not_taken_for_code() {
        let text = "/// See [`crate::model`].
            const A: &str = \"crate::session\"; // crate::engine
            #[cfg(test)] use crate::executor::Cpu;
            #[cfg(test)] mod tests { use crate::memory::Memory; }
            impl A { #[cfg(test)] fn f() { crate::fixtures::g() } fn h() { crate::shape::s() } }";
        assert_eq!(names(text), ["shape::s"]);
        assert!(!module(text).words.contains("Memory"));
    }
}
