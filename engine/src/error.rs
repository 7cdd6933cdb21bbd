//! What can go wrong, said so that a person knows what to do next.

use std::path::PathBuf;

/// Result of the engine's fallible operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that the engine reports. The text of each error names the thing, what was expected and what was found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read or written. Check that it exists and may be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file or folder could not be written. Check that there is room and that it may be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file of a checkpoint is missing, damaged or does not fit the others. Download the checkpoint again.
    #[error("{}: {reason}", path.display())]
    Checkpoint {
        /// The folder or file at fault.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// A weight is missing, has another shape or type, or stands where it should not.
    #[error("tensor {name} in {}: expected {expected}, found {found}", path.display())]
    Tensor {
        /// The tensor's full name in the checkpoint.
        name: String,
        /// The shard, or the folder when no shard holds the tensor.
        path: PathBuf,
        /// Shape and type that the model needs.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// A value in a config file is missing, of the wrong type or out of range.
    #[error("{}: {key}: {reason}", path.display())]
    Config {
        /// The config file.
        path: PathBuf,
        /// The key, dotted from the top.
        key: String,
        /// What was expected and what was found.
        reason: String,
    },
    /// Sound, picture, video or text given by the user cannot be used.
    #[error("{0}")]
    Input(String),
    /// The conversation no longer fits the context. Start a new one or raise the limit.
    #[error(
        "the conversation needs {needed} tokens but the context holds {limit}; start a new conversation or raise the limit"
    )]
    Context {
        /// Tokens that the next step would need.
        needed: usize,
        /// Tokens that the context holds.
        limit: usize,
    },
    /// Shapes given to a kernel do not fit: a fault of the engine or a checkpoint that contradicts its own config.
    #[error("{kernel}: {reason}")]
    Shape {
        /// The kernel's name.
        kernel: &'static str,
        /// What was expected and what was found.
        reason: String,
    },
    /// No graphics processor can be used, or it has too little memory. Choose another device or format.
    #[error("{0}")]
    Device(String),
    /// The graphics processor stopped working: its driver was reset, or it was taken away. What was said is kept; the engine must be
    /// rebuilt.
    #[error("the graphics processor was lost ({0})")]
    DeviceLost(String),
    /// The model computed something that is no number: its weights are damaged, or the device computes wrongly.
    #[error(
        "the {0} computed values that are no numbers; download the checkpoint again, or choose another device if `verify` fails on this one"
    )]
    NotANumber(
        /// Which part of the model.
        &'static str,
    ),
    /// The work was cancelled by its owner; the session stays usable.
    #[error("cancelled")]
    Cancelled,
}
