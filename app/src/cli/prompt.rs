//! What is asked on the command line: parts in order, or a file of messages. Files are opened here, so that an error names them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use engine::{Audio, Content, Image, Message, Role, ToolCall, Video};
use serde::Deserialize;

use crate::clips::Clip;

/// A part that is still a path.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Part {
    /// Text as is.
    Text(String),
    /// A sound file.
    Audio(PathBuf),
    /// A picture file.
    Image(PathBuf),
    /// A folder of a video's frames.
    Video(PathBuf),
    /// A recording at 16 kHz.
    Sound(Arc<Clip>),
}

impl Part {
    /// Opens what it names; `fps` is the rate of a video's frames.
    ///
    /// # Errors
    /// The engine's, which names the file.
    pub(crate) fn open(&self, fps: Option<f32>) -> Result<Content, engine::Error> {
        Ok(match self {
            Part::Text(text) => Content::Text(text.clone()),
            Part::Audio(path) => Content::Audio(Audio::open(path)?),
            Part::Image(path) => Content::Image(Image::open(path)?),
            Part::Video(path) => Content::Video(Video::open(path, fps)?),
            Part::Sound(clip) => Content::Audio(Audio { samples: clip.samples.clone() }),
        })
    }
}

/// A turn whose parts are still paths.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Turn {
    /// Who speaks.
    pub(crate) role: Role,
    /// What is said, in order.
    pub(crate) parts: Vec<Part>,
    /// Functions that the assistant has called.
    pub(crate) tool_calls: Vec<ToolCall>,
}

impl Turn {
    /// A turn without function calls.
    pub(crate) fn new(role: Role, parts: Vec<Part>) -> Turn {
        Turn { role, parts, tool_calls: vec![] }
    }

    /// Opens all parts.
    ///
    /// # Errors
    /// As [`Part::open`].
    pub(crate) fn open(&self, fps: Option<f32>) -> Result<Message, engine::Error> {
        let content = self.parts.iter().map(|part| part.open(fps)).collect::<Result<_, _>>()?;
        Ok(Message { role: self.role, content, tool_calls: self.tool_calls.clone() })
    }
}

/// A conversation: turns before the question, and the question. It is empty where the last turn is a function's result.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Prompt {
    /// What the assistant is told about itself, where the conversation says so.
    pub(crate) system: Option<String>,
    /// Turns before.
    pub(crate) earlier: Vec<Turn>,
    /// The question's parts.
    pub(crate) question: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileMessage {
    role: FileRole,
    #[serde(default)]
    content: Option<FileContent>,
    #[serde(default)]
    tool_calls: Vec<FileCall>,
    /// What joins a result to its call; the chat template goes by their order.
    #[serde(default, rename = "tool_call_id")]
    _tool_call_id: Option<String>,
}

/// A function call as chat programs write it.
#[derive(Deserialize)]
struct FileCall {
    function: FileFunction,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileFunction {
    name: String,
    arguments: serde_json::Value,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum FileRole {
    System,
    User,
    Assistant,
    Tool,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "content is neither a text nor a list of parts such as {\"type\": \"audio\", \"path\": …}"
)]
enum FileContent {
    Text(String),
    Parts(Vec<FilePart>),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
enum FilePart {
    Text { text: String },
    Audio { path: PathBuf },
    Image { path: PathBuf },
    Video { path: PathBuf },
}

impl Prompt {
    /// Reads a file of messages; paths in it are relative to its folder.
    ///
    /// # Errors
    /// The file cannot be read, is not a list of messages, or does not end with the user's or a function's result.
    pub(crate) fn read(file: &Path) -> Result<Prompt> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        Prompt::parse(&text, folder).with_context(|| file.display().to_string())
    }

    fn parse(text: &str, folder: &Path) -> Result<Prompt> {
        let values: Vec<serde_json::Value> =
            serde_json::from_str(text).context("expected a JSON list of messages")?;
        let mut turns = Vec::with_capacity(values.len());
        for (i, value) in values.into_iter().enumerate() {
            let message: FileMessage =
                serde_json::from_value(value).with_context(|| format!("message {i}"))?;
            turns.push(message.into_turn(folder).with_context(|| format!("message {i}"))?);
        }
        let system = match turns.first() {
            Some(Turn { role: Role::System, parts, .. }) => match parts.as_slice() {
                [Part::Text(text)] => Some(text.clone()),
                _ => bail!("message 0: the system's message must be one text"),
            },
            _ => None,
        };
        let mut earlier = turns.split_off(usize::from(system.is_some()));
        ensure!(
            earlier.iter().all(|turn| turn.role != Role::System),
            "only the first message may be the system's"
        );
        match earlier.pop() {
            Some(Turn { role: Role::User, parts, .. }) => Ok(Prompt { system, earlier, question: parts }),
            Some(result) if result.role == Role::Tool => {
                earlier.push(result);
                Ok(Prompt { system, earlier, question: vec![] })
            }
            Some(_) => bail!("the last message must be the user's or a tool's: it is what is answered"),
            None => bail!("there is no message of the user to answer"),
        }
    }
}

impl FileMessage {
    fn into_turn(self, folder: &Path) -> Result<Turn> {
        let role = match self.role {
            FileRole::System => Role::System,
            FileRole::User => Role::User,
            FileRole::Assistant => Role::Assistant,
            FileRole::Tool => Role::Tool,
        };
        ensure!(
            self.tool_calls.is_empty() || role == Role::Assistant,
            "only the assistant's messages have tool_calls"
        );
        let parts = match self.content {
            Some(FileContent::Text(text)) => vec![Part::Text(text)],
            Some(FileContent::Parts(parts)) => parts.into_iter().map(|part| part.into_part(folder)).collect(),
            None if self.tool_calls.is_empty() => bail!("content is missing"),
            None => vec![Part::Text(String::new())],
        };
        let call = |FileCall { function }| ToolCall { name: function.name, arguments: function.arguments };
        let tool_calls = self.tool_calls.into_iter().map(call).collect();
        Ok(Turn { role, parts, tool_calls })
    }
}

impl FilePart {
    fn into_part(self, folder: &Path) -> Part {
        match self {
            FilePart::Text { text } => Part::Text(text),
            FilePart::Audio { path } => Part::Audio(folder.join(path)),
            FilePart::Image { path } => Part::Image(folder.join(path)),
            FilePart::Video { path } => Part::Video(folder.join(path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        format!("{:#}", Prompt::parse(text, Path::new("")).unwrap_err())
    }

    #[test]
    fn paths_are_relative_to_the_file_and_the_last_message_is_the_question() {
        let prompt = Prompt::parse(
            r#"[{"role":"system","content":"Be brief."},
                {"role":"user","content":[{"type":"image","path":"a.png"},{"type":"text","text":"What?"}]},
                {"role":"assistant","content":"A cat."},
                {"role":"user","content":[{"type":"audio","path":"/b.wav"},{"type":"video","path":"c"}]}]"#,
            Path::new("dir"),
        )
        .unwrap();
        assert_eq!(prompt.system.as_deref(), Some("Be brief."));
        let first = vec![Part::Image("dir/a.png".into()), Part::Text("What?".into())];
        let second = vec![Part::Text("A cat.".into())];
        assert_eq!(prompt.earlier, [Turn::new(Role::User, first), Turn::new(Role::Assistant, second)]);
        assert_eq!(prompt.question, [Part::Audio("/b.wav".into()), Part::Video("dir/c".into())]);
    }

    #[test]
    fn the_last_message_may_be_a_function_s_result() {
        let prompt = Prompt::parse(
            r#"[{"role":"user","content":"What time is it?"},
                {"role":"assistant","content":null,"tool_calls":[
                    {"id":"1","type":"function","function":{"name":"get_time","arguments":{"zone":"UTC"}}}]},
                {"role":"tool","tool_call_id":"1","content":"10:42"}]"#,
            Path::new(""),
        )
        .unwrap();
        let [_, call, result] = &prompt.earlier[..] else { panic!("{:?}", prompt.earlier) };
        let arguments = serde_json::json!({"zone": "UTC"});
        assert_eq!(call.tool_calls, [ToolCall { name: "get_time".into(), arguments }]);
        assert_eq!((result.role, &result.parts[..]), (Role::Tool, &[Part::Text("10:42".into())][..]));
        assert!(prompt.question.is_empty());
    }

    #[test]
    fn a_bad_file_is_told_by_message_and_reason() {
        for (text, parts) in [
            ("{}", vec!["expected a JSON list of messages"]),
            ("[", vec!["expected a JSON list of messages"]),
            ("[]", vec!["no message of the user"]),
            (
                r#"[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]"#,
                vec!["last message must be"],
            ),
            (r#"[{"role":"robot","content":"a"}]"#, vec!["message 0", "robot"]),
            (
                r#"[{"role":"user","content":"a"},{"role":"user","content":7}]"#,
                vec!["message 1", "neither a text"],
            ),
            (r#"[{"role":"user"}]"#, vec!["message 0", "content"]),
            (
                r#"[{"role":"user","content":"a","tool_calls":[{"function":{"name":"f","arguments":{}}}]}]"#,
                vec!["message 0", "only the assistant"],
            ),
            (
                r#"[{"role":"assistant","content":"a","tool_calls":[{"function":{"name":"f"}}]}]"#,
                vec!["message 0", "arguments"],
            ),
            (r#"[{"role":"user","content":"a"},{"role":"system","content":"b"}]"#, vec!["only the first"]),
        ] {
            let fault = fault(text);
            for part in parts {
                assert!(fault.contains(part), "{text}: {fault}");
            }
        }
    }
}
