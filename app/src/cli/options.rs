//! Options that the window and the subcommands share.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use engine::{Device, Format, Options, Sampling, Settings};
use serde::{Deserialize, Serialize};

use crate::{folders, models};

/// Where the model is and where it runs.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ModelOptions {
    /// Folder of a Qwen3-Omni checkpoint, or the name of one that `colloquy models` has fetched; the small one that ships with
    /// the program if not given.
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
    /// Where the model runs [default: auto].
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<DeviceOption>,
    /// Which graphics processor, by a part of its name; the best if not given.
    #[arg(long, value_name = "NAME")]
    pub(crate) gpu: Option<String>,
    /// Threads of the processor to use; 0 takes one for each core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) threads: usize,
    /// How matrices of weights are held; as the checkpoint stores them if not given. Fewer bits take less memory and are faster, and
    /// change answers a little.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<FormatOption>,
}

/// How matrices of weights are held.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FormatOption {
    /// Sixteen bits, as published.
    Bf16,
    /// Single precision.
    F32,
    /// Eight bits; 32 weights share a scale.
    #[value(name = "q8_0")]
    #[serde(rename = "q8_0")]
    Q8_0,
    /// Four bits; 32 weights share a scale and an offset.
    Q4,
}

impl FormatOption {
    /// The engine's format.
    pub(crate) fn engine(self) -> Format {
        match self {
            FormatOption::Bf16 => Format::Bf16,
            FormatOption::F32 => Format::F32,
            FormatOption::Q8_0 => Format::Q8_0,
            FormatOption::Q4 => Format::Q4,
        }
    }
}

/// Where the model runs.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeviceOption {
    /// A graphics processor where there is one, otherwise the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// A graphics processor, also one that is only a program.
    Gpu,
}

impl ModelOptions {
    /// The engine's options.
    pub(crate) fn engine(&self) -> Options {
        let device = match self.device.unwrap_or_default() {
            DeviceOption::Auto => Device::Auto,
            DeviceOption::Cpu => Device::Cpu,
            DeviceOption::Gpu => Device::Gpu,
        };
        let format = self.format.map(FormatOption::engine);
        let pipelines = folders::cache().map(|folder| folder.join("pipelines"));
        let gpu = self.gpu.clone();
        Options { device, gpu, threads: self.threads, format, pipelines, ..Options::default() }
    }

    /// The folder to load.
    ///
    /// # Errors
    /// None was given and the small model that ships with the program is not found, or the one that is named is not here.
    pub(crate) fn folder(&self) -> Result<PathBuf> {
        if let Some(folder) = &self.model {
            return models::named(folder).unwrap_or_else(|| Ok(folder.clone()));
        }
        let installed = std::env::current_exe()
            .ok()
            .and_then(|exe| Some(exe.parent()?.parent()?.join("share/colloquy/pocket")));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/pocket");
        match installed.into_iter().chain([source]).find(|folder| folder.join("config.json").is_file()) {
            Some(folder) => Ok(folder.canonicalize().unwrap_or(folder)),
            None => bail!(
                "The small model that ships with the program is not here. Give a model's folder with --model."
            ),
        }
    }
}

/// How answers are made.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct AnswerOptions {
    /// What the assistant is told about itself.
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
    /// Voice of the answer.
    #[arg(long, value_name = "NAME")]
    pub(crate) voice: Option<String>,
    /// Answer in text only.
    #[arg(long)]
    pub(crate) no_speech: bool,
    /// Always take the most likely token.
    #[arg(long, conflicts_with_all = ["temperature", "top_k", "top_p"])]
    pub(crate) greedy: bool,
    /// Start of the random sequence: the same seed gives the same answer.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Temperature of the text; with this or the next two, those of the three that are not given are off.
    #[arg(long, value_name = "T", value_parser = temperature)]
    pub(crate) temperature: Option<f32>,
    /// Choose among the K most likely tokens of the text.
    #[arg(long, value_name = "K")]
    pub(crate) top_k: Option<usize>,
    /// Choose among the most likely tokens of the text that together reach this probability.
    #[arg(long, value_name = "P", value_parser = probability)]
    pub(crate) top_p: Option<f32>,
    /// Most tokens of the answer's text.
    #[arg(long, value_name = "N")]
    pub(crate) max_text_tokens: Option<usize>,
    /// Most codes of the answer's speech: one more than its frames of 80 ms.
    #[arg(long, value_name = "N")]
    pub(crate) max_frames: Option<usize>,
}

impl AnswerOptions {
    /// The engine's settings.
    pub(crate) fn settings(&self) -> Settings {
        let default = Settings::default();
        let sampled = self.temperature.is_some() || self.top_k.is_some() || self.top_p.is_some();
        let text_sampling = sampled.then(|| Sampling {
            temperature: self.temperature.unwrap_or(1.0),
            top_k: self.top_k.unwrap_or(0),
            top_p: self.top_p.unwrap_or(1.0),
            repetition_penalty: Some(1.0),
        });
        let settings = Settings {
            system: self.system.clone(),
            voice: self.voice.clone(),
            speech: !self.no_speech,
            text_sampling,
            seed: self.seed,
            max_text_tokens: self.max_text_tokens.unwrap_or(default.max_text_tokens),
            max_frames: self.max_frames,
            ..default
        };
        if self.greedy { settings.greedy() } else { settings }
    }
}

fn temperature(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err("expected a number that is 0 or more".into()),
    }
}

fn probability(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if value > 0.0 && value <= 1.0 => Ok(value),
        _ => Err("expected a number above 0 and up to 1".into()),
    }
}
