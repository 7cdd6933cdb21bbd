//! Which tensor comes into which file, and the files' headers: all known before anything is written.

use std::ops::Range;

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::shape::Element;
use crate::weights::{ALIGNMENT, BYTES, Packed, Planned, padding, write_blocks};

/// A file to write.
pub(super) struct Shard {
    /// Its name.
    pub(super) file: String,
    /// Length and JSON, up to where the data begins.
    pub(super) header: Vec<u8>,
    /// Which of the planned tensors it holds.
    pub(super) tensors: Range<usize>,
    /// Its length.
    pub(super) bytes: u64,
}

/// Zeros that follow a tensor of so many bytes, so that the next one is aligned.
pub(super) fn padding_behind(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNMENT) - bytes
}

/// Splits the plan into files of at most `most` bytes of data, each with one tensor at least.
///
/// # Errors
/// `Error::Shape` where a header cannot be written.
pub(super) fn split(plan: &[Planned], packed: Packed, most: u64) -> Result<Vec<Shard>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (i, planned) in plan.iter().enumerate() {
        let more = planned.bytes().next_multiple_of(ALIGNMENT) as u64;
        match ranges.last_mut() {
            Some(range) if bytes + more <= most => {
                range.end = i + 1;
                bytes += more;
            }
            _ => {
                ranges.push(i..i + 1);
                bytes = more;
            }
        }
    }
    let count = ranges.len();
    let shard = |(i, tensors): (usize, Range<usize>)| {
        let (header, data) = header(&plan[tensors.clone()], packed)?;
        let file = format!("model-{:05}-of-{count:05}.safetensors", i + 1);
        let bytes = (header.len() + data) as u64;
        Ok(Shard { file, header, tensors, bytes })
    };
    ranges.into_iter().enumerate().map(shard).collect()
}

/// The header of a file with these tensors, and the bytes of its data.
fn header(tensors: &[Planned], packed: Packed) -> Result<(Vec<u8>, usize)> {
    let mut metadata: Map<String, Value> =
        packed.metadata().into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
    let mut entries = Map::new();
    let mut at = 0;
    for (i, planned) in tensors.iter().enumerate() {
        let (bytes, shape) = (planned.bytes(), planned.shape());
        let (name, end) = (planned.name.clone(), at + bytes);
        let entry = match dtype(planned.element) {
            Some(dtype) => json!({"dtype": dtype, "shape": shape, "data_offsets": [at, end]}),
            None => json!({"dtype": BYTES, "shape": [bytes], "data_offsets": [at, end]}),
        };
        if let Some(quant) = planned.element.quant() {
            metadata.insert(name.clone(), write_blocks(quant, shape).into());
        }
        entries.insert(name, entry);
        at = end + padding_behind(bytes);
        if at > end {
            let entry = json!({"dtype": BYTES, "shape": [at - end], "data_offsets": [end, at]});
            entries.insert(padding(i), entry);
        }
    }
    let mut all = Map::from_iter([("__metadata__".to_owned(), metadata.into())]);
    all.extend(entries);
    let mut json = serde_json::to_vec(&all)
        .map_err(|error| Error::Shape { kernel: "import", reason: error.to_string() })?;
    // Spaces up to where the data is aligned.
    let length = (size_of::<u64>() + json.len()).next_multiple_of(ALIGNMENT) - size_of::<u64>();
    json.resize(length, b' ');
    Ok(([&(length as u64).to_le_bytes(), &json[..]].concat(), at))
}

/// How a header calls elements; `None` for blocks.
fn dtype(element: Element) -> Option<&'static str> {
    match element {
        Element::Bf16 => Some("BF16"),
        Element::F16 => Some("F16"),
        Element::F32 | Element::U32 => Some("F32"),
        Element::Q8_0 | Element::Q4 => None,
    }
}
