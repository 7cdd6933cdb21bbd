//! One safetensors file: eight bytes of header length, a JSON header, then the tensors' bytes without gaps.
//!
//! Everything in the header is checked against the file before anything is handed out, and nothing is allocated
//! by a number that the header states.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use memmap2::Mmap;
use serde::{
    Deserialize,
    de::{self, Deserializer, MapAccess, Visitor},
};

use super::coded::Ggml;
use super::gguf::{self, Gguf};
use super::packed::{self, Packed};
use super::tensor::{DType, checked_numel};
use crate::quant::Quant;
use crate::{
    error::{Error, Result},
    files::{damaged, io_error, open},
};

/// Limit of the format for the JSON header.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// A mapped shard and what its header lists.
pub(super) struct Shard {
    pub(super) path: PathBuf,
    pub(super) map: Arc<Mmap>,
    pub(super) tensors: Vec<ShardTensor>,
    /// What its header says of it, where it is an imported one.
    pub(super) packed: Option<Packed>,
}

/// What the bytes of a tensor are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Elements one by one.
    Plain(DType),
    /// Blocks as the engine holds them.
    Blocks(Quant),
    /// Blocks as llama.cpp writes them.
    Ggml(Ggml),
    /// Whole numbers of so many bytes, which weights are packed into.
    Words(usize),
}

/// A tensor of a shard.
pub(super) struct ShardTensor {
    pub(super) name: String,
    pub(super) encoding: Encoding,
    pub(super) shape: Vec<usize>,
    /// Its bytes in the file.
    pub(super) range: Range<usize>,
}

impl Shard {
    /// Maps the file and checks its header.
    ///
    /// # Errors
    /// `Error::Io` when the file cannot be opened, `Error::Checkpoint` when its header is damaged or the file cut,
    /// `Error::Tensor` when an entry contradicts the file or has an element type that the engine does not use.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = open(path)?;
        // SAFETY: the map is read-only and private to the checkpoint. Another process that changes or cuts the file
        // while it is mapped is outside of what a program can guard against; checkpoints are not written in place.
        let map = unsafe { Mmap::map(&file) }.map_err(|source| io_error(path, source))?;
        let (tensors, packed) = parse(path, &map)?;
        Ok(Self { path: path.to_owned(), map: Arc::new(map), tensors, packed })
    }

    /// Maps a file of llama.cpp's and checks what stands before its data. `thinker` goes from file to file, see [`gguf::tensors`].
    ///
    /// # Errors
    /// As [`Shard::open`], and `Error::Checkpoint` for another model than the engine runs.
    pub(super) fn open_gguf(path: &Path, thinker: &mut Option<&'static str>) -> Result<Self> {
        let file = open(path)?;
        // SAFETY: as above.
        let map = unsafe { Mmap::map(&file) }.map_err(|source| io_error(path, source))?;
        let tensors = gguf::tensors(Gguf::parse(path, &map)?, thinker)?;
        Ok(Self { path: path.to_owned(), map: Arc::new(map), tensors, packed: None })
    }
}

/// Whether a file's bytes are those of a shard. Errors as [`Shard::open`].
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn check_bytes(path: &Path, file: &[u8]) -> Result<()> {
    parse(path, file).map(|_| ())
}

fn parse(path: &Path, file: &[u8]) -> Result<(Vec<ShardTensor>, Option<Packed>)> {
    let Some((length, rest)) = file.split_first_chunk::<8>() else {
        let found = file.len();
        return Err(damaged(path, format!("expected a safetensors file, found only {found} bytes")));
    };
    let length = u64::from_le_bytes(*length);
    let header = usize::try_from(length)
        .ok()
        .filter(|_| (2..=MAX_HEADER_BYTES).contains(&length))
        .and_then(|length| rest.get(..length))
        .ok_or_else(|| {
            let limit = MAX_HEADER_BYTES.min(rest.len() as u64);
            damaged(
                path,
                format!(
                    "expected a header of 2 to {limit} bytes, found a stated length of {length}; \
                     the file is cut short or no safetensors file, download it again"
                ),
            )
        })?;
    let header: Header = serde_json::from_slice(header)
        .map_err(|e| damaged(path, format!("expected a safetensors header in JSON, found a fault: {e}")))?;
    let data_start = 8 + length as usize;
    let packed = Packed::read(path, &header.metadata)?;
    let blocks = packed.is_some().then_some(&header.metadata);
    let mut tensors = Vec::with_capacity(header.tensors.len());
    for (name, entry) in header.tensors {
        tensors.push(check(path, name, entry, data_start, blocks)?);
    }
    let cure = if packed.is_some() { "import the checkpoint again" } else { "download it again" };
    check_layout(path, &tensors, data_start, file.len(), cure)?;
    tensors.retain(|tensor| packed.is_none() || !packed::is_padding(&tensor.name));
    Ok((tensors, packed))
}

/// Checks one entry by itself: a known type, and a range as long as the shape says. `blocks` is the metadata of an imported shard.
fn check(
    path: &Path,
    name: String,
    entry: Entry,
    data_start: usize,
    blocks: Option<&HashMap<String, String>>,
) -> Result<ShardTensor> {
    let fault = |expected: String, found: String| Error::Tensor {
        name: name.clone(),
        path: path.to_owned(),
        expected,
        found,
    };
    let (encoding, shape, length) = match blocks.filter(|_| entry.dtype == packed::BYTES) {
        Some(_) if packed::is_padding(&name) => {
            // Of no tensor: it is dropped once its place is checked.
            let length = checked_numel(&entry.shape);
            (Encoding::Blocks(Quant::Q8_0), entry.shape.clone(), length)
        }
        Some(metadata) => {
            let stated = metadata.get(&name).map_or("", String::as_str);
            let (quant, shape) = packed::parse_blocks(stated).ok_or_else(|| {
                let expected =
                    "the format of its blocks and its shape in the metadata, such as `q8_0 768,2048`";
                fault(expected.into(), format!("`{stated}`"))
            })?;
            let length = packed::bytes(quant, &shape);
            (Encoding::Blocks(quant), shape, length)
        }
        None => {
            let words = |size| Some((Encoding::Words(size), size));
            let (encoding, size) = match &*entry.dtype {
                "I32" => words(4),
                "I64" => words(8),
                other => DType::from_name(other).map(|dtype| (Encoding::Plain(dtype), dtype.size())),
            }
            .ok_or_else(|| fault("element type F32, F16 or BF16".into(), entry.dtype.clone()))?;
            let length = checked_numel(&entry.shape).and_then(|n| n.checked_mul(size));
            (encoding, entry.shape, length)
        }
    };
    let [start, end] = entry.data_offsets;
    if length.is_none() || end.checked_sub(start) != length {
        let expected = match length {
            Some(length) => format!("{length} bytes for {encoding} {shape:?}"),
            None => "a shape whose size is a number of bytes".into(),
        };
        return Err(fault(expected, format!("{encoding} {shape:?} at offsets {start} to {end}")));
    }
    let range = start.checked_add(data_start).zip(end.checked_add(data_start)).map(|(start, end)| start..end);
    let range = range.ok_or_else(|| fault("offsets inside the file".into(), format!("{start} to {end}")))?;
    Ok(ShardTensor { name, encoding, shape, range })
}

/// Checks all ranges together: end to end from the header to the end of the file.
fn check_layout(
    path: &Path,
    tensors: &[ShardTensor],
    data_start: usize,
    file_length: usize,
    cure: &str,
) -> Result<()> {
    let mut order: Vec<&ShardTensor> = tensors.iter().collect();
    order.sort_by_key(|t| (t.range.start, t.range.end));
    let mut covered = data_start;
    for tensor in order {
        let Range { start, end } = tensor.range;
        if start == covered && end <= file_length {
            covered = end;
            continue;
        }
        let (expected, found) = if start < covered {
            (format!("its bytes to start at {covered}"), format!("{start}, inside another tensor"))
        } else if start > covered {
            (format!("its bytes to start at {covered}"), format!("{start}, which leaves a gap"))
        } else {
            let found = format!("the end of the file at {file_length}; the file is cut short, {cure}");
            (format!("its bytes at {start} to {end}"), found)
        };
        return Err(Error::Tensor { name: tensor.name.clone(), path: path.to_owned(), expected, found });
    }
    if covered != file_length {
        let reason = format!("expected {covered} bytes by its header, found {file_length}; {cure}");
        return Err(damaged(path, reason));
    }
    Ok(())
}

/// The header's tensors in the order of the file, each name once, and its words.
struct Header {
    tensors: Vec<(String, Entry)>,
    metadata: HashMap<String, String>,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Encoding::Plain(dtype) => dtype.fmt(f),
            Encoding::Blocks(quant) => write!(f, "{} blocks", quant.name()),
            Encoding::Ggml(ggml) => ggml.fmt(f),
            Encoding::Words(size) => write!(f, "words of {size} bytes"),
        }
    }
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Header, A::Error> {
        let mut names = HashSet::new();
        let (mut tensors, mut metadata) = (Vec::new(), HashMap::new());
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(de::Error::custom(format_args!("{name} is listed twice")));
            }
            if name == "__metadata__" {
                metadata = map.next_value::<Option<_>>()?.unwrap_or_default();
            } else {
                tensors.push((name, map.next_value()?));
            }
        }
        Ok(Header { tensors, metadata })
    }
}
