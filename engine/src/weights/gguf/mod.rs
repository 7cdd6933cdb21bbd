//! GGUF files, as llama.cpp publishes them: metadata, a list of tensors, and their bytes.
//!
//! Such a file is a stranger's: every number in it is checked against the file before it is used, and nothing is allocated by a
//! number that it states.

mod names;
mod reader;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod writer;

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

pub(super) use names::tensors;
use reader::{Kind, Reader};

use super::coded::Ggml;
use super::shard::Encoding;
use super::tensor::{DType, checked_numel};
use crate::error::{Error, Result};
use crate::files::damaged;

const MAGIC: &[u8] = b"GGUF";

/// Versions that are read; the first one had other lengths.
const VERSIONS: [u32; 2] = [2, 3];

/// Bytes of the longest key and the longest name of a tensor.
const MOST_NAME: usize = 1024;

/// Axes of a tensor.
const MOST_AXES: usize = 5;

/// Where the data begins and each tensor in it, unless the file says otherwise.
const ALIGNMENT: usize = 32;

/// What a key of the metadata stands for.
pub(super) enum Value {
    /// Any number, and truth as 0 and 1.
    Number(f64),
    Text(String),
    /// Its elements are not kept.
    List,
}

/// A tensor as the file lists it.
pub(super) struct Listed {
    pub(super) name: String,
    /// Outermost axis first.
    pub(super) shape: Vec<usize>,
    pub(super) encoding: Encoding,
    /// Its bytes in the file.
    pub(super) range: Range<usize>,
}

/// What stands before the data of a file.
pub(super) struct Gguf {
    pub(super) path: PathBuf,
    pub(super) metadata: BTreeMap<String, Value>,
    pub(super) tensors: Vec<Listed>,
}

impl Gguf {
    /// Reads the head of `file`, which lies at `path`.
    ///
    /// # Errors
    /// `Error::Checkpoint` for whatever is wrong with it; `Error::Tensor` for a tensor of a type that is not read.
    pub(super) fn parse(path: &Path, file: &[u8]) -> Result<Gguf> {
        let fault =
            |found: String| damaged(path, format!("expected a GGUF file, found {found}; download it again"));
        let mut reader = Reader::new(file);
        if reader.take(MAGIC.len()).map_err(fault)? != MAGIC {
            return Err(fault("something else".into()));
        }
        let version = reader.u32().map_err(fault)?;
        if !VERSIONS.contains(&version) {
            let reason = format!(
                "expected a GGUF file of version 2 or 3 in little-endian order, found version {version}"
            );
            return Err(damaged(path, reason));
        }
        // A name, axes, a type and an offset; a key, a type and a value.
        let count = reader.count("tensors", 8 + 4 + 4 + 8).map_err(fault)?;
        let pairs = reader.count("entries of metadata", 8 + 4 + 1).map_err(fault)?;
        let metadata = metadata(&mut reader, pairs).map_err(fault)?;
        let alignment = alignment(&metadata).map_err(fault)?;
        let mut entries = Vec::new();
        let mut names = HashSet::new();
        for _ in 0..count {
            let entry = Entry::read(&mut reader).map_err(fault)?;
            if !names.insert(entry.name) {
                return Err(fault(format!("the tensor {} twice", entry.name)));
            }
            entries.push(entry);
        }
        let data = reader.at().next_multiple_of(alignment);
        let tensors = entries.into_iter().map(|entry| entry.check(path, data, alignment, file.len()));
        let tensors = tensors.collect::<Result<Vec<_>>>()?;
        check_overlaps(path, &tensors)?;
        Ok(Gguf { path: path.to_owned(), metadata, tensors })
    }
}

/// For fuzzing: checks the bytes of a file as opening it does.
///
/// # Errors
/// As [`tensors`] and [`Gguf::parse`].
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn check_bytes(path: &Path, file: &[u8]) -> Result<()> {
    tensors(Gguf::parse(path, file)?, &mut None).map(|_| ())
}

fn metadata(reader: &mut Reader<'_>, pairs: usize) -> Result<BTreeMap<String, Value>, String> {
    let mut metadata = BTreeMap::new();
    for _ in 0..pairs {
        let key = reader.text("a key", MOST_NAME)?;
        let value = match reader.kind()? {
            Kind::Text => Value::Text(reader.text("a string", usize::MAX)?.to_owned()),
            Kind::List => {
                reader.skip_list(0)?;
                Value::List
            }
            kind => Value::Number(reader.number(kind)?),
        };
        if metadata.insert(key.to_owned(), value).is_some() {
            return Err(format!("the key {key} twice"));
        }
    }
    Ok(metadata)
}

fn alignment(metadata: &BTreeMap<String, Value>) -> Result<usize, String> {
    match metadata.get("general.alignment") {
        None => Ok(ALIGNMENT),
        Some(Value::Number(stated)) => {
            let sound = (3..=16).map(|bits| 1_usize << bits).find(|&bytes| bytes as f64 == *stated);
            sound.ok_or_else(|| format!("an alignment of {stated}, which is no power of two from 8 to 65536"))
        }
        Some(_) => Err("an alignment that is no number".into()),
    }
}

/// A tensor's line before it is checked.
struct Entry<'a> {
    name: &'a str,
    /// Innermost axis first.
    axes: Vec<u64>,
    kind: u32,
    offset: u64,
}

impl<'a> Entry<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Entry<'a>, String> {
        let name = reader.text("a tensor's name", MOST_NAME)?;
        let count = reader.u32()? as usize;
        if count > MOST_AXES {
            return Err(format!("the tensor {name} with {count} axes where {MOST_AXES} are the most"));
        }
        let axes = (0..count).map(|_| reader.u64()).collect::<Result<_, _>>()?;
        Ok(Entry { name, axes, kind: reader.u32()?, offset: reader.u64()? })
    }

    /// Its place in a file of `length` bytes whose data begins at `data`.
    fn check(self, path: &Path, data: usize, alignment: usize, length: usize) -> Result<Listed> {
        let fault = |expected: String, found: String| Error::Tensor {
            name: self.name.to_owned(),
            path: path.to_owned(),
            expected,
            found,
        };
        let encoding = encoding(self.kind).ok_or_else(|| {
            let expected = "type F32, F16, BF16, Q8_0, Q4_0, Q4_K or Q6_K; take a file in one of those";
            fault(expected.into(), type_name(self.kind))
        })?;
        let axes = self.axes.iter().rev().map(|&axis| usize::try_from(axis).ok());
        let shape = axes.collect::<Option<Vec<usize>>>();
        let bytes = shape.as_ref().and_then(|shape| bytes(encoding, shape));
        let (Some(shape), Some(bytes)) = (shape, bytes) else {
            let expected =
                format!("axes that are whole blocks of {encoding} and whose size is a number of bytes");
            return Err(fault(expected, format!("{:?}", self.axes)));
        };
        let offset = usize::try_from(self.offset).ok().filter(|offset| offset.is_multiple_of(alignment));
        let Some(offset) = offset else {
            return Err(fault(
                format!("an offset that is a multiple of {alignment}"),
                self.offset.to_string(),
            ));
        };
        let start = data.checked_add(offset);
        let range =
            start.zip(start.and_then(|start| start.checked_add(bytes))).map(|(start, end)| start..end);
        match range.filter(|range| range.end <= length) {
            Some(range) => Ok(Listed { name: self.name.to_owned(), shape, encoding, range }),
            None => {
                let expected = format!("its {bytes} bytes at {offset} of the data");
                Err(fault(
                    expected,
                    format!("the end of the file at {length}; the file is cut short, download it again"),
                ))
            }
        }
    }
}

/// No two tensors share bytes.
fn check_overlaps(path: &Path, tensors: &[Listed]) -> Result<()> {
    let mut order: Vec<&Listed> = tensors.iter().filter(|tensor| !tensor.range.is_empty()).collect();
    order.sort_by_key(|tensor| tensor.range.start);
    let overlap = order.windows(2).find(|pair| pair[1].range.start < pair[0].range.end);
    overlap.map_or(Ok(()), |pair| {
        Err(Error::Tensor {
            name: pair[1].name.clone(),
            path: path.to_owned(),
            expected: format!("bytes of its own behind {}", pair[0].range.end),
            found: format!("its start at {}, inside {}", pair[1].range.start, pair[0].name),
        })
    })
}

/// Bytes of a tensor; `None` where they are no number of bytes or a row is not whole blocks.
fn bytes(encoding: Encoding, shape: &[usize]) -> Option<usize> {
    let count = checked_numel(shape)?;
    match encoding {
        Encoding::Plain(dtype) => count.checked_mul(dtype.size()),
        Encoding::Ggml(ggml) => {
            let whole = shape.last()?.is_multiple_of(ggml.weights());
            (count / ggml.weights()).checked_mul(ggml.bytes()).filter(|_| whole)
        }
        Encoding::Blocks(_) | Encoding::Words(_) => None,
    }
}

/// The types that are read, by the numbers that files use.
fn encoding(number: u32) -> Option<Encoding> {
    Some(match number {
        0 => Encoding::Plain(DType::F32),
        1 => Encoding::Plain(DType::F16),
        2 => Encoding::Ggml(Ggml::Q4_0),
        8 => Encoding::Ggml(Ggml::Q8_0),
        12 => Encoding::Ggml(Ggml::Q4K),
        14 => Encoding::Ggml(Ggml::Q6K),
        30 => Encoding::Plain(DType::Bf16),
        _ => return None,
    })
}

/// What people call a type that is not read.
fn type_name(number: u32) -> String {
    const NAMES: [(u32, &str); 12] = [
        (3, "Q4_1"),
        (6, "Q5_0"),
        (7, "Q5_1"),
        (10, "Q2_K"),
        (11, "Q3_K"),
        (13, "Q5_K"),
        (16, "IQ2_XXS"),
        (18, "IQ3_XXS"),
        (20, "IQ4_NL"),
        (21, "IQ3_S"),
        (23, "IQ4_XS"),
        (39, "MXFP4"),
    ];
    match NAMES.into_iter().find(|(known, _)| *known == number) {
        Some((_, name)) => name.into(),
        None => format!("the unknown type {}", number.cast_signed()),
    }
}
