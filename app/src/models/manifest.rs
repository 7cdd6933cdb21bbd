//! Which files belong to a model, in which version: asked of the hub once, and kept in the model's folder.

use std::path::{Component, Path};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::journal;

/// The name of its file in the model's folder.
pub(super) const NAME: &str = ".colloquy.json";

/// A model's files.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// `OWNER/NAME` on the hub.
    pub(super) repo: String,
    /// The commit that they are of.
    pub(super) commit: String,
    /// The files.
    pub(super) files: Vec<Part>,
}

/// One file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Part {
    /// Below the model's folder, with `/`.
    pub(super) path: String,
    /// Bytes.
    pub(super) size: u64,
    /// What they add up to.
    pub(super) digest: Digest,
}

impl Part {
    /// Whether it is a file of weights.
    pub(super) fn is_weights(&self) -> bool {
        self.path.ends_with(".safetensors")
    }
}

impl Manifest {
    /// The manifest in `folder`; `None` where there is none.
    ///
    /// # Errors
    /// There is one that cannot be read.
    pub(super) fn read(folder: &Path) -> Result<Option<Manifest>> {
        journal::read(&folder.join(NAME))
    }

    /// Writes it into `folder`.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        journal::write(&folder.join(NAME), self)
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// Refuses what is no model, and files that would not lie in its folder.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(super) fn checked(self) -> Result<Manifest> {
        for Part { path, .. } in &self.files {
            let plain = |part| matches!(part, Component::Normal(_));
            if path.contains(['\\', ':']) || !Path::new(path).components().all(plain) || path.is_empty() {
                bail!("{} names a file that would not lie in the model's folder: {path:?}", self.repo);
            }
        }
        for needed in ["config.json", ".safetensors"] {
            if !self.files.iter().any(|file| file.path.ends_with(needed)) {
                bail!("{} at {} is no model: it has no {needed} file", self.repo, self.commit);
            }
        }
        if self.files.iter().try_fold(0_u64, |sum, file| sum.checked_add(file.size)).is_none() {
            bail!("{} names files of more bytes than there can be", self.repo);
        }
        Ok(self)
    }
}

/// Whether a model needs this file of its repository: pictures, other formats and the hub's own files are left there.
pub(super) fn is_needed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let ending = [".json", ".safetensors", ".txt", ".jinja", ".model"].iter().any(|e| name.ends_with(e));
    !path.contains('/')
        && (ending || ["LICENSE", "NOTICE", "README.md"].contains(&name))
        && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(path: &str) -> Manifest {
        let part = |path: &str| {
            let digest = Digest::Git("0".repeat(40));
            Part { path: path.into(), size: 1, digest }
        };
        let files = ["config.json", "model.safetensors", path].map(part).into();
        Manifest { repo: "a/b".into(), commit: "c".into(), files }
    }

    #[test]
    fn files_outside_the_folder_are_refused() {
        assert!(manifest("vocab.json").checked().is_ok());
        for path in ["../x.json", "/etc/x.json", "a/../../x", "", "..\\x", "C:x"] {
            assert!(manifest(path).checked().is_err(), "{path:?}");
        }
    }

    #[test]
    fn only_what_a_model_needs_is_fetched() {
        assert!(is_needed("model-00001-of-00015.safetensors") && is_needed("LICENSE"));
        assert!(!is_needed(".gitattributes") && !is_needed("onnx/config.json") && !is_needed("logo.png"));
    }
}
