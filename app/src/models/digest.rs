//! What a file's bytes must add up to.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use ring::digest::{Context as Hash, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use serde::{Deserialize, Serialize};

/// The hash that the hub names for a file, in hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Digest {
    /// SHA-256 of the bytes: large files.
    Sha256(String),
    /// The number that git gives the file, a SHA-1: small ones.
    Git(String),
}

impl Digest {
    /// The digits.
    pub(super) fn hex(&self) -> &str {
        let (Digest::Sha256(hex) | Digest::Git(hex)) = self;
        hex
    }

    /// Refuses what are not a hash's digits: they become the name of a file.
    ///
    /// # Errors
    /// It is no hash.
    pub(super) fn checked(self) -> Result<Digest> {
        let length = if matches!(self, Digest::Sha256(_)) { 64 } else { 40 };
        if self.hex().len() == length && self.hex().bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Ok(self);
        }
        bail!("{:?} is no hash of {length} digits", self.hex());
    }

    /// Whether the file at `path` has it. `go_on` is asked now and then; `None` where it said no.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn fits(&self, path: &Path, go_on: &dyn Fn() -> bool) -> Result<Option<bool>> {
        let told = || format!("cannot read {}", path.display());
        let mut file = File::open(path).with_context(told)?;
        let mut hash = match self {
            Digest::Sha256(_) => Hash::new(&SHA256),
            Digest::Git(_) => {
                let mut hash = Hash::new(&SHA1_FOR_LEGACY_USE_ONLY);
                let length = file.metadata().with_context(told)?.len();
                hash.update(format!("blob {length}\0").as_bytes());
                hash
            }
        };
        let mut buffer = vec![0; 1 << 20];
        loop {
            if !go_on() {
                return Ok(None);
            }
            match file.read(&mut buffer).with_context(told)? {
                0 => break,
                count => hash.update(&buffer[..count]),
            }
        }
        let found: String = hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Some(found.eq_ignore_ascii_case(self.hex())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_git_and_of_sha256sum() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "hello\n").unwrap();
        let fits = |digest: Digest| digest.checked().unwrap().fits(file.path(), &|| true).unwrap();
        let sha = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!(fits(Digest::Sha256(sha.into())), Some(true));
        assert_eq!(fits(Digest::Git("ce013625030ba8dba906f756967f9e9ca394464a".into())), Some(true));
        assert_eq!(fits(Digest::Git("ce013625030ba8dba906f756967f9e9ca394464b".into())), Some(false));
    }

    #[test]
    fn a_hash_that_is_a_path_is_refused() {
        assert!(Digest::Git("../../x".into()).checked().is_err());
        assert!(Digest::Sha256("g".repeat(64)).checked().is_err());
    }
}
