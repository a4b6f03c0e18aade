//! A source file as the rules see it: its tokens with their lines, free of comments and strings.

use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A word or a sign of the code; a literal is the empty text.
struct Token {
    text: String,
    line: usize,
}

/// A Rust source file.
pub(super) struct Source {
    /// Its path from the root of the repository: `src/http/mod.rs`.
    pub(super) path: String,
    /// Its text.
    pub(super) text: String,
    tokens: Vec<Token>,
}

/// Something the code names, and the line where it does.
pub(super) type Named = (String, usize);

impl Source {
    /// Reads the tokens of `text`.
    pub(super) fn new(path: &str, text: &str) -> Self {
        let stream: TokenStream = text.parse().unwrap_or_else(|error| panic!("{path} is no Rust: {error}"));
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        Self { path: path.into(), text: text.into(), tokens }
    }

    /// Every Rust file of ours below `folder`, with paths that begin with `name`.
    pub(super) fn read_all(folder: &Path, name: &str) -> Vec<Self> {
        let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        let mut sources = Vec::new();
        for entry in entries {
            let path = format!("{name}/{}", entry.file_name().unwrap().to_str().unwrap());
            if entry.is_dir() && !entry.ends_with("node_modules") {
                sources.extend(Self::read_all(&entry, &path));
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                sources.push(Self::new(&path, &std::fs::read_to_string(&entry).unwrap()));
            }
        }
        sources
    }

    /// The modules that the file stands for: `["http", "trace"]` for `src/http/trace.rs`.
    fn modules(&self) -> Vec<&str> {
        let inner = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        inner.split('/').filter(|part| *part != "mod").collect()
    }

    /// The top-level module that the file belongs to: `http` for `src/http/trace.rs`.
    pub(super) fn top_module(&self) -> &str {
        self.modules()[0]
    }

    /// The top-level modules that the file names: through `crate::`, `anteroom::`, or enough `super::` to get there.
    pub(super) fn top_modules_named(&self) -> Vec<Named> {
        let mut named = Vec::new();
        let mut opened: Vec<bool> = Vec::new(); // the braces around this place: does a `mod` open it?
        for at in 0..self.tokens.len() {
            match self.text_at(at) {
                "{" => opened.push(at >= 2 && self.text_at(at - 2) == "mod"),
                "}" => drop(opened.pop()),
                "crate" | "anteroom" if self.is_path(at) => self.heads(at + 3, &mut named),
                "super" if self.is_path(at) && !self.follows_super(at) => {
                    let depth = self.modules().len() + opened.iter().filter(|module| **module).count();
                    let (mut after, mut ups) = (at, 0);
                    while self.text_at(after) == "super" && self.is_path(after) {
                        (after, ups) = (after + 3, ups + 1);
                    }
                    if ups >= depth {
                        self.heads(after, &mut named);
                    }
                }
                _ => {}
            }
        }
        named
    }

    /// The lines in which a crate whose name is or begins with `name` is named.
    pub(super) fn lines_naming_crate(&self, name: &str) -> Vec<usize> {
        let is_name = |text: &str| text == name || text.strip_prefix(name).is_some_and(|rest| rest.starts_with('_'));
        self.tokens.iter().filter(|token| is_name(&token.text)).map(|token| token.line).collect()
    }

    /// Each function with a body: its name, the line it begins in, and how many lines it takes.
    pub(super) fn functions(&self) -> Vec<(String, usize, usize)> {
        let starts = (0..self.tokens.len()).filter(|at| self.text_at(*at) == "fn" && is_word(self.text_at(at + 1)));
        starts
            .filter_map(|at| Some((self.text_at(at + 1).to_owned(), self.line(at), self.lines_of_body(at)?)))
            .collect()
    }

    /// How many lines there are from the `fn` at `at` to the brace that closes its body; none without a body.
    fn lines_of_body(&self, at: usize) -> Option<usize> {
        let mut depth = 0;
        let mut in_body = false;
        for index in at..self.tokens.len() {
            match self.text_at(index) {
                ";" if depth == 0 => return None,
                "{" | "(" | "[" => {
                    in_body |= depth == 0 && self.text_at(index) == "{";
                    depth += 1;
                }
                "}" | ")" | "]" => {
                    depth -= 1;
                    if in_body && depth == 0 {
                        return Some(self.line(index) - self.line(at) + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// The first names of the path, or of each path of the group, that begins at `at`.
    fn heads(&self, at: usize, named: &mut Vec<Named>) {
        if self.text_at(at) != "{" {
            if is_word(self.text_at(at)) {
                named.push((self.text_at(at).into(), self.line(at)));
            }
            return;
        }
        let mut depth = 0;
        for index in at.. {
            match self.text_at(index) {
                "{" => depth += 1,
                "}" => depth -= 1,
                word if depth == 1 && is_word(word) && matches!(self.text_at(index - 1), "{" | ",") => {
                    named.push((word.into(), self.line(index)));
                }
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn is_path(&self, at: usize) -> bool {
        self.text_at(at + 1) == ":" && self.text_at(at + 2) == ":"
    }

    fn follows_super(&self, at: usize) -> bool {
        at >= 3 && self.text_at(at - 3) == "super" && self.is_path(at - 3)
    }

    fn text_at(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }

    fn line(&self, at: usize) -> usize {
        self.tokens[at].line
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Ident(word) => tokens.push(Token { text: word.to_string(), line }),
            TokenTree::Punct(sign) => tokens.push(Token { text: sign.as_char().into(), line }),
            TokenTree::Literal(_) => tokens.push(Token { text: String::new(), line }),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(Token { text: open.into(), line });
                flatten(group.stream(), tokens);
                tokens.push(Token { text: close.into(), line: group.span().end().line });
            }
        }
    }
}
