//! What a session tells its owner while it works.

/// One thing that happened. Small: samples are fetched apart, with [`crate::Session::take_samples`].
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// More of the answer, ready to show: whole characters.
    Text(String),
    /// More of the model's reasoning (between `<think>` and `</think>`); neither shown as the answer nor spoken.
    Reasoning(String),
    /// A whole function call: the JSON between `<tool_call>` and `</tool_call>`; not spoken.
    ToolCall(String),
    /// So many new samples of speech are ready.
    Audio {
        /// Samples ready since the last such event.
        samples: usize,
    },
    /// The answer is complete, or ended at a limit or by a cancel.
    Finished(Box<Summary>),
}

/// Why an answer ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The model said so.
    Stop,
    /// It reached `max_text_tokens` or the context's end.
    Limit,
    /// The owner cancelled it.
    Cancelled,
}

/// What an answer was and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The answer's text without reasoning and function calls.
    pub text: String,
    /// The tokens as generated, without the stop token.
    pub text_tokens: Vec<u32>,
    /// Codes of the speech, `[frames][groups]`.
    pub codes: Vec<Vec<u32>>,
    /// Samples of speech given out.
    pub samples: usize,
    /// Why the text ended.
    pub ending: Ending,
    /// Where the time went.
    pub timing: Timing,
}

/// Times in milliseconds. Stage times are sums of work; `first_text`, `first_audio`, `last_text` and `total` are from
/// [`crate::Session::respond`] on, and absent when there was none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timing {
    /// Loading the checkpoint.
    pub load_ms: f64,
    /// Log-mel features of speech.
    pub mel_ms: f64,
    /// Audio encoder.
    pub audio_encoder_ms: f64,
    /// Vision encoder.
    pub vision_encoder_ms: f64,
    /// Thinker and talker reading the prompt.
    pub prefill_ms: f64,
    /// Thinker writing text.
    pub decode_ms: f64,
    /// Talker and code predictor.
    pub talker_ms: f64,
    /// Code2wav.
    pub code2wav_ms: f64,
    /// Until the first text token.
    pub first_text_ms: Option<f64>,
    /// Until the first samples of speech.
    pub first_audio_ms: Option<f64>,
    /// Until the last text token.
    pub last_text_ms: Option<f64>,
    /// Until the end of the answer.
    pub total_ms: f64,
}
