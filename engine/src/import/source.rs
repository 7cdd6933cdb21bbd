//! What is imported: the weights, and the small files beside them or in a published folder.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::files::{damaged, read_json};
use crate::model::config::{Config, GenerationConfig, PreprocessorConfig};
use crate::text::{ChatTemplate, Tokenizer};
use crate::weights::{Checkpoint, is_gguf};

/// The small files without which no model runs: each, or all of an alternative.
const NEEDED: [&[&[&str]]; 3] = [
    &[&["config.json"]],
    &[&["tokenizer.json"], &["vocab.json", "merges.txt", "tokenizer_config.json"]],
    &[&["chat_template.json"], &["chat_template.jinja"], &["tokenizer_config.json"]],
];

/// Names of the vision encoder's mergers behind its blocks, and of the talker.
const MERGERS: &str = "thinker.visual.merger_list.";
const TALKER: &str = "talker.";

/// A model to import.
pub(super) struct Source {
    pub(super) checkpoint: Checkpoint,
    pub(super) config: Config,
    /// The folder of the small files.
    pub(super) small: PathBuf,
    /// config.json, where it is another than in that folder.
    pub(super) rewritten: Option<Value>,
    /// What a person should know of the model that is made.
    pub(super) notes: Vec<String>,
}

impl Source {
    /// Opens the checkpoint and reads all small files, so that none is found wanting after the weights are written.
    ///
    /// # Errors
    /// As [`super::import`].
    pub(super) fn open(source: &Path, with: Option<&Path>) -> Result<Source> {
        let gguf = is_gguf(source)?;
        if source.is_file() && !gguf {
            let reason =
                "is neither a GGUF file nor a folder: give the folder with config.json and the shards";
            return Err(Error::Input(format!("{} {reason}", source.display())));
        }
        let folder = if source.is_dir() { source } else { source.parent().unwrap_or(source) };
        let small = match with.filter(|_| !missing(folder).is_empty()) {
            Some(with) => with,
            None => folder,
        };
        let lacking = missing(small);
        if gguf && !lacking.is_empty() {
            return Err(lacks(source, small, &lacking));
        }
        let path = small.join("config.json");
        let mut json = read_json(&path)?;
        let checkpoint = Checkpoint::open_source(source, with)?;
        if let Some(imported) = checkpoint.imported() {
            return Err(Error::Input(format!(
                "{} is imported already, as {}: load it as it is, or import the published checkpoint",
                source.display(),
                imported.name()
            )));
        }
        let notes = if gguf { fit(&mut json, &checkpoint) } else { Vec::new() };
        let config = Config::read(&path, &json)?;
        GenerationConfig::load(small, &config)?;
        if let Config::Omni(omni) = &config {
            PreprocessorConfig::load(small, &omni.thinker)?;
        }
        Tokenizer::load(small)?;
        ChatTemplate::load(small)?;
        let rewritten = (!notes.is_empty()).then_some(json);
        Ok(Source { checkpoint, config, small: small.to_owned(), rewritten, notes })
    }
}

/// The whole path of a folder or file. A file keeps its name, also where that leads to one of another name, as in the hub's cache.
///
/// # Errors
/// The system's.
pub(super) fn really_called(path: &Path) -> io::Result<PathBuf> {
    match (path.is_file(), path.file_name()) {
        (true, Some(name)) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            Ok(folder.unwrap_or(Path::new(".")).canonicalize()?.join(name))
        }
        _ => path.canonicalize(),
    }
}

/// The small files that a folder lacks.
fn missing(folder: &Path) -> Vec<&'static str> {
    let has = |name: &&str| folder.join(name).is_file();
    let lacks = NEEDED.iter().filter(|choices| !choices.iter().any(|files| files.iter().all(has)));
    lacks.map(|choices| choices[0][0]).collect()
}

fn lacks(source: &Path, small: &Path, lacking: &[&str]) -> Error {
    let reason = format!(
        "{} has no {}; name a folder that has them with --with: `colloquy models get` brings a published one",
        small.display(),
        lacking.join(", no ")
    );
    damaged(source, reason)
}

/// Takes out of a published config what the files of llama.cpp's do not have, and tells of it.
fn fit(json: &mut Value, checkpoint: &Checkpoint) -> Vec<String> {
    let mut notes = Vec::new();
    let speaks = json["talker_config"].is_object() && json["enable_audio_output"] != false;
    if speaks && !checkpoint.has_any(TALKER) {
        json["enable_audio_output"] = json!(false);
        notes.push(
            "no talker in these files: the model answers in text; --with a published folder adds its voice"
                .into(),
        );
    }
    let mergers = &mut json["thinker_config"]["vision_config"]["deepstack_visual_indexes"];
    if mergers.as_array().is_some_and(|list| !list.is_empty()) && !checkpoint.has_any(MERGERS) {
        *mergers = json!([]);
        notes.push(
            "no deepstack mergers in these files: pictures are seen less finely; --with a published folder adds them".into(),
        );
    }
    notes
}
