//! The command line: what is common to the window and the subcommands. One file for each subcommand.

pub(crate) mod bench;
pub(crate) mod doctor;
pub(crate) mod import;
mod load;
pub(crate) mod models;
mod options;
pub(crate) mod prompt;
pub(crate) mod remote;
pub(crate) mod report;
pub(crate) mod talk;
mod talk_key;
pub(crate) mod verify;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use global_hotkey::hotkey::HotKey;

pub(crate) use options::{AnswerOptions, DeviceOption, FormatOption, ModelOptions};
pub(crate) use talk_key::parse as parse_talk_key;

/// A voice assistant that runs wholly on your own machine. Without a subcommand it opens its window.
#[derive(Parser, Debug)]
#[command(name = "colloquy", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    /// What to do instead of opening the window.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// The window's options.
    #[command(flatten)]
    pub(crate) window: WindowOptions,
}

/// A subcommand.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Ask one question with sound, pictures, video or text, and get the answer as text and speech.
    Talk(Box<talk::TalkOptions>),
    /// Measure prefill, decode and speech, of a checkpoint or of random weights of a named shape.
    Bench(bench::BenchOptions),
    /// Compare every stage of a checkpoint with golden tensors.
    Verify(verify::VerifyOptions),
    /// Look at this machine: what it has, what holds it back, and how fast a model would be. Nothing is changed.
    Doctor(doctor::DoctorOptions),
    /// List, fetch, check and remove the larger models.
    Models(models::ModelsOptions),
    /// Bring a published checkpoint to files that load as they are, in the format of their weights.
    Import(import::ImportOptions),
    /// Talk to the window that is open, for instance from a key of the desktop.
    Remote(remote::RemoteOptions),
}

/// Options of the window.
#[derive(Args, Clone, Debug)]
pub(crate) struct WindowOptions {
    #[command(flatten)]
    pub(crate) model: ModelOptions,
    #[command(flatten)]
    pub(crate) answer: AnswerOptions,
    /// Keep no conversation in this run, and show none that is kept.
    #[arg(long)]
    pub(crate) no_history: bool,
    /// For tests and bug reports: write each turn's question and settings into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) record_dir: Option<PathBuf>,
    /// For tests: lose the graphics processor with the Nth piece of work after the first model is loaded.
    #[arg(long, value_name = "N", hide = true)]
    pub(crate) lose_device_after: Option<u64>,
    /// For tests: no model is loaded until there is such a file.
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) load_after: Option<PathBuf>,
    /// A talk key that works wherever the keyboard is, such as ctrl+alt+t or F9. On Wayland, bind a key of the desktop to
    /// `colloquy remote toggle` instead.
    #[arg(long, value_name = "KEY", value_parser = talk_key::parse)]
    pub(crate) talk_key: Option<HotKey>,
    /// Start with the window hidden in the tray; minimised where the desktop has no tray.
    #[arg(long)]
    pub(crate) hidden: bool,
}
