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

    /// Whether a token only switches between kinds: it has no text to tell.
    pub(crate) fn is_mark(&self, token: u32) -> bool {
        self.marks.think.iter().chain(&self.marks.tool_call).any(|mark| *mark == Some(token))
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

#[cfg(test)]
mod tests {
    use super::*;

    const MARKS: Marks = Marks { think: [Some(100), Some(101)], tool_call: [Some(102), Some(103)] };

    /// What is told of `tokens`, each with its text, and which of them are spoken.
    fn written(writer: &mut Writer, tokens: &[(u32, &str)]) -> (Vec<Event>, Vec<u32>) {
        let (mut events, mut spoken) = (Vec::new(), Vec::new());
        for &(token, text) in tokens {
            let (own, event) = writer.push(token);
            events.extend(event);
            if own {
                spoken.push(token);
            }
            let is_mark = (100..104).contains(&token);
            events.extend((!is_mark).then(|| writer.tell(text.into())).flatten());
        }
        (events, spoken)
    }

    #[test]
    fn a_call_is_told_whole_and_neither_shown_nor_spoken() {
        let mut writer = Writer::new(MARKS, false);
        let tokens = [
            (1, "Let me look."),
            (102, ""),
            (2, "\n{\"name\": "),
            (3, "\"clock\"}\n"),
            (103, ""),
            (4, " Done."),
        ];
        let (events, spoken) = written(&mut writer, &tokens);
        let call = Event::ToolCall("{\"name\": \"clock\"}".into());
        assert_eq!(events, [Event::Text("Let me look.".into()), call, Event::Text(" Done.".into())]);
        assert_eq!(spoken, [1, 4]);
        assert_eq!(writer.text(), "Let me look. Done.");
    }

    #[test]
    fn two_calls_are_told_apart() {
        let tokens = [(102, ""), (1, "one"), (103, ""), (102, ""), (2, "two"), (103, "")];
        let (events, spoken) = written(&mut Writer::new(MARKS, false), &tokens);
        assert_eq!(events, [Event::ToolCall("one".into()), Event::ToolCall("two".into())]);
        assert!(spoken.is_empty());
    }

    #[test]
    fn reasoning_is_told_as_such_and_blank_lines_after_it_are_dropped() {
        let (thought, answer) = (Event::Reasoning("Hm.".into()), Event::Text("Yes.".into()));
        let tokens = [(100, ""), (1, "Hm."), (101, ""), (2, "\n\n"), (3, "Yes.")];
        for (opened, tokens) in [(false, &tokens[..]), (true, &tokens[1..])] {
            let mut writer = Writer::new(MARKS, opened);
            let (events, spoken) = written(&mut writer, tokens);
            assert_eq!(events, [thought.clone(), answer.clone()]);
            assert!(!spoken.contains(&1) && spoken.contains(&3));
            assert_eq!(writer.text(), "Yes.");
        }
    }

    #[test]
    fn a_vocabulary_without_marks_only_answers() {
        let mut writer = Writer::new(Marks { think: [None; 2], tool_call: [None; 2] }, false);
        assert_eq!(written(&mut writer, &[(100, "a"), (103, "b")]).1, [100, 103]);
    }
}
