//! What the first start leaves behind.

use serde::{Deserialize, Serialize};

/// The first start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Welcome {
    /// Its page was seen, and a question asked.
    pub(crate) first_run_done: bool,
}
