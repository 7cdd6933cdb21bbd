//! Measures how fast a model runs here: each stage through the code that a session uses, several times, with medians.
//!
//! Every stage is set against what the machine can do: bytes of weights that a step must read, and the rate at which all threads
//! together read memory. Not here: whether results are right, and how a user's whole turn feels.

mod bandwidth;
mod demand;
mod parts;
mod pipelines;
mod process;
mod shape;
mod speed;
mod spoken;
mod stages;
mod window;

use std::path::PathBuf;

use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::memory::Tally;
use crate::model::config::Config;
use crate::settings::{Format, Options};
use crate::shape::Element;
use crate::weights::{Checkpoint, Loader};
pub use demand::{Demand, Work, demand};
use parts::{Needs, Parts};
pub use pipelines::{Pipeline, pipelines};
pub use speed::{Speed, instruction_sets, speed};

/// A part of the work that is measured by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// The thinker reads a prompt; a step is the whole prompt.
    Prefill,
    /// The thinker writes; a step is a token.
    Decode,
    /// One attention window of speech, 8 seconds for the published model.
    AudioEncoder,
    /// One picture of 28 × 28 patches, 448 × 448 pixels for the published model.
    VisionEncoder,
    /// Talker and code predictor; a step is a frame of 80 ms.
    TalkerFrame,
    /// Codes to sound; a step is four frames.
    Code2wav,
    /// Talker, code predictor and code2wav by turns, as in a session; a step is a frame of 80 ms.
    Speech,
    /// From the end of a spoken question of 5 seconds to the first sound of the answer.
    FirstAudio,
    /// As decode, after a prefill of the context, while frames are drawn as for a window: small passes on the same queue, one every
    /// 16 ms. Only on a graphics processor.
    Window,
}

impl Stage {
    /// All stages, in the order of a turn.
    pub const ALL: [Stage; 9] = [
        Stage::Prefill,
        Stage::Decode,
        Stage::AudioEncoder,
        Stage::VisionEncoder,
        Stage::TalkerFrame,
        Stage::Code2wav,
        Stage::Speech,
        Stage::FirstAudio,
        Stage::Window,
    ];

    /// The name that a command line and a report use.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Prefill => "prefill",
            Stage::Decode => "decode",
            Stage::AudioEncoder => "audio_encoder",
            Stage::VisionEncoder => "vision_encoder",
            Stage::TalkerFrame => "talker_frame",
            Stage::Code2wav => "code2wav",
            Stage::Speech => "speech",
            Stage::FirstAudio => "first_audio",
            Stage::Window => "window",
        }
    }
}

/// The weights to measure with.
#[derive(Clone, Debug)]
pub enum Weights {
    /// A checkpoint's folder; its tokenizer is not needed.
    Checkpoint(PathBuf),
    /// Random weights in the format that the options name, or in BF16. The name is `qwen3-0.6b` or `omni-30b-a3b`; `:4-layers` behind it makes every stack of layers at most so
    /// long, and the thinker exactly so.
    Random(String),
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct BenchOptions {
    /// With which weights.
    pub weights: Weights,
    /// Where the model runs; the limit on the context is not used.
    pub options: Options,
    /// Tokens read by prefill and written by decode and beside a window's frames; frames spoken are an eighth of them.
    pub tokens: usize,
    /// Tokens read before those.
    pub context: usize,
    /// Runs whose median counts; one more goes before them.
    pub runs: usize,
    /// Stages to measure; all that the model has where empty.
    pub stages: Vec<Stage>,
}

/// What was measured of one stage.
#[derive(Clone, Debug)]
pub struct Figures {
    /// The stage.
    pub stage: Stage,
    /// Tokens or frames of a step.
    pub tokens: usize,
    /// Tokens in the cache before the stage; 0 where there is none.
    pub context: usize,
    /// Time of a step: the median.
    pub ms: f64,
    /// Tokens or frames a second.
    pub per_s: f64,
    /// Bytes of weights that a step must read, each once for every command that uses it.
    pub bytes_per_step: u64,
    /// Those bytes a second, as a share of what all threads together read from memory. Above 1 where a step finds weights in the
    /// processor's cache, or where something else slowed the memory while its rate was measured.
    pub bandwidth_share: f64,
    /// The most memory that the process has held so far.
    pub peak_bytes: Option<u64>,
    /// Runs of a shader that a step takes; 0 on the processor.
    pub dispatches: u64,
    /// Milliseconds of a step by kernel, the largest first; of one run that was not timed otherwise.
    pub kernels_ms: Vec<(&'static str, f64)>,
    /// Milliseconds of the parts of a step, in their order: medians of runs in which each part waits for the one before it.
    pub parts_ms: Vec<(&'static str, f64)>,
    /// Seconds of work for a second of speech, where the stage speaks.
    pub real_time_factor: Option<f64>,
    /// How the frames came, where the stage draws them.
    pub frame_gaps: Option<FrameGaps>,
    /// The most of a graphics processor's memory that was taken after loading or after a run so far, with what its allocator holds
    /// in reserve.
    pub device_bytes: Option<u64>,
}

/// From the end of each frame to the end of the next.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FrameGaps {
    /// Frames that ended a gap.
    pub frames: usize,
    /// The middle one.
    pub median_ms: f64,
    /// One in twenty is longer.
    pub p95_ms: f64,
    /// The longest.
    pub longest_ms: f64,
}

/// Most tokens of a prompt or a context.
const MOST_TOKENS: usize = 1 << 16;

/// A model in place to be measured.
pub struct Bench {
    options: BenchOptions,
    name: String,
    format: &'static str,
    weight_bytes: u64,
    /// Bytes a second.
    bandwidth: f64,
    executor: Executor,
    parts: Parts,
    config: Config,
    cancel: Cancel,
    device_bytes: Option<u64>,
}

impl Bench {
    /// Places the weights that the stages need. Measures the memory's rate before that.
    ///
    /// # Errors
    /// `Error::Input` for a shape that is not known, a stage that the model does not have, numbers out of range, and weights
    /// that do not fit the memory; for a checkpoint, the errors of [`crate::Engine::load`].
    pub fn load(mut options: BenchOptions) -> Result<Bench> {
        for (name, value, most) in [
            ("tokens", options.tokens, MOST_TOKENS),
            ("context", options.context.saturating_add(1), MOST_TOKENS + 1),
            ("runs", options.runs, 1000),
        ] {
            if value == 0 || value > most {
                return Err(Error::Input(format!(
                    "{name} is out of range: choose at most {most}, and at least 1 run and token"
                )));
            }
        }
        let (name, config) = match &options.weights {
            Weights::Checkpoint(folder) => {
                let name = folder
                    .file_name()
                    .map_or_else(|| folder.display().to_string(), |n| n.to_string_lossy().into());
                (name, Config::load(folder)?)
            }
            Weights::Random(shape) => (shape.clone(), shape::config(shape)?),
        };
        let (mut executor, _) = Executor::open(&options.options, None)?;
        let available = stages::of(&config, &executor);
        if options.stages.is_empty() {
            options.stages.clone_from(&available);
        }
        if let Some(stage) = options.stages.iter().find(|stage| !available.contains(stage)) {
            let names: Vec<_> = available.iter().map(|s| s.name()).collect();
            return Err(Error::Input(format!(
                "{name} has no stage {} on {}; it has {}",
                stage.name(),
                executor.description(),
                names.join(", ")
            )));
        }
        let needs = Needs::of(&options.stages);
        let bandwidth = bandwidth::of(&mut executor, options.options.threads)?;
        process::reset_peak();
        let (parts, tally) = match &options.weights {
            Weights::Checkpoint(folder) => {
                let checkpoint = Checkpoint::open(folder)?;
                checkpoint.check_format(options.options.format)?;
                let mut tally = Tally::over(executor.memory());
                let mut loader = Loader::new(checkpoint.scope(""), &mut tally, options.options.format);
                let parts = Parts::load(&mut loader, &config, needs)?;
                (parts, tally.sums())
            }
            Weights::Random(_) => {
                let format = options.options.format.unwrap_or(Format::Bf16);
                let mut outline = Tally::alone();
                Parts::load(&mut Loader::outline(&mut outline, format), &config, needs)?;
                if let Executor::Cpu(_) = executor {
                    process::check_room(&name, outline.sums().bytes)?;
                }
                let mut tally = Tally::over(executor.memory());
                let parts = Parts::load(&mut Loader::random(&mut tally, format), &config, needs)?;
                (parts, tally.sums())
            }
        };
        let format = match (options.options.format, tally.element) {
            (Some(format), _) => format.name(),
            (None, element) => element.unwrap_or(Element::F32).name(),
        };
        let weight_bytes = tally.bytes;
        let cancel = Cancel::new();
        let device_bytes = executor.device_bytes();
        Ok(Bench {
            options,
            name,
            format,
            weight_bytes,
            bandwidth,
            executor,
            parts,
            config,
            cancel,
            device_bytes,
        })
    }

    /// The checkpoint's folder or the shape.
    pub fn shape(&self) -> &str {
        &self.name
    }

    /// How most weights are held: `bf16`, `f16`, `f32`, `q8_0` or `q4`.
    pub fn format(&self) -> &'static str {
        self.format
    }

    /// `cpu (2 threads, avx512)` or the adapter's name.
    pub fn device(&self) -> String {
        self.executor.description()
    }

    /// Bytes of the matrices of those parts that were loaded.
    pub fn weight_bytes(&self) -> u64 {
        self.weight_bytes
    }

    /// Bytes a second that the device reads from its memory.
    pub fn bandwidth(&self) -> f64 {
        self.bandwidth
    }

    /// The stages to run.
    pub fn stages(&self) -> &[Stage] {
        &self.options.stages
    }

    /// Measures a stage. Blocks until that is done, which can take minutes.
    ///
    /// # Errors
    /// `Error::Input` for a stage that is not among [`Bench::stages`].
    pub fn run(&mut self, stage: Stage) -> Result<Figures> {
        if !self.options.stages.contains(&stage) {
            return Err(Error::Input(format!("the weights for the stage {} were not loaded", stage.name())));
        }
        let measured = self.measure(stage)?;
        let seconds = measured.step_ms / 1e3;
        Ok(Figures {
            stage,
            tokens: measured.tokens,
            context: measured.context,
            ms: measured.step_ms,
            per_s: measured.tokens as f64 / seconds,
            bytes_per_step: measured.weight_bytes,
            bandwidth_share: measured.weight_bytes as f64 / seconds / self.bandwidth,
            peak_bytes: process::peak_bytes(),
            dispatches: measured.dispatches,
            kernels_ms: measured.kernels_ms,
            parts_ms: measured.parts_ms,
            real_time_factor: measured.real_time_factor,
            frame_gaps: measured.frame_gaps,
            device_bytes: self.device_bytes,
        })
    }
}

#[cfg(test)]
mod tests;
