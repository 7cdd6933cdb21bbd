//! What a `tokenizer.json` says, as far as byte-level BPE needs it. Anything else in it is refused: a library that reads every kind
//! of tokenizer is more than a foreign file should reach.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior};

use crate::error::{Error, Result};
use crate::files::damaged;

/// Most steps of cutting a text, and most bytes of a pattern for it: a compiled one can take megabytes.
const MAX_STEPS: usize = 4;
const MAX_PATTERN_BYTES: usize = 2048;

/// The file.
#[derive(Deserialize)]
pub(super) struct File {
    #[serde(default)]
    pub(super) added_tokens: Vec<Added>,
    pub(super) normalizer: Option<Normalizer>,
    pub(super) pre_tokenizer: PreTokenizer,
    /// Only that there is this one: it is done without.
    #[serde(rename = "decoder")]
    _decoder: ByteLevelOnly,
    pub(super) model: Model,
}

/// A token outside of BPE.
#[derive(Deserialize, Clone)]
pub(super) struct Added {
    pub(super) id: u32,
    pub(super) content: String,
    #[serde(default)]
    pub(super) special: bool,
    #[serde(default)]
    pub(super) normalized: bool,
    #[serde(default)]
    pub(super) single_word: bool,
    #[serde(default)]
    pub(super) lstrip: bool,
    #[serde(default)]
    pub(super) rstrip: bool,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
pub(super) enum Normalizer {
    #[serde(rename = "NFC")]
    Nfc,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum ByteLevelOnly {
    ByteLevel,
}

/// How a text is cut before BPE.
#[derive(Deserialize)]
#[serde(tag = "type")]
pub(super) enum PreTokenizer {
    Sequence {
        pretokenizers: Vec<Step>,
    },
    #[serde(untagged)]
    Single(Step),
}

#[derive(Deserialize)]
#[serde(tag = "type")]
pub(super) enum Step {
    Split { pattern: Pattern, behavior: Behaviour, invert: bool },
    ByteLevel { add_prefix_space: bool, trim_offsets: bool, use_regex: bool },
}

#[derive(Deserialize)]
pub(super) enum Pattern {
    Regex(String),
    String(String),
}

#[derive(Deserialize)]
pub(super) enum Behaviour {
    Isolated,
}

/// The table of BPE.
#[derive(Deserialize)]
pub(super) struct Model {
    #[serde(rename = "type")]
    _kind: Bpe,
    pub(super) vocab: HashMap<String, u32>,
    pub(super) merges: Vec<Merge>,
    #[serde(default)]
    pub(super) ignore_merges: bool,
    #[serde(default)]
    byte_fallback: bool,
    dropout: Option<f32>,
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
}

#[derive(Deserialize)]
enum Bpe {
    #[serde(rename = "BPE")]
    Bpe,
}

/// Two tokens that become one; older files write both into one text.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Merge {
    Pair(String, String),
    Line(String),
}

impl File {
    /// Reads the file `path` from its bytes.
    ///
    /// # Errors
    /// `Error::Checkpoint` where it is no byte-level BPE, or has an option that changes how texts are cut.
    pub(super) fn read(path: &Path, json: &[u8]) -> Result<File> {
        let file: File = serde_json::from_slice(json).map_err(|e| fault(path, &e.to_string()))?;
        let model = &file.model;
        let affix = |affix: &Option<String>| affix.as_ref().is_some_and(|affix| !affix.is_empty());
        let options = [
            (model.byte_fallback, "byte_fallback"),
            (model.dropout.is_some_and(|share| share != 0.0), "dropout"),
            (affix(&model.unk_token), "unk_token"),
            (affix(&model.continuing_subword_prefix), "continuing_subword_prefix"),
            (affix(&model.end_of_word_suffix), "end_of_word_suffix"),
        ];
        match options.into_iter().find(|(is_set, _)| *is_set) {
            Some((_, option)) => Err(fault(path, &format!("the option {option}"))),
            None => Ok(file),
        }
    }
}

impl Merge {
    pub(super) fn pair(self, path: &Path) -> Result<(String, String)> {
        match self {
            Merge::Pair(left, right) => Ok((left, right)),
            Merge::Line(line) => match line.split_once(' ') {
                Some((left, right)) => Ok((left.to_owned(), right.to_owned())),
                None => Err(fault(path, &format!("the merge {line:?}"))),
            },
        }
    }
}

impl Added {
    /// As the library has it.
    pub(super) fn build(self) -> AddedToken {
        AddedToken::from(self.content, self.special)
            .normalized(self.normalized)
            .single_word(self.single_word)
            .lstrip(self.lstrip)
            .rstrip(self.rstrip)
    }
}

impl PreTokenizer {
    /// As the library has it.
    pub(super) fn build(self, path: &Path) -> Result<PreTokenizerWrapper> {
        let steps = match self {
            PreTokenizer::Sequence { pretokenizers } => pretokenizers,
            PreTokenizer::Single(step) => vec![step],
        };
        if steps.len() > MAX_STEPS {
            return Err(fault(path, &format!("more than {MAX_STEPS} steps of cutting a text")));
        }
        let steps: Result<Vec<_>> = steps.into_iter().map(|step| step.build(path)).collect();
        Ok(Sequence::new(steps?).into())
    }
}

impl Step {
    fn build(self, path: &Path) -> Result<PreTokenizerWrapper> {
        match self {
            Step::ByteLevel { add_prefix_space, trim_offsets, use_regex } => {
                Ok(ByteLevel::new(add_prefix_space, trim_offsets, use_regex).into())
            }
            Step::Split { pattern, behavior: Behaviour::Isolated, invert } => {
                let (Pattern::Regex(text) | Pattern::String(text)) = &pattern;
                if text.len() > MAX_PATTERN_BYTES {
                    return Err(fault(path, &format!("a pattern of more than {MAX_PATTERN_BYTES} bytes")));
                }
                let pattern = match pattern {
                    Pattern::Regex(regex) => SplitPattern::Regex(regex),
                    Pattern::String(text) => SplitPattern::String(text),
                };
                let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, invert);
                Ok(split.map_err(|e| fault(path, &e.to_string()))?.into())
            }
        }
    }
}

/// An error about the file: what was found instead.
pub(super) fn fault(path: &Path, found: &str) -> Error {
    damaged(path, format!("expected a byte-level BPE tokenizer, found: {found}"))
}
