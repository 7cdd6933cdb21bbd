//! What a button, a key or a dropped file asks for.

use std::path::PathBuf;
use std::sync::Arc;

use crate::diagnosis::Surroundings;
use crate::preferences::Preferences;
use image::RgbaImage;
use tracing::Level;

use crate::clips::Side;
use crate::state::{Attachment, ExamineWish, ModelWish, SoundWish};

/// One wish of the person.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// The talk key or button went down.
    Press,
    /// It went up.
    Release,
    /// The talk button was activated without a pointer, which is a tap: start hands-free, or end the question.
    Toggle,
    /// Stop whatever is going on.
    Stop,
    /// The text field now holds this.
    Draft(String),
    /// Send what is typed and attached, or what hands-free recording has heard.
    Submit,
    /// Look at a picture or a sound to attach it, or load the model of a folder.
    Open(PathBuf),
    /// Let this file go with the next question, or say why it cannot.
    Attach(Result<Attachment, String>),
    /// Take the attachment at this place away.
    Detach(usize),
    /// Ask for a picture or a sound with a dialog.
    PickFile,
    /// Ask for a model's folder with a dialog.
    PickModel,
    /// A dialog ended without a choice.
    PickedNothing {
        /// Whether it ended so fast that nobody can have seen it.
        at_once: bool,
    },
    /// Forget the conversation.
    NewConversation,
    /// Speak answers, or do not.
    Speech(bool),
    /// Speak with this voice.
    Voice(String),
    /// Close the message above the composer.
    Dismiss,
    /// The window lost the keyboard: a talk key that was held counts as let go.
    Leave,
    /// Show the settings, or go back to the conversation.
    ShowSettings(bool),
    /// Choose these settings.
    Prefer(Box<Preferences>),
    /// Load the model again, as the settings say now.
    Reload,
    /// Begin to listen hands-free.
    Start,
    /// End the question and send it.
    Finish,
    /// Bring the window to the front.
    Show,
    /// The talk key that was wanted cannot be had: a sentence says why.
    NoTalkKey(String),
    /// Show the list of kept conversations, or do not.
    ShowHistory(bool),
    /// List conversations that hold these words.
    SearchKept(String),
    /// Show a kept conversation, and go on with it.
    OpenKept(i64),
    /// Delete a kept conversation.
    DeleteKept(i64),
    /// Ask whether everything is to be deleted, or stop asking.
    AskToForget(bool),
    /// Delete every kept conversation.
    ForgetEverything,
    /// Put a question's text and files into the composer, to be changed and sent again.
    Edit(u64),
    /// Answer the last question anew.
    Regenerate,
    /// Play a turn's sound again.
    Replay {
        /// Turn.
        turn: u64,
        /// Who is heard.
        side: Side,
    },
    /// Write an answer's sound to a file that a dialog chooses.
    SaveSpeech(u64),
    /// Write the whole conversation to a folder that a dialog chooses.
    Export,
    /// Something was written, or why it was not: a sentence.
    Wrote(Result<String, String>),
    /// Show a picture large.
    OpenPicture(Attachment),
    /// A large picture is there, or why it is not: a sentence.
    Enlarged(PathBuf, Result<Arc<RgbaImage>, String>),
    /// Show no picture any more.
    ClosePicture,
    /// These graphics processors were found.
    Gpus(Vec<String>),
    /// Delete every recording.
    DeleteSounds,
    /// Copy a report about this machine and this program.
    Diagnose,
    /// What the machine is like is known.
    Diagnosed(Box<Surroundings>),
    /// Copy the log, down to this level.
    CopyLog(Level),
    /// Something about the sound devices.
    Sound(SoundWish),
    /// Something about larger models.
    Models(ModelWish),
    /// Something about the examination of this machine.
    Examine(ExamineWish),
    /// Hide the window in the tray.
    Hide,
    /// End the program.
    Quit,
    /// Whether the desktop has a tray with the program's icon.
    TrayIs(bool),
    /// Begin a hands-free conversation, or end it.
    HandsFree(bool),
}
