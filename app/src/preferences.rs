//! What the person chose for good: plain data, stored as a small TOML file that can be edited by hand.
//!
//! Options of the command line win over it and are not stored.

mod desktop;
mod file;
mod keys;
mod language;
mod licences;
mod memory;
mod sound;
mod talking;
mod welcome;

use std::borrow::Cow;
use std::path::PathBuf;

use engine::{Info, Options, Sampling, Settings};
use serde::{Deserialize, Serialize};

use crate::cli::WindowOptions;
pub(crate) use crate::cli::{DeviceOption, FormatOption};
use crate::language::t;
pub(crate) use desktop::Desktop;
#[cfg(test)]
pub(crate) use file::read;
pub(crate) use file::{Stored, write};
pub(crate) use keys::{Chord, Conflict, Deed, Keys};
pub(crate) use language::SpokenLanguage;
pub(crate) use licences::Licences;
pub(crate) use memory::{MINUTES, Memory};
pub(crate) use sound::{Sound, VOLUMES};
pub(crate) use talking::{PAUSES_MS, Talking};
pub(crate) use welcome::Welcome;

/// All of it. What a file leaves out is as at the first start.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Preferences {
    /// How answers are made.
    pub(crate) answer: Answering,
    /// Which model, and where it runs.
    pub(crate) model: Placing,
    /// What the window looks like.
    pub(crate) look: Look,
    /// What is kept of conversations.
    pub(crate) keeping: Keeping,
    /// When the model's memory is given back.
    pub(crate) memory: Memory,
    /// Which keys do what.
    pub(crate) keys: Keys,
    /// The first start.
    pub(crate) welcome: Welcome,
    /// Sound devices and volume.
    pub(crate) sound: Sound,
    /// How the program lives on the desktop.
    pub(crate) desktop: Desktop,
    /// How one talks hands-free.
    pub(crate) talking: Talking,
    /// Licences of models.
    pub(crate) licences: Licences,
}

/// How answers are made.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Answering {
    /// Whether they are spoken.
    pub(crate) speak: bool,
    /// In which voice; the model's first where `None`.
    pub(crate) voice: Option<String>,
    /// What the assistant is told about itself; the model's own words where `None`.
    pub(crate) system: Option<String>,
    /// In which language; in that of the question where `None`.
    pub(crate) language: Option<SpokenLanguage>,
    /// How text is chosen; as the model says where `None`.
    pub(crate) sampling: Option<Choosing>,
}

/// How text tokens are chosen.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Choosing {
    /// 0 always takes the most likely.
    pub(crate) temperature: f32,
    /// Only so many of the most likely; 0 is all.
    pub(crate) top_k: usize,
    /// Only the most likely that together reach this probability; 1 is all.
    pub(crate) top_p: f32,
}

/// Which model is loaded, and how. A change holds from the next load on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Placing {
    /// Its folder; the small one that ships with the program where `None`.
    pub(crate) folder: Option<PathBuf>,
    /// Where it runs.
    pub(crate) device: DeviceOption,
    /// Which graphics processor, by its name; the best where `None`.
    pub(crate) gpu: Option<String>,
    /// How its weights are held; as stored where `None`.
    pub(crate) format: Option<FormatOption>,
    /// Most tokens of a conversation; the model's own limit where `None`.
    pub(crate) context_tokens: Option<usize>,
}

/// What the window looks like.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Look {
    /// Its colours.
    pub(crate) theme: Theme,
    /// How much text and edges stand out.
    pub(crate) contrast: Contrast,
    /// How large everything is drawn; 1 is as designed.
    pub(crate) text_size: f32,
    /// Code of the language that its texts are in; the desktop's where `None`.
    pub(crate) language: Option<String>,
}

/// What is kept of conversations.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Keeping {
    /// Whether text and small copies of pictures are.
    pub(crate) conversations: bool,
    /// Days after which a conversation is deleted to which nothing was added; never where `None`.
    pub(crate) days: Option<u32>,
    /// Whether what was said and heard is.
    pub(crate) recordings: bool,
    /// Days after which a recording is deleted; only with its conversation where `None`.
    pub(crate) recording_days: Option<u32>,
}

/// The window's colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Theme {
    /// As the desktop says.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// How much text and edges stand out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Contrast {
    /// Enough for most.
    #[default]
    Normal,
    /// As much as there is.
    High,
}

/// Smallest and largest size of text.
pub(crate) const TEXT_SIZES: std::ops::RangeInclusive<f32> = 0.75..=2.0;
/// Smallest and largest temperature.
pub(crate) const TEMPERATURES: std::ops::RangeInclusive<f32> = 0.0..=2.0;
/// Smallest and largest share of probability.
pub(crate) const SHARES: std::ops::RangeInclusive<f32> = 0.01..=1.0;
/// Fewest tokens of a conversation that make sense.
pub(crate) const FEWEST_CONTEXT_TOKENS: usize = 256;

impl Default for Answering {
    fn default() -> Self {
        Answering { speak: true, voice: None, system: None, language: None, sampling: None }
    }
}

impl Default for Choosing {
    fn default() -> Self {
        Choosing { temperature: 0.7, top_k: 20, top_p: 0.8 }
    }
}

impl Default for Keeping {
    fn default() -> Self {
        Keeping { conversations: true, days: None, recordings: false, recording_days: None }
    }
}

impl Default for Look {
    fn default() -> Self {
        Look { theme: Theme::System, contrast: Contrast::Normal, text_size: 1.0, language: None }
    }
}

impl Preferences {
    /// The engine's settings: these, where the command line says nothing.
    pub(crate) fn settings(&self, options: &WindowOptions) -> Settings {
        let given = &options.answer;
        let mut settings = given.settings();
        let answer = &self.answer;
        settings.speech &= answer.speak;
        settings.voice = settings.voice.or_else(|| answer.voice.clone());
        settings.system = settings.system.or_else(|| answer.instructions());
        settings.text_sampling = settings.text_sampling.or(answer.sampling.map(Choosing::sampling));
        settings
    }

    /// Options of the command line that win over these.
    pub(crate) fn given(options: &WindowOptions) -> Vec<&'static str> {
        let (model, answer) = (&options.model, &options.answer);
        let sampled = answer.temperature.is_some() || answer.top_k.is_some() || answer.top_p.is_some();
        let all = [
            ("--model", model.model.is_some()),
            ("--device", model.device.is_some()),
            ("--gpu", model.gpu.is_some()),
            ("--format", model.format.is_some()),
            ("--system", answer.system.is_some()),
            ("--voice", answer.voice.is_some()),
            ("--no-speech", answer.no_speech),
            ("--greedy", answer.greedy),
            ("--temperature, --top-k, --top-p", sampled),
            ("--talk-key", options.talk_key.is_some()),
            ("--hidden", options.hidden),
        ];
        all.into_iter().filter_map(|(name, given)| given.then_some(name)).collect()
    }

    /// Numbers that make no sense, as near as they can be to what makes sense.
    fn sensible(mut self) -> Preferences {
        self.look.text_size = nearest(self.look.text_size, TEXT_SIZES, 1.0);
        if let Some(sampling) = &mut self.answer.sampling {
            sampling.temperature = nearest(sampling.temperature, TEMPERATURES, 1.0);
            sampling.top_p = nearest(sampling.top_p, SHARES, 1.0);
        }
        self.keeping.days = self.keeping.days.map(|days| days.max(1));
        self.keeping.recording_days = self.keeping.recording_days.map(|days| days.max(1));
        self.memory = self.memory.sensible();
        self.sound.sensible();
        self.talking = self.talking.sensible();
        self.model.context_tokens = self.model.context_tokens.map(|n| n.max(FEWEST_CONTEXT_TOKENS));
        self
    }
}

impl Answering {
    /// `settings` with what differs here from `old`.
    pub(crate) fn renew(&self, old: &Answering, mut settings: Settings) -> Settings {
        if self.speak != old.speak {
            settings.speech = self.speak;
        }
        if self.voice != old.voice {
            settings.voice = self.voice.clone();
        }
        if self.instructions() != old.instructions() {
            settings.system = self.instructions();
        }
        if self.sampling != old.sampling {
            settings.text_sampling = self.sampling.map(Choosing::sampling);
        }
        settings
    }
}

impl Choosing {
    fn sampling(self) -> Sampling {
        let Choosing { temperature, top_k, top_p } = self;
        Sampling { temperature, top_k, top_p, repetition_penalty: Some(1.0) }
    }
}

impl Placing {
    /// The engine's options: these, where the command line says nothing.
    pub(crate) fn options(&self, options: &WindowOptions) -> Options {
        let mut given = options.model.clone();
        given.device = given.device.or(Some(self.device));
        given.format = given.format.or(self.format);
        given.gpu = given.gpu.or_else(|| self.gpu.clone());
        Options { context_tokens: self.context_tokens, ..given.engine() }
    }
}

/// What the assistant can be told about itself, by name.
pub(crate) fn presets() -> [(Cow<'static, str>, Option<&'static str>); 4] {
    [
        (t!("The model's own"), None),
        (
            t!("Spoken assistant"),
            Some(
                "You are a voice assistant. Your answers are spoken aloud: use short, plain sentences, no lists, \
             no headings and no symbols. Answer in the language of the question. When you are not sure, say so.",
            ),
        ),
        (t!("Brief"), Some("Answer in one or two short sentences.")),
        (
            t!("Teacher"),
            Some(
                "You are a patient teacher. Explain step by step in simple words, give one example, and end with \
             a short question that shows whether it was understood.",
            ),
        ),
    ]
}

/// The voice to ask `info` for: `None` where it does not have the one that is wanted.
pub(crate) fn voice(info: &Info, wanted: Option<String>) -> Option<String> {
    wanted.filter(|wanted| info.voices.iter().any(|voice| voice.eq_ignore_ascii_case(wanted)))
}

fn nearest(value: f32, range: std::ops::RangeInclusive<f32>, otherwise: f32) -> f32 {
    if value.is_finite() { value.clamp(*range.start(), *range.end()) } else { otherwise }
}

#[cfg(test)]
mod tests;
