//! Tokens of an answer to what the owner is told: text, reasoning and function calls apart.

use crate::event::Event;
use crate::text::Tokenizer;

/// What the tokens belong to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Answer,
    Reasoning,
    ToolCall,
}

/// The ids that switch between kinds; none where the vocabulary does not have them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks {
    think: [Option<u32>; 2],
    tool_call: [Option<u32>; 2],
}

impl Marks {
    pub(crate) fn new(tokenizer: &Tokenizer) -> Marks {
        let pair = |name: &str| [tokenizer.id(&format!("<{name}>")), tokenizer.id(&format!("</{name}>"))];
        Marks { think: pair("think"), tool_call: pair("tool_call") }
    }
}

/// An answer as far as it is written.
#[derive(Debug)]
pub(crate) struct Writer {
    marks: Marks,
    kind: Kind,
    /// The answer without reasoning and calls.
    text: String,
    /// The call at hand.
    call: String,
}

impl Writer {
    /// Nothing written. `reasoning` where the prompt has begun the reasoning already.
    pub(crate) fn new(marks: Marks, reasoning: bool) -> Writer {
        let kind = if reasoning { Kind::Reasoning } else { Kind::Answer };
        Writer { marks, kind, text: String::new(), call: String::new() }
    }

    /// Takes a token. Returns whether it is one of the answer's own, to be shown and spoken, and what to tell if it closed a call.
    pub(crate) fn push(&mut self, token: u32) -> (bool, Option<Event>) {
        let token = Some(token);
        if token == self.marks.think[0] {
            self.kind = Kind::Reasoning;
        } else if token == self.marks.tool_call[0] {
            self.kind = Kind::ToolCall;
        } else if token == self.marks.think[1] {
            self.kind = Kind::Answer;
        } else if token == self.marks.tool_call[1] {
            self.kind = Kind::Answer;
            let call = std::mem::take(&mut self.call).trim().to_owned();
            return (false, Some(Event::ToolCall(call)));
        } else {
            return (self.kind == Kind::Answer, None);
        }
        (false, None)
    }

    /// Takes text that the tokens so far have made.
    pub(crate) fn tell(&mut self, piece: String) -> Option<Event> {
        if piece.is_empty() {
            return None;
        }
        match self.kind {
            Kind::Reasoning => Some(Event::Reasoning(piece)),
            Kind::ToolCall => {
                self.call.push_str(&piece);
                None
            }
            Kind::Answer => {
                // Blank lines after reasoning are not part of the answer.
                let piece = if self.text.is_empty() { piece.trim_start().to_owned() } else { piece };
                self.text.push_str(&piece);
                (!piece.is_empty()).then_some(Event::Text(piece))
            }
        }
    }

    /// The answer without reasoning and calls.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}
