//! Runs a checkpoint through everything that a folder of golden tensors holds, and compares stage by stage.

mod dense;
mod encoders;
mod frontend;
mod goldens;
mod sound;
mod speech;
mod taps;
mod text;
mod thinker;

use std::path::Path;

use goldens::Goldens;

use crate::cancel::Cancel;
use crate::engine::Engine;
use crate::error::Result;
use crate::model::config::Config;

/// One comparison.
#[derive(Clone, Debug)]
pub struct Case {
    /// File and key of the golden tensor.
    pub name: String,
    /// Largest deviation as a share of the golden tensor's largest value.
    pub worst_relative_error: Option<f64>,
    /// Cosine of the angle between both tensors.
    pub cosine: Option<f64>,
    /// Elements that are equal, and all.
    pub exact: Option<(usize, usize)>,
    /// What is wrong, where it is out of tolerance.
    pub failure: Option<String>,
}

/// Compares `engine` with the goldens of `folder`, a folder with a `manifest.json` or one that holds `omni` and `qwen3-dense`. With
/// `dump`, writes our tensors there under the goldens' own file and key names.
///
/// # Errors
/// Those of reading the goldens, and of the engine on inputs that the goldens say it can take.
pub fn verify(engine: &mut Engine, folder: &Path, dump: Option<&Path>) -> Result<Vec<Case>> {
    let dense = matches!(engine.config, Config::Dense(_));
    let folder = match folder.join("manifest.json").exists() {
        true => folder.to_owned(),
        false => folder.join(if dense { "qwen3-dense" } else { "omni" }),
    };
    let mut goldens = Goldens::open(&folder)?;
    let cancel = Cancel::new();
    text::verify(engine, &mut goldens)?;
    if dense {
        dense::verify(engine, &mut goldens, &cancel)?;
    } else {
        frontend::verify(engine, &mut goldens)?;
        encoders::verify(engine, &mut goldens, &cancel)?;
        thinker::verify(engine, &mut goldens, &cancel)?;
        speech::verify(engine, &mut goldens, &cancel)?;
        sound::verify(engine, &mut goldens, &cancel)?;
    }
    goldens.finish(dump)
}
