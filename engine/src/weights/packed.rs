//! What the header of an imported shard says beyond a published one's: see FORMAT.md beside the formats of blocks.

use std::collections::HashMap;
use std::path::Path;

use super::tensor::checked_numel;
use crate::error::Result;
use crate::files::damaged;
use crate::quant::{BLOCK, Quant};
use crate::settings::Format;

/// Version of the files that are written and read.
const VERSION: &str = "1";

/// Keys of the metadata.
const KEYS: [&str; 3] = ["colloquy.version", "colloquy.format", "colloquy.source_is_f32"];

/// Type by which a header lists blocks and padding.
pub(crate) const BYTES: &str = "U8";

/// Every tensor begins at a multiple of so many bytes in its file.
pub(crate) const ALIGNMENT: usize = 4096;

/// How the names of what fills up to the next tensor begin.
const PADDING: &str = "colloquy.padding.";

/// What is the same in all shards of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    /// What `--format` was.
    pub(crate) format: Format,
    /// Whether all tensors were single precision before: such a model keeps to that in its caches.
    pub(crate) source_is_f32: bool,
}

impl Packed {
    /// From a header's metadata; `None` where the file is no imported one.
    ///
    /// # Errors
    /// `Error::Checkpoint` for another version or what this one does not have.
    pub(super) fn read(path: &Path, metadata: &HashMap<String, String>) -> Result<Option<Packed>> {
        let [version, format, source] = KEYS.map(|key| metadata.get(key).map(String::as_str));
        match version {
            None => return Ok(None),
            Some(VERSION) => (),
            Some(other) => {
                let reason = format!(
                    "expected version {VERSION} of the imported format, found {other:?}; update Colloquy, or import the checkpoint again"
                );
                return Err(damaged(path, reason));
            }
        }
        let format = format.and_then(Format::from_name);
        match (format, source) {
            (Some(format), Some(source @ ("true" | "false"))) => {
                Ok(Some(Packed { format, source_is_f32: source == "true" }))
            }
            _ => {
                let reason = format!(
                    "expected {} and {} in the metadata of an imported file; import the checkpoint again",
                    KEYS[1], KEYS[2]
                );
                Err(damaged(path, reason))
            }
        }
    }

    /// As a header's metadata has it.
    pub(crate) fn metadata(self) -> [(&'static str, &'static str); 3] {
        let source = if self.source_is_f32 { "true" } else { "false" };
        let [version_key, format_key, source_key] = KEYS;
        [(version_key, VERSION), (format_key, self.format.name()), (source_key, source)]
    }
}

/// Name of the `i`th padding of a file.
pub(crate) fn padding(i: usize) -> String {
    format!("{PADDING}{i}")
}

pub(super) fn is_padding(name: &str) -> bool {
    name.starts_with(PADDING)
}

/// What the metadata says of a tensor of blocks, such as `q8_0 128,768,2048`.
pub(crate) fn write_blocks(quant: Quant, shape: &[usize]) -> String {
    let axes: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("{} {}", quant.name(), axes.join(","))
}

/// The format and shape that [`write_blocks`] has written.
pub(super) fn parse_blocks(stated: &str) -> Option<(Quant, Vec<usize>)> {
    let (quant, axes) = stated.split_once(' ')?;
    let shape = axes.split(',').map(|axis| axis.parse().ok()).collect::<Option<Vec<usize>>>()?;
    Some((Quant::from_name(quant)?, shape))
}

/// Bytes of blocks of this shape, if they are a number of bytes.
pub(super) fn bytes(quant: Quant, shape: &[usize]) -> Option<usize> {
    let (&row, outer) = shape.split_last()?;
    let padded = row.checked_next_multiple_of(BLOCK)?;
    let rows = checked_numel(outer)?;
    // A weight takes at most two bytes, so that the product below does not overflow.
    checked_numel(&[rows, padded, 2]).map(|_| quant.bytes(rows, row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_of_blocks_is_read_and_nothing_else() {
        let stated = write_blocks(Quant::Q4, &[128, 768, 2048]);
        assert_eq!(parse_blocks(&stated), Some((Quant::Q4, vec![128, 768, 2048])));
        for wrong in ["", "q8_0", "q8_0 ", "q8_0 1,", "q8_0 -1", "q9 1", "q4 1, 2", "q4 99999999999999999999"]
        {
            assert_eq!(parse_blocks(wrong), None, "{wrong}");
        }
        assert_eq!(bytes(Quant::Q8_0, &[3, 40]), Some(3 * 2 * 34));
        assert_eq!(bytes(Quant::Q8_0, &[usize::MAX, 40]), None);
        assert_eq!(bytes(Quant::Q8_0, &[1, usize::MAX]), None);
        assert_eq!(bytes(Quant::Q8_0, &[]), None);
    }

    #[test]
    fn metadata_comes_back_and_other_versions_are_refused() {
        let path = Path::new("x.safetensors");
        let packed = Packed { format: Format::Q4, source_is_f32: true };
        let metadata = |packed: Packed| -> HashMap<String, String> {
            packed.metadata().into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        assert_eq!(Packed::read(path, &metadata(packed)).unwrap(), Some(packed));
        assert_eq!(Packed::read(path, &HashMap::from([("format".into(), "pt".into())])).unwrap(), None);
        for (key, value) in [(KEYS[0], "2"), (KEYS[1], "q3"), (KEYS[2], "")] {
            let mut wrong = metadata(packed);
            wrong.insert(key.into(), value.into());
            let message = Packed::read(path, &wrong).unwrap_err().to_string();
            assert!(message.contains("x.safetensors") && message.contains("import"), "{message}");
        }
    }
}
