//! What has been said, as the chat template is given it, and how much of it the model has read.

use serde_json::{Value, json};

use super::Mark;
use crate::message::{Content, Message, Role, ToolCall};

/// A place in the conversation that the session can go back to: the end of a prompt, before the answer to it.
#[derive(Clone, Debug)]
pub(crate) struct Boundary {
    /// Bytes of the rendered text up to here.
    pub(crate) text: usize,
    /// Media up to here.
    pub(crate) media: usize,
    pub(crate) mark: Mark,
}

/// How much of the conversation the model has read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Read {
    /// Rendered text up to where the model has read, one placeholder for each medium.
    pub(crate) text: String,
    /// Media that the text holds.
    pub(crate) media: usize,
    /// Tokens generated but not fed: their text counts as read, their rows do not exist.
    pub(crate) unfed: Vec<u32>,
    boundaries: Vec<Boundary>,
}

/// All turns, and how much of them has been read.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    pub(crate) messages: Vec<Value>,
    /// Every clip, picture and video in order.
    pub(crate) media: Vec<Content>,
    pub(crate) read: Read,
}

impl Conversation {
    /// A conversation that begins with `system`.
    pub(crate) fn new(system: Option<&str>) -> Conversation {
        let messages = system.map(|text| json!({"role": "system", "content": text})).into_iter().collect();
        Conversation { messages, ..Conversation::default() }
    }

    /// Appends a turn.
    pub(crate) fn push(&mut self, message: Message) {
        let role = match message.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
        };
        let content = match &message.content[..] {
            [Content::Text(text)] => json!(text),
            parts => parts.iter().map(part).collect(),
        };
        let mut value = json!({"role": role, "content": content});
        if !message.tool_calls.is_empty() {
            let call = |call: &ToolCall| {
                let function = json!({"name": call.name, "arguments": call.arguments});
                json!({"type": "function", "function": function})
            };
            value["tool_calls"] = message.tool_calls.iter().map(call).collect();
        }
        self.messages.push(value);
        self.media.extend(message.content.into_iter().filter(|c| !matches!(c, Content::Text(_))));
    }

    /// Whether the last turn waits for an answer.
    pub(crate) fn waits_for_answer(&self) -> bool {
        self.messages.last().is_some_and(|m| m["role"] == "user" || m["role"] == "tool")
    }

    /// Forgets the last turn.
    pub(crate) fn drop_last_turn(&mut self) {
        if let Some(message) = self.messages.pop() {
            let is_media = |part: &&Value| part["type"] != "text";
            let media =
                message["content"].as_array().map_or(0, |parts| parts.iter().filter(is_media).count());
            self.media.truncate(self.media.len() - media);
        }
    }

    /// Forgets the last answer and the user's turn before it. Returns that turn's parts, and where the session must go back to: the
    /// end of an earlier prompt. `None` where the conversation does not end with an answer to the user.
    pub(crate) fn take_back(&mut self) -> Option<(Vec<Content>, Mark)> {
        let [.., question, answer] = &self.messages[..] else { return None };
        if question["role"] != "user" || answer["role"] != "assistant" {
            return None;
        }
        let content = question["content"].clone();
        self.drop_last_turn();
        let mut media = self.media.clone();
        self.drop_last_turn();
        let mut media = media.split_off(self.media.len()).into_iter();
        let text = |value: &Value| value.as_str().map(|text| Content::Text(text.to_owned()));
        let parts = match &content {
            Value::Array(parts) => parts
                .iter()
                .filter_map(|part| if part["type"] == "text" { text(&part["text"]) } else { media.next() })
                .collect(),
            content => text(content).into_iter().collect(),
        };
        let read = &mut self.read;
        read.unfed.clear();
        read.boundaries.pop();
        let Some(boundary) = read.boundaries.last() else {
            *read = Read::default();
            return Some((parts, Mark::default()));
        };
        read.text.truncate(boundary.text);
        read.media = boundary.media;
        Some((parts, boundary.mark.clone()))
    }

    /// Appends an answer of which all but the `unfed` tokens have been fed.
    pub(crate) fn answered(&mut self, written: &str, unfed: Vec<u32>) {
        self.messages.push(json!({"role": "assistant", "content": written}));
        self.read.text.push_str(written);
        self.read.unfed = unfed;
    }

    /// Takes note that everything up to here has been read: the end of a prompt.
    pub(crate) fn push_boundary(&mut self, mark: Mark) {
        self.read.boundaries.push(Boundary { text: self.read.text.len(), media: self.read.media, mark });
    }

    /// Makes the text that was read a beginning of `rendered`: where the template now renders earlier turns in another way, the
    /// text after the last boundary that still fits is given up. Returns where the session must go back to, if anywhere.
    pub(crate) fn align(&mut self, rendered: &str) -> Option<Mark> {
        let read = &mut self.read;
        if rendered.starts_with(&read.text) {
            return None;
        }
        read.unfed.clear();
        while let Some(boundary) = read.boundaries.pop() {
            if rendered.starts_with(&read.text[..boundary.text]) {
                read.text.truncate(boundary.text);
                read.media = boundary.media;
                let mark = boundary.mark.clone();
                read.boundaries.push(boundary);
                return Some(mark);
            }
        }
        *read = Read::default();
        Some(Mark::default())
    }
}

/// A part of a message as chat templates expect it.
pub(crate) fn part(content: &Content) -> Value {
    match content {
        Content::Text(text) => json!({"type": "text", "text": text}),
        Content::Audio(_) => json!({"type": "audio", "audio": ""}),
        Content::Image(_) => json!({"type": "image", "image": ""}),
        Content::Video(_) => json!({"type": "video", "video": ""}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::reader::ReaderMark;

    fn mark(rows: usize) -> Mark {
        Mark { reader: ReaderMark { rows, ..ReaderMark::default() }, ..Mark::default() }
    }

    /// Two prompts, each with an answer.
    fn conversation() -> Conversation {
        let mut conversation = Conversation::new(None);
        for (prompt, answer, rows) in [("U1 A:", "<think>x</think>one", 10), (" U2 A:", "two", 20)] {
            conversation.read.text.push_str(prompt);
            conversation.read.media += 1;
            conversation.push_boundary(mark(rows));
            conversation.answered(answer, vec![7]);
        }
        conversation
    }

    #[test]
    fn a_text_that_goes_on_is_not_gone_back_in() {
        let mut conversation = conversation();
        let text = conversation.read.text.clone();
        assert!(conversation.align(&format!("{text} U3")).is_none());
        assert_eq!((conversation.read.text, conversation.read.unfed), (text, vec![7]));
    }

    #[test]
    fn an_answer_that_is_laid_out_anew_is_read_again_from_its_prompt_on() {
        let mut conversation = conversation();
        let back = conversation.align("U1 A:one U2 A:two U3").unwrap();
        assert_eq!(back.reader.rows, 10);
        let read = conversation.read;
        assert_eq!((read.text.as_str(), read.media, read.unfed.len()), ("U1 A:", 1, 0));
        assert_eq!(read.boundaries.len(), 1, "it can be gone back to again");
    }

    #[test]
    fn a_beginning_that_changes_is_read_again_from_the_start() {
        let mut conversation = conversation();
        let back = conversation.align("system U1").unwrap();
        assert_eq!((back.reader.rows, conversation.read.media), (0, 0));
        assert!(conversation.read.text.is_empty() && conversation.read.boundaries.is_empty());
    }

    #[test]
    fn an_answer_is_taken_back_with_its_question_as_far_as_the_prompt_before() {
        let mut conversation = Conversation::new(Some("system"));
        let audio = Content::Audio(crate::audio::Audio { samples: vec![0.0; 400] });
        assert!(conversation.take_back().is_none(), "nothing was said");
        for (text, rows) in [("one", 10), ("two", 20)] {
            let content = vec![audio.clone(), Content::Text(text.into())];
            conversation.push(Message::new(Role::User, content));
            assert!(conversation.take_back().is_none(), "nothing was answered");
            conversation.read.text.push_str(text);
            conversation.read.media += 1;
            conversation.push_boundary(mark(rows));
            conversation.answered(" yes", vec![7]);
        }
        let (parts, back) = conversation.take_back().unwrap();
        assert!(matches!(&parts[..], [Content::Audio(_), Content::Text(text)] if text == "two"));
        assert_eq!((back.reader.rows, conversation.media.len(), conversation.messages.len()), (10, 1, 3));
        assert_eq!((conversation.read.text.as_str(), conversation.read.media), ("one", 1));
        let (_, back) = conversation.take_back().unwrap();
        assert_eq!((back.reader.rows, conversation.media.len(), conversation.messages.len()), (0, 0, 1));
        assert!(conversation.read.text.is_empty());
    }

    #[test]
    fn a_function_call_is_given_to_the_template_as_such() {
        let mut conversation = Conversation::new(None);
        let call = ToolCall { name: "set_timer".into(), arguments: json!({"minutes": 3}) };
        let turn = Message::new(Role::Assistant, vec![Content::Text(String::new())]);
        conversation.push(Message { tool_calls: vec![call], ..turn });
        assert!(!conversation.waits_for_answer());
        conversation.push(Message::new(Role::Tool, vec![Content::Text("done".into())]));
        assert!(conversation.waits_for_answer());
        let function = json!({"name": "set_timer", "arguments": {"minutes": 3}});
        let calls = json!([{"type": "function", "function": function}]);
        assert_eq!(
            conversation.messages[0],
            json!({"role": "assistant", "content": "", "tool_calls": calls})
        );
        assert_eq!(conversation.messages[1], json!({"role": "tool", "content": "done"}));
    }

    #[test]
    fn a_dropped_turn_takes_its_media_with_it() {
        let mut conversation = conversation();
        let audio = || Content::Audio(crate::audio::Audio { samples: vec![0.0; 400] });
        conversation.push(Message::new(Role::User, vec![audio()]));
        let content = vec![Content::Text("both".into()), audio(), audio()];
        conversation.push(Message::new(Role::User, content));
        assert_eq!(conversation.media.len(), 3);
        conversation.drop_last_turn();
        assert_eq!((conversation.media.len(), conversation.waits_for_answer()), (1, true));
    }
}
