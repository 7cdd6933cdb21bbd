//! What a button, a key or a dropped file asks for.

use std::path::PathBuf;

use crate::preferences::Preferences;
use crate::state::Attachment;

/// One wish of the person.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// The talk key or button went down.
    Press,
    /// It went up, or the window lost the keyboard.
    Release,
    /// The talk button was activated without a pointer: start, or end the question.
    Toggle,
    /// Stop whatever is going on.
    Stop,
    /// The text field now holds this.
    Draft(String),
    /// Send what is typed and attached.
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
    /// Show the settings, or go back to the conversation.
    ShowSettings(bool),
    /// Choose these settings.
    Prefer(Box<Preferences>),
    /// Load the model again, as the settings say now.
    Reload,
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
}
