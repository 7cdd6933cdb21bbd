//! The checksums of an imported folder's files, kept in the folder, so that they can be compared later.

use std::collections::BTreeMap;
use std::path::Path;

use crc32fast::Hasher;
use serde::{Deserialize, Serialize};

use super::journal::Finished;
use super::outputs::Output;
use super::route::{Part, Source};
use super::writer;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::files::{damaged, read_json_optional};

/// The name of their file in the folder.
pub(super) const NAME: &str = "checksums.json";

/// The file.
#[derive(Serialize, Deserialize, Default)]
pub(super) struct Checksums {
    /// By the files' names.
    pub(super) files: BTreeMap<String, Checksum>,
}

/// What is known of a file.
#[derive(Serialize, Deserialize)]
pub(super) struct Checksum {
    /// Its length.
    pub(super) bytes: u64,
    /// CRC-32 of its bytes.
    pub(super) crc32: u32,
}

/// A file of an imported folder, compared with its checksum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckedFile {
    /// Its name.
    pub name: String,
    /// What is wrong with it, as in `is missing`; nothing where `None`.
    pub fault: Option<&'static str>,
}

/// The checksums of the outputs, from those of their parts.
pub(super) fn of_outputs(outputs: &[Output], sources: &[Source], finished: &[Finished]) -> Vec<u32> {
    let of_source = |(source, finished): (&'_ Source, &'_ Finished)| -> Vec<(usize, u64, u64, u32)> {
        let entry = |(part, crc): (&Part, &u32)| (part.output, part.at, part.length(), *crc);
        source.parts.iter().zip(&finished.crcs).map(entry).collect()
    };
    let mut parts: Vec<_> = sources.iter().zip(finished).flat_map(of_source).collect();
    parts.sort_unstable();
    let mut crcs: Vec<Hasher> =
        outputs.iter().map(|output| Hasher::new_with_initial(crc32fast::hash(&output.header))).collect();
    for (output, _, length, crc) in parts {
        crcs[output].combine(&Hasher::new_with_initial_len(crc, length));
    }
    crcs.into_iter().map(Hasher::finalize).collect()
}

/// Compares the files of a folder that was imported with the checksums that were kept then; `told` hears of each, in the order of
/// their names.
///
/// # Errors
/// `Error::Input` where the folder has no checksums; `Error::Io` and `Error::Checkpoint` where they or a file cannot be read;
/// `Error::Cancelled`.
pub fn check_import(
    folder: &Path,
    cancel: &Cancel,
    told: &mut dyn FnMut(&CheckedFile),
) -> Result<Vec<CheckedFile>> {
    let path = folder.join(NAME);
    let Some(json) = read_json_optional(&path)? else {
        return Err(Error::Input(format!(
            "{} has no {NAME}: it was not imported, or before there were checksums; import the published checkpoint again",
            folder.display()
        )));
    };
    let checksums: Checksums = serde_json::from_value(json)
        .map_err(|error| damaged(&path, format!("expected checksums of files, found a fault: {error}")))?;
    let mut checked = Vec::new();
    for (name, Checksum { bytes, crc32 }) in checksums.files {
        // Only files beside it are its own.
        let file = Path::new(&name).file_name().map(|name| folder.join(name)).unwrap_or_default();
        let fault = match std::fs::metadata(&file) {
            Err(_) => Some("is missing"),
            Ok(found) if found.len() != bytes => Some("has another size"),
            Ok(_) if writer::crc(&file, 0, bytes, cancel)? != crc32 => {
                Some("has other bytes than when it was imported")
            }
            Ok(_) => None,
        };
        let file = CheckedFile { name, fault };
        told(&file);
        checked.push(file);
    }
    Ok(checked)
}
