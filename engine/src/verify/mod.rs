//! Runs a checkpoint through everything that a folder of golden tensors holds, and compares stage by stage.

mod dense;
mod encoders;
mod frontend;
mod goldens;
mod logits;
mod pair;
mod quantised;
mod sound;
mod speech;
mod taps;
mod text;
mod thinker;

use std::path::Path;

use goldens::Goldens;

use crate::cancel::Cancel;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::model::config::Config;

/// One comparison.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// File and key of the golden tensor.
    pub name: String,
    /// Largest deviation as a share of the golden tensor's largest value.
    pub worst_relative_error: Option<f64>,
    /// Cosine of the angle between both tensors.
    pub cosine: Option<f64>,
    /// Elements that are equal, and all.
    pub exact: Option<(usize, usize)>,
    /// Mean square of the deviations, as a share of the golden tensor's mean square.
    pub mean_square_error: Option<f64>,
    /// Kullback-Leibler divergence of our distributions of tokens from the golden ones, in nats: the mean over positions.
    pub divergence: Option<f64>,
    /// What is wrong, where it is out of tolerance.
    pub failure: Option<String>,
    /// Why there was no comparison.
    pub skipped: Option<String>,
}

impl Case {
    fn named(name: String) -> Case {
        Case { name, ..Case::default() }
    }
}

/// Compares `engine` with the goldens of `folder`, a folder with a `manifest.json` or one that holds `omni` and `qwen3-dense`. Of a
/// model with quantised weights, only the logits are judged, against the checkpoint as it is stored, which in turn is held to the
/// goldens; what that does not need is listed as skipped. With `dump`, writes our tensors there under the goldens' own file and key names.
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
    if let Some(format) = engine.quantised() {
        if !dense {
            frontend::verify(engine, &mut goldens)?;
        }
        quantised::verify(engine, format, &mut goldens, &cancel)?;
        goldens.skip_others("a model in few bits has other values");
    } else if dense {
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

/// Compares what `engine`, whose weights are held in another format than the checkpoint's, predicts with what the checkpoint does
/// as it is stored: after some questions, and its answers to them.
///
/// # Errors
/// Those of loading the checkpoint once more, and of the engine; `Error::Input` where its format is the checkpoint's own.
pub fn verify_format(engine: &mut Engine) -> Result<Vec<Case>> {
    if engine.is_imported() {
        let reason = "this checkpoint was imported in few bits and holds nothing more exact to compare with: give goldens, or the \
                      published checkpoint with --format";
        return Err(Error::Input(reason.into()));
    }
    let Some(format) = engine.quantised() else {
        let reason =
            "without goldens, only a format of few bits can be compared with the checkpoint: q8_0 or q4";
        return Err(Error::Input(reason.into()));
    };
    quantised::compare(engine, format, &Cancel::new())
}
