//! What the state wants done.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine::Settings;

use super::{Errand, Exchange, Keep, Side};
use crate::audio::Order;
use crate::cli::prompt::{self, Part};
use crate::doctor::Report;
use crate::preferences::{Chord, Look, Placing};

/// What is to be done by the window's owner.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Load the model in this folder.
    Load(PathBuf),
    /// Open the microphone; the parts come before what is heard.
    Listen {
        /// Turn.
        turn: u64,
        /// Pictures and clips.
        parts: Vec<Part>,
        /// Whether what is heard is only kept, until the model is there.
        aside: bool,
    },
    /// Load the model again whose memory was given back.
    Wake,
    /// Close the microphone.
    Close {
        /// Turn.
        turn: u64,
        /// Whether the question counts.
        keep: bool,
    },
    /// Ask these parts.
    Ask {
        /// Turn.
        turn: u64,
        /// All of the question.
        parts: Vec<Part>,
    },
    /// Stop the answer and its sound.
    Silence,
    /// Forget the conversation.
    Reset,
    /// Use other settings.
    Settings(Box<Settings>),
    /// Look whether this file can go with a question, and attach it.
    Inspect(PathBuf),
    /// Show a dialog that chooses a picture or a sound.
    PickFile,
    /// Show a dialog that chooses a model's folder.
    PickModel,
    /// Keep something for good, or look it up there.
    Keep(Keep),
    /// Draw like this.
    Look(Look),
    /// Load the model in this folder, or the small one, in this way.
    Place {
        /// Its folder.
        folder: Option<PathBuf>,
        /// How.
        placing: Box<Placing>,
    },
    /// Bring the window to the front.
    Show,
    /// Have the model read these turns in place of its conversation.
    Resume(Vec<prompt::Turn>),
    /// Answer the last question anew.
    Again {
        /// Turn.
        turn: u64,
    },
    /// Play a kept sound.
    Replay {
        /// Turn that it is played as.
        turn: u64,
        /// Turn that it comes from.
        of: u64,
        /// Who is heard.
        side: Side,
    },
    /// Show a dialog and write a turn's answer as a sound.
    SaveSpeech(u64),
    /// Show a dialog and write this conversation.
    Export {
        /// Name of the model.
        model: String,
        /// The conversation.
        exchanges: Vec<Exchange>,
    },
    /// Read this picture to be shown large.
    Enlarge(PathBuf),
    /// Find the graphics processors of this machine.
    FindGpus,
    /// Give the model's memory back after so long without a question.
    FreeAfter(Option<Duration>),
    /// Take this key to talk from anywhere, or none.
    TalkKey(Option<Chord>),
    /// Find out what the machine is like.
    Diagnose,
    /// Put this text on the clipboard.
    Copy(String),
    /// Tell the sound devices this.
    Order(Order),
    /// Do this about larger models.
    Models(Errand),
    /// Examine this machine.
    Examine,
    /// End the examination, as soon as it can.
    StopExamining,
    /// Show a dialog and write this report of the machine.
    SaveExamination(Arc<Report>),
    /// Hide the window.
    Hide,
    /// Make the window small.
    Minimize,
    /// End the program.
    Quit,
    /// Put an icon into the tray, or take it away.
    Tray(bool),
    /// Tell that an answer with these first words has ended.
    Notify(String),
}
