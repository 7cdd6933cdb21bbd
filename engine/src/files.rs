//! Reads the small files of a checkpoint folder (configs, tokenizer, templates) with a limit on their size, and writes files whole.
//!
//! Not for weights: those are mapped, see [`crate::weights`].

use std::{
    fs::File,
    io::{self, ErrorKind, Read},
    path::Path,
};

use serde_json::Value;

use crate::error::{Error, Result};

/// No config, index, tokenizer or template file is near this size; a larger one is not what its name says.
const MAX_BYTES: u64 = 64 << 20;

/// The same for one that is read as a tree of JSON values, which take many times its size.
const MAX_JSON_BYTES: usize = 8 << 20;

/// The whole file.
///
/// # Errors
/// `Error::Io` when it cannot be read, `Error::Checkpoint` when it is no plain file or larger than 64 MiB.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    read_optional(path)?.ok_or_else(|| io_error(path, ErrorKind::NotFound.into()))
}

/// The whole file, or `None` where there is no such file. Errors as [`read`].
pub(crate) fn read_optional(path: &Path) -> Result<Option<Vec<u8>>> {
    let file = match open(path) {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|source| io_error(path, source))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(damaged(path, format!("expected at most {MAX_BYTES} bytes, found more")));
    }
    Ok(Some(bytes))
}

/// The whole file as UTF-8 text. Errors as [`read`], and `Error::Checkpoint` where it is not UTF-8.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    to_text(path, read(path)?)
}

/// Bytes of the file as text, without a byte order mark. `Error::Checkpoint` where they are not UTF-8.
pub(crate) fn to_text(path: &Path, bytes: Vec<u8>) -> Result<String> {
    let text = String::from_utf8(bytes).map_err(|e| {
        damaged(path, format!("expected UTF-8 text, found other bytes at {}", e.utf8_error().valid_up_to()))
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// The file as JSON. Errors as [`read`], and `Error::Checkpoint` where it is not JSON.
pub(crate) fn read_json(path: &Path) -> Result<Value> {
    parse_json(path, read(path)?)
}

/// The file as JSON, or `None` where there is no such file. Errors as [`read_json`].
pub(crate) fn read_json_optional(path: &Path) -> Result<Option<Value>> {
    read_optional(path)?.map(|bytes| parse_json(path, bytes)).transpose()
}

/// The file's bytes as JSON. `Error::Checkpoint` where they are not.
pub(crate) fn parse_json(path: &Path, bytes: Vec<u8>) -> Result<Value> {
    if bytes.len() > MAX_JSON_BYTES {
        return Err(damaged(path, format!("expected at most {MAX_JSON_BYTES} bytes, found {}", bytes.len())));
    }
    let text = to_text(path, bytes)?;
    serde_json::from_str(&text).map_err(|e| {
        let near = excerpt(&text, e.line(), e.column());
        damaged(path, format!("expected JSON, found a fault near `{near}`: {e}"))
    })
}

/// What stands around a place (both counted from 1) in the text: names the key of a value such as `NaN`.
fn excerpt(text: &str, line: usize, column: usize) -> String {
    let line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    // serde_json counts columns in bytes; a cut inside a character is replaced below.
    let end = column.saturating_add(8).min(line.len());
    let start = column.saturating_sub(48).min(end);
    String::from_utf8_lossy(&line.as_bytes()[start..end]).trim().to_owned()
}

/// Opens a plain file. A pipe or device is refused: reading it could wait for ever.
pub(crate) fn open(path: &Path) -> Result<File> {
    let metadata = std::fs::metadata(path).map_err(|source| io_error(path, source))?;
    if !metadata.is_file() {
        return Err(damaged(path, "expected a plain file, found a folder or device".into()));
    }
    File::open(path).map_err(|source| io_error(path, source))
}

/// Writes the whole file, and its folder where that is missing. Whoever reads it meanwhile finds what was there before.
///
/// # Errors
/// The system's; what was there before stays.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // A name in the same folder that no other process writes to.
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    let beside = path.with_file_name(name);
    std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, path)).inspect_err(|_| {
        // The first error is the one to tell.
        let _ = std::fs::remove_file(&beside);
    })
}

pub(crate) fn io_error(path: &Path, source: io::Error) -> Error {
    Error::Io { path: path.to_owned(), source }
}

pub(crate) fn write_error(path: &Path, source: io::Error) -> Error {
    Error::Write { path: path.to_owned(), source }
}

pub(crate) fn damaged(path: &Path, reason: String) -> Error {
    Error::Checkpoint { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nan_is_reported_with_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        std::fs::write(&path, "{\n  \"a\": 1,\n  \"rms_norm_eps\": NaN\n}").unwrap();
        let message = read_json(&path).unwrap_err().to_string();
        assert!(message.contains("config.json") && message.contains("\"rms_norm_eps\": N"), "{message}");
    }

    #[test]
    fn a_folder_or_missing_file_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(read(dir.path()), Err(Error::Checkpoint { .. })));
        assert!(matches!(read(&dir.path().join("x")), Err(Error::Io { .. })));
        assert!(read_optional(&dir.path().join("x")).unwrap().is_none());
    }

    #[test]
    fn a_file_is_written_whole_or_stays_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/folder/x");
        for contents in ["one", "two"] {
            write(&path, contents.as_bytes()).unwrap();
            assert_eq!(read_text(&path).unwrap(), contents);
        }
        // A folder in its place is not replaced, and nothing is left beside it.
        write(&dir.path().join("new"), b"x").unwrap_err();
        write(&path.join("y"), b"x").unwrap_err();
        assert_eq!(read_text(&path).unwrap(), "two");
        let names = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
        assert_eq!((names(dir.path()), names(&dir.path().join("new/folder"))), (1, 1));
    }

    #[test]
    fn a_cut_inside_a_character_does_not_panic() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        for n in 0..40 {
            std::fs::write(&path, format!("{{\"{}\": \"é世界😀é世界😀é世界😀\", x}}", "é".repeat(n)))
                .unwrap();
            read_json(&path).unwrap_err();
        }
        std::fs::write(&path, [0x7b, 0xff]).unwrap();
        assert!(read_json(&path).unwrap_err().to_string().contains("UTF-8"));
    }
}
