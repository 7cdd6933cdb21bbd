//! The models that the program knows by name, from `assets/models.toml`.

use std::sync::LazyLock;

use anyhow::{Result, bail};
use engine::Format;
use serde::Deserialize;

use crate::doctor::FORMATS;

/// A model.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// What it is called on the command line, and its folder.
    pub(crate) name: String,
    /// What it is called elsewhere.
    pub(crate) title: String,
    /// What it is for, in a sentence.
    pub(crate) about: String,
    /// `OWNER/NAME` on the hub; `None` where it ships with the program.
    pub(crate) repo: Option<String>,
    /// SPDX expression.
    pub(crate) licence: String,
    /// What a question may hold.
    pub(crate) takes: Vec<String>,
    /// What an answer holds.
    pub(crate) gives: Vec<String>,
    /// How large it is.
    pub(crate) bytes: Bytes,
}

/// About how many bytes a model takes in each format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bytes {
    /// As published, which is what is downloaded.
    pub(crate) bf16: u64,
    /// In eight bits.
    pub(crate) q8_0: Option<u64>,
    /// In four bits.
    pub(crate) q4: Option<u64>,
}

impl Entry {
    /// Page with the licence's text.
    pub(crate) fn licence_page(&self) -> Option<String> {
        self.repo.as_ref().map(|repo| format!("https://huggingface.co/{repo}/blob/main/LICENSE"))
    }
}

impl Bytes {
    /// In `format`.
    pub(crate) fn of(&self, format: Format) -> Option<u64> {
        match format {
            Format::Bf16 => Some(self.bf16),
            Format::Q8_0 => self.q8_0,
            Format::Q4 => self.q4,
            Format::F32 => None,
        }
    }
}

/// A model as it is to lie on this machine.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Kind {
    /// Which.
    pub(crate) entry: &'static Entry,
    /// What it is converted to; as published where `None`.
    pub(crate) format: Option<Format>,
}

impl Kind {
    /// What is fetched where a person wants `entry` in `format`: sixteen bits are as published.
    pub(crate) fn offered(entry: &'static Entry, format: Format) -> Kind {
        Kind { entry, format: (format != Format::Bf16).then_some(format) }
    }

    /// All that there can be of `entry`.
    pub(crate) fn all(entry: &'static Entry) -> impl Iterator<Item = Kind> {
        [None].into_iter().chain(FORMATS.map(Some)).map(move |format| Kind { entry, format })
    }

    /// What it is called on the command line, and its folder.
    pub(crate) fn name(&self) -> String {
        match self.format {
            Some(format) => format!("{}-{}", self.entry.name, format.name()),
            None => self.entry.name.clone(),
        }
    }
}

/// All models; the one that ships with the program comes first.
pub(crate) fn models() -> &'static [Entry] {
    #[derive(Deserialize)]
    struct File {
        model: Vec<Entry>,
    }
    static MODELS: LazyLock<Vec<Entry>> = LazyLock::new(|| {
        // A test reads the same text: it can be read.
        toml::from_str::<File>(TEXT).map(|file| file.model).unwrap_or_default()
    });
    &MODELS
}

const TEXT: &str = include_str!("../../../assets/models.toml");

/// The model that `name` means: its whole name, or a part that no other has.
///
/// # Errors
/// None or several are meant; the sentence names them.
pub(crate) fn find(name: &str) -> Result<&'static Entry> {
    if let Some(entry) = models().iter().find(|entry| entry.name == name) {
        return Ok(entry);
    }
    let names = |entries: &[&Entry]| entries.iter().map(|e| e.name.as_str()).collect::<Vec<_>>().join(", ");
    let meant: Vec<_> = models().iter().filter(|entry| entry.name.contains(name)).collect();
    match meant[..] {
        [entry] => Ok(entry),
        [] => bail!("no model is called {name}: there are {}", names(&models().iter().collect::<Vec<_>>())),
        _ => bail!("{name} can mean {}", names(&meant)),
    }
}

/// The model that `name` means, with a format behind it where it is a converted one.
///
/// # Errors
/// Those of [`find`].
pub(crate) fn find_kind(name: &str) -> Result<Kind> {
    for format in FORMATS {
        if let Some(name) = name.strip_suffix(format.name()).and_then(|name| name.strip_suffix('-')) {
            return Ok(Kind { entry: find(name)?, format: Some(format) });
        }
    }
    Ok(Kind { entry: find(name)?, format: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_can_be_read_and_its_names_are_folders() {
        assert_eq!(models().len(), 4);
        for entry in models() {
            assert!(entry.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{}", entry.name);
            assert_eq!(entry.repo.is_none(), entry.name == "pocket");
            let Bytes { bf16, q8_0, q4 } = entry.bytes;
            assert!(q8_0.is_none_or(|q8_0| q8_0 < bf16) && q4 < q8_0 || q8_0.is_none());
        }
    }

    #[test]
    fn a_part_of_a_name_is_enough_where_it_means_one_model() {
        let kind = find_kind("captioner-q8_0").unwrap();
        assert_eq!((kind.name().as_str(), kind.format), ("qwen3-omni-captioner-q8_0", Some(Format::Q8_0)));
        assert_eq!(find_kind("captioner").unwrap().name(), "qwen3-omni-captioner");
        assert_eq!(find("captioner").unwrap().name, "qwen3-omni-captioner");
        assert!(find("qwen3").unwrap_err().to_string().contains("can mean qwen3-omni-instruct, "));
        assert!(find("gpt").unwrap_err().to_string().contains("there are pocket, "));
    }
}
