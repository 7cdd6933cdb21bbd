//! Licences of models that the person has accepted.

use serde::{Deserialize, Serialize};

/// What was accepted.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Licences {
    /// Names of the models, as the catalogue has them.
    pub(crate) accepted: Vec<String>,
}

impl Licences {
    /// Whether that of `model` was.
    pub(crate) fn has(&self, model: &str) -> bool {
        self.accepted.iter().any(|accepted| accepted == model)
    }

    /// It is now.
    pub(crate) fn accept(&mut self, model: &str) {
        if !self.has(model) {
            self.accepted.push(model.to_owned());
        }
    }
}
