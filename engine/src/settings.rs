//! What a user of the engine can choose.

use std::path::PathBuf;

/// Where the model runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Device {
    /// The best that this machine has.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// A graphics processor; loading fails where none can be used.
    Gpu,
}

/// How matrices of weights are held. Norms, biases, routers, convolutions and code2wav stay as stored, and so do tables of embeddings:
/// their rows are read one by one, so that their bytes cost no time, and no other matrix harms as much in few bits. A table that is
/// also the output matrix is held as that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// The upper half of an f32, as published.
    Bf16,
    /// Single precision.
    F32,
    /// Eight bits a weight; 32 share a scale.
    Q8_0,
    /// Four bits a weight; 32 share a scale and an offset. Output matrices and encoders have eight: they are a small part of what is
    /// read for a token, or none.
    Q4,
}

impl Format {
    /// The name that a command line and a report use.
    pub fn name(self) -> &'static str {
        match self {
            Format::Bf16 => "bf16",
            Format::F32 => "f32",
            Format::Q8_0 => "q8_0",
            Format::Q4 => "q4",
        }
    }

    /// The format of this name.
    pub(crate) fn from_name(name: &str) -> Option<Format> {
        [Format::Bf16, Format::F32, Format::Q8_0, Format::Q4].into_iter().find(|format| format.name() == name)
    }

    /// Whether weights are in blocks of few bits.
    pub(crate) fn is_quantised(self) -> bool {
        matches!(self, Format::Q8_0 | Format::Q4)
    }
}

/// Choices that hold for as long as a checkpoint is loaded.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where the model runs.
    pub device: Device,
    /// Which graphics processor, by a part of its name in any case; the best there is where `None`. A window's device with another
    /// name is not used.
    pub gpu: Option<String>,
    /// Threads of the CPU executor; 0 takes one for each core.
    pub threads: usize,
    /// Most tokens that a conversation may hold; the checkpoint's own limit where `None`.
    pub context_tokens: Option<usize>,
    /// Keeps to f32 where less would be faster (keys and values, factors on matrix cores), as checkpoints in f32 always do: for
    /// comparisons with a reference.
    pub exact: bool,
    /// How matrices of weights are held; as the checkpoint stores them where `None`.
    pub format: Option<Format>,
    /// Folder where compiled shaders are kept for the next start, made where it is missing; they are kept nowhere where `None`.
    pub pipelines: Option<PathBuf>,
}

/// How one kind of token is chosen from its logits.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sampling {
    /// Divides the logits; 0 takes the most likely token.
    pub temperature: f32,
    /// Only so many of the most likely tokens; 0 is all.
    pub top_k: usize,
    /// Only the most likely tokens that together reach this probability; 1 is all.
    pub top_p: f32,
    /// Logits of tokens already used in this answer are divided (positive) or multiplied (negative) by this; 1 is off. As the
    /// checkpoint's own defaults say where `None`.
    pub repetition_penalty: Option<f32>,
}

impl Sampling {
    /// Always the most likely token, after the checkpoint's own repetition penalty.
    pub const GREEDY: Sampling =
        Sampling { temperature: 0.0, top_k: 0, top_p: 1.0, repetition_penalty: None };
}

/// Choices that hold for a conversation and may change between answers. `None` takes the checkpoint's own default.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the assistant is told about itself before the first turn.
    pub system: Option<String>,
    /// Name of the voice, in any case; see [`crate::Info::voices`].
    pub voice: Option<String>,
    /// Whether answers are spoken.
    pub speech: bool,
    /// How text tokens are chosen.
    pub text_sampling: Option<Sampling>,
    /// How the first code of a speech frame is chosen.
    pub speech_sampling: Option<Sampling>,
    /// How the other codes of a speech frame are chosen.
    pub residual_sampling: Option<Sampling>,
    /// Start of the random sequence; the same seed gives the same answers.
    pub seed: u64,
    /// Most text tokens of an answer; at least 1.
    pub max_text_tokens: usize,
    /// Most frames of 80 ms of an answer's speech; 0 gives none.
    pub max_frames: Option<usize>,
    /// Functions that the model may call: a JSON list in the OpenAI form.
    pub tools: Option<serde_json::Value>,
    /// Passed to the chat template as `enable_thinking` where set.
    pub thinking: Option<bool>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            system: None,
            voice: None,
            speech: true,
            text_sampling: None,
            speech_sampling: None,
            residual_sampling: None,
            seed: 0,
            max_text_tokens: 1024,
            max_frames: None,
            tools: None,
            thinking: None,
        }
    }
}

impl Settings {
    /// The same settings, but the most likely token everywhere.
    pub fn greedy(mut self) -> Settings {
        self.text_sampling = Some(Sampling::GREEDY);
        self.speech_sampling = Some(Sampling::GREEDY);
        self.residual_sampling = Some(Sampling::GREEDY);
        self
    }
}
