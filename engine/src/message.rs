//! What is said to the model.

use crate::audio::Audio;
use crate::image::{Image, Video};

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Instructions before the conversation.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The result of a function call.
    Tool,
}

/// One part of a message.
#[derive(Clone, Debug)]
pub enum Content {
    /// Text as is.
    Text(String),
    /// A clip of sound.
    Audio(Audio),
    /// A picture.
    Image(Image),
    /// Frames, and the sound that belongs to them if any.
    Video(Video),
}

/// A function that the model has called.
#[derive(Clone, PartialEq, Debug)]
pub struct ToolCall {
    /// The function's name.
    pub name: String,
    /// Its arguments: an object, or a text that is put into the conversation as is.
    pub arguments: serde_json::Value,
}

/// One turn of a conversation.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order. A message of one text part is given to the chat template as a plain string.
    pub content: Vec<Content>,
    /// Functions that the model has called in this turn, which the chat template writes out.
    pub tool_calls: Vec<ToolCall>,
}

impl Message {
    /// A turn without function calls.
    pub fn new(role: Role, content: Vec<Content>) -> Message {
        Message { role, content, tool_calls: Vec::new() }
    }
}
