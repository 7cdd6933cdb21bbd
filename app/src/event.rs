//! What worker and sound devices tell the window. Small: samples never travel here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use engine::{Cancel, Info, Progress, Summary};

use crate::audio::Report;
use crate::state::{ExamineReport, ModelReport};
use crate::store::{Line, Turn};

/// One report.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A model is being loaded.
    Loading(PathBuf),
    /// So much of it is in place.
    Placed(Progress),
    /// A model is ready; the handle stops its work.
    Loaded(Box<Info>, Cancel),
    /// A model cannot be loaded; there is none now.
    LoadFailed(String),
    /// The model lost its device and is being placed anew; the conversation stays.
    Rebuilding,
    /// It can go on.
    Rebuilt(Box<Info>),
    /// The model gave its memory back; it is loaded again with the next question.
    Freed,
    /// It is being loaded again; meanwhile one can speak.
    Waking,
    /// It cannot be loaded again just now: a sentence.
    NotWoken(String),
    /// The settings that were asked for do not fit the model; the old ones stay.
    SettingsRefused(String),
    /// The conversation was forgotten.
    Cleared,
    /// The first sound came in.
    CaptureStarted {
        /// Turn.
        turn: u64,
    },
    /// The microphone cannot be opened or was lost.
    CaptureFailed {
        /// Turn.
        turn: u64,
        /// A sentence.
        message: String,
    },
    /// The question came in whole.
    Heard {
        /// Turn.
        turn: u64,
        /// Its length.
        seconds: f32,
        /// Loudness every 50 ms, 0 to 1.
        waveform: Vec<f32>,
    },
    /// More of the answer.
    Text {
        /// Turn.
        turn: u64,
        /// Whole characters.
        piece: String,
    },
    /// More of the model's reasoning.
    Reasoning {
        /// Turn.
        turn: u64,
        /// Whole characters.
        piece: String,
    },
    /// A function call that the model made.
    ToolCall {
        /// Turn.
        turn: u64,
        /// JSON.
        call: String,
    },
    /// The answer is written.
    Written {
        /// Turn.
        turn: u64,
        /// What it was and what it cost.
        summary: Box<Summary>,
    },
    /// The first sound went out.
    SpeechStarted {
        /// Turn.
        turn: u64,
    },
    /// The last sound was heard.
    SpeechEnded {
        /// Turn.
        turn: u64,
    },
    /// The speaker cannot be opened or was lost; the answer can still be read.
    SpeakerFailed {
        /// Turn.
        turn: u64,
        /// A sentence.
        message: String,
    },
    /// The question or the answer failed.
    Failed {
        /// Turn.
        turn: u64,
        /// A sentence.
        message: String,
    },
    /// There was no speech in the question.
    NothingHeard {
        /// Turn.
        turn: u64,
        /// A sentence: why, as far as it is known.
        message: String,
    },
    /// Something could not be kept for good, or not be taken up again.
    NotKept(String),
    /// Kept conversations, as the list shows them.
    Listed(Vec<Line>),
    /// A kept conversation that was looked up.
    Recalled(i64, Vec<Turn>),
    /// About larger models.
    Models(ModelReport),
    /// About the sound devices.
    Sound(Report),
    /// About the examination of this machine.
    Examined(ExamineReport),
    /// What the microphone of a hands-free conversation tells, with the conversation's number.
    Ear(u64, EarReport),
    /// A question that goes on without a key held ends by itself after this time.
    Limit {
        /// Turn.
        turn: u64,
        /// Zero when it is over.
        left: Duration,
    },
}

/// What the microphone of a hands-free conversation tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum EarReport {
    /// The first sound came in.
    Opened,
    /// It cannot be opened or was lost: a sentence.
    Failed(String),
    /// Somebody began to speak.
    Began,
    /// And made a pause that ends what was said.
    Ended,
}

/// Sends events and wakes the window. Never blocks.
#[derive(Clone)]
pub(crate) struct Events {
    sender: Sender<Event>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Events {
    /// `wake` is called after each event, from any thread.
    pub(crate) fn new(sender: Sender<Event>, wake: impl Fn() + Send + Sync + 'static) -> Events {
        Events { sender, wake: Arc::new(wake) }
    }

    /// Sends one event. A window that is gone needs none.
    pub(crate) fn send(&self, event: Event) {
        let _ = self.sender.send(event);
        (self.wake)();
    }
}
