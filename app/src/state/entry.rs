//! What the conversation's list holds.

use super::Attachment;

/// A question and what became of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) turn: u64,
    pub(crate) attachments: Vec<Attachment>,
    /// Where the question was spoken.
    pub(crate) spoken: Option<Spoken>,
    /// Where it was typed.
    pub(crate) text: Option<String>,
    /// As far as it has come.
    pub(crate) answer: Answer,
    /// Whether it is among the kept conversations, with this answer or an earlier one.
    pub(crate) kept: bool,
    /// Whether its sound is there too, or was not wanted.
    pub(crate) recorded: bool,
}

/// How a spoken question looks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spoken {
    /// Its length; 0 until it is known.
    pub(crate) seconds: f32,
    /// Loudness every 50 ms, 0 to 1.
    pub(crate) waveform: Vec<f32>,
}

/// What was answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) reasoning: String,
    /// Function calls, JSON.
    pub(crate) calls: Vec<String>,
    /// Why there is no more of it.
    pub(crate) end: Option<End>,
}

/// Why there is no more of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// It is complete.
    Complete,
    /// The person stopped it.
    Stopped,
    /// It reached a limit.
    Limit,
    /// It failed.
    Failed,
}
