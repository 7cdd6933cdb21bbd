//! What a button, a key or a dropped file asks for.

use std::path::PathBuf;

/// One wish of the person.
#[derive(Clone, PartialEq, Eq, Debug)]
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
    /// Attach a picture or a sound, or load the model of a folder.
    Open(PathBuf),
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
}
