//! A text cut into what the library lays out and blocks of code, which have a button of their own.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A part of a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Piece {
    /// Markdown. A picture in it is only a link, so that nothing is loaded to show it.
    Text(String),
    /// A block of code, which may not be complete yet.
    Code {
        /// As the text names it; may be empty.
        language: String,
        /// Without the last line's end.
        code: String,
    },
}

/// The parts of `text` in order. Blocks of code inside of lists and quotes stay where they are.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = String::new();
    let (mut taken, mut depth) = (0, 0);
    let mut block: Option<(String, String)> = None;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(kind)) if depth == 0 => {
                rest += &text[taken..range.start.max(taken)];
                push_text(&mut pieces, &mut rest);
                let language = match kind {
                    CodeBlockKind::Fenced(name) => name.split_whitespace().next().unwrap_or("").to_owned(),
                    CodeBlockKind::Indented => String::new(),
                };
                block = Some((language, String::new()));
                taken = range.end;
                depth += 1;
            }
            Event::Text(line) if block.is_some() => block.iter_mut().for_each(|(_, code)| *code += &line),
            Event::End(TagEnd::CodeBlock) if block.is_some() => {
                depth -= 1;
                if let Some((language, code)) = block.take() {
                    pieces.push(Piece::Code { language, code: code.trim_end_matches('\n').to_owned() });
                }
            }
            Event::Start(tag) => {
                depth += 1;
                if matches!(tag, Tag::Image { .. }) && text[range.start..].starts_with('!') {
                    rest += &text[taken..range.start];
                    taken = range.start + 1;
                }
            }
            Event::End(_) => depth -= 1,
            _ => {}
        }
    }
    rest += &text[taken..];
    push_text(&mut pieces, &mut rest);
    pieces
}

fn push_text(pieces: &mut Vec<Piece>, text: &mut String) {
    let text = std::mem::take(text);
    if !text.trim().is_empty() {
        pieces.push(Piece::Text(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(language: &str, code: &str) -> Piece {
        Piece::Code { language: language.into(), code: code.into() }
    }

    fn text(text: &str) -> Piece {
        Piece::Text(text.into())
    }

    #[test]
    fn blocks_of_code_are_cut_out_even_before_they_are_complete() {
        let whole = "Look:\n\n```rust ignore\nlet a = vec![1];\n\nb\n```\nand *so* on";
        let parts = [text("Look:\n\n"), code("rust", "let a = vec![1];\n\nb"), text("\nand *so* on")];
        assert_eq!(pieces(whole), parts);
        assert_eq!(pieces("```\nhalf"), [code("", "half")]);
        assert_eq!(pieces("```py"), [code("py", "")]);
        assert_eq!(pieces("- a\n  ```\n  b\n  ```\n"), [text("- a\n  ```\n  b\n  ```\n")]);
        assert_eq!(pieces(" \n"), []);
    }

    #[test]
    fn a_picture_becomes_a_link_and_code_stays_as_it_is() {
        let whole = "a ![p](https://example.org/p.png) `vec![](x)` ![ not";
        assert_eq!(pieces(whole), [text("a [p](https://example.org/p.png) `vec![](x)` ![ not")]);
    }

    #[test]
    fn every_beginning_of_a_text_can_be_cut() {
        let whole = "é ![p](u)\n\n```a\n日\n```\n| a |\n|---|\n> - ```\n>   ü\n![x][y]\n\n[y]: z\n";
        for (end, _) in whole.char_indices() {
            pieces(&whole[..end]);
        }
    }
}
