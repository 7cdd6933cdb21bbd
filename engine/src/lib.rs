//! The engine of Colloquy: Qwen3-Omni from speech, pictures and text to text and speech.
#![warn(missing_docs)]

mod audio;
mod bench;
mod cancel;
mod engine;
mod error;
mod event;
mod executor;
mod files;
#[cfg(test)]
mod fixtures;
#[cfg(any(test, feature = "fuzzing"))]
mod fuzzing;
mod image;
mod import;
mod kernels;
mod layers;
mod memory;
mod message;
mod model;
mod quant;
mod recording;
mod session;
mod settings;
mod shader;
mod shape;
mod text;
mod verify;
mod weights;

pub use audio::{Audio, Resampler, Trimmer};
pub use bench::{
    Bench, BenchOptions, Demand, Figures, FrameGaps, Pipeline, Speed, Stage, Weights, Work, demand,
    instruction_sets, pipelines, speed,
};
pub use cancel::Cancel;
pub use engine::{Engine, Host, Info, LoadTimes, Progress};
pub use error::{Error, Result};
pub use event::{Ending, Event, Summary, Timing};
pub use executor::{Adapter, AdapterKind, Heap, SharedDevice, adapters, graphics_processors};
#[cfg(any(test, feature = "fuzzing"))]
pub use fuzzing::Door;
pub use image::{Image, Video};
pub use import::{
    CheckedFile, ErrorGroup, Import, ImportOptions, ImportReport, SourceFile, check_import, import,
};
pub use message::{Content, Message, Role, ToolCall};
pub use session::Session;
pub use settings::{Device, Format, Options, Sampling, Settings};
pub use shader::{CoopShape, Target};
pub use verify::{Case, verify, verify_format};
