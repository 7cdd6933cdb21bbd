//! The tensors of a checkpoint as numbers, and checkpoints made of such.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::quant::Quant;

/// A tensor.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Values {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

/// A tensor as a file has it.
pub(super) struct Raw {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) bytes: Vec<u8>,
}

impl Raw {
    pub(super) fn words(shape: [usize; 2], words: &[u32]) -> Raw {
        Raw { dtype: Dtype::I32, shape: shape.to_vec(), bytes: bytemuck::cast_slice(words).to_vec() }
    }

    pub(super) fn f32(values: &Values) -> Raw {
        let bytes = bytemuck::cast_slice(&values.values).to_vec();
        Raw { dtype: Dtype::F32, shape: values.shape.clone(), bytes }
    }
}

fn widen(dtype: Dtype, bytes: &[u8]) -> Vec<f32> {
    let halves = || bytes.as_chunks::<2>().0.iter();
    match dtype {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        Dtype::BF16 => halves().map(|&b| bf16::from_le_bytes(b).to_f32()).collect(),
        Dtype::F16 => halves().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
        other => panic!("{other:?}"),
    }
}

fn shards(folder: &Path) -> impl Iterator<Item = Vec<u8>> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|ending| ending == "safetensors"));
    paths.map(|path| fs::read(path).unwrap())
}

/// The tensors of a published checkpoint.
pub(super) fn published(folder: &Path) -> BTreeMap<String, Values> {
    let mut all = BTreeMap::new();
    for file in shards(folder) {
        for (name, view) in SafeTensors::deserialize(&file).unwrap().tensors() {
            let values = Values { shape: view.shape().to_vec(), values: widen(view.dtype(), view.data()) };
            all.insert(name, values);
        }
    }
    all
}

/// Each tensor of an imported checkpoint: what it is held as, and its numbers. Experts are one tensor there.
pub(super) fn imported(folder: &Path) -> BTreeMap<String, (String, Vec<f32>)> {
    let mut all = BTreeMap::new();
    for file in shards(folder) {
        let (_, header) = SafeTensors::read_metadata(&file).unwrap();
        let words = header.metadata().clone().unwrap();
        for (name, view) in SafeTensors::deserialize(&file).unwrap().tensors() {
            if name.starts_with("colloquy.padding") {
                continue;
            }
            let Some(stated) = words.get(&name) else {
                all.insert(name, (format!("{:?}", view.dtype()), widen(view.dtype(), view.data())));
                continue;
            };
            let (quant, axes) = stated.split_once(' ').unwrap();
            let axes: Vec<usize> = axes.split(',').map(|axis| axis.parse().unwrap()).collect();
            let (count, rows, row) = match axes[..] {
                [count, rows, row] => (count, rows, row),
                [rows, row] => (1, rows, row),
                _ => panic!("{stated}"),
            };
            let block = Quant::from_name(quant).unwrap();
            let mut values = vec![0.0; count * rows * row];
            let parts = view.data().chunks(block.bytes(rows, row));
            for (part, values) in parts.zip(values.chunks_mut(rows * row)) {
                let (quants, scales) = part.split_at(block.quants(rows, row));
                let scales: Vec<u16> =
                    scales.as_chunks().0.iter().map(|&bytes| u16::from_le_bytes(bytes)).collect();
                let rows = quants.chunks(quants.len() / rows).zip(scales.chunks(scales.len() / rows));
                rows.zip(values.chunks_mut(row)).for_each(|((q, s), values)| block.decode(q, s, values));
            }
            all.insert(name, (quant.to_owned(), values));
        }
    }
    all
}

/// The numbers of `name` as an imported checkpoint has them, out of published ones.
pub(super) fn joined(all: &BTreeMap<String, Values>, name: &str) -> Vec<f32> {
    match name.split_once(".experts.") {
        Some((scope, rest)) => (0..)
            .map_while(|i| all.get(&format!("{scope}.experts.{i}.{rest}")))
            .flat_map(|tensor| tensor.values.clone())
            .collect(),
        None => all[name].values.clone(),
    }
}

/// Writes a checkpoint with the small files of `source`.
pub(super) fn write(folder: &Path, source: &Path, tensors: &BTreeMap<String, Raw>) {
    small_files(folder, source);
    let views = tensors
        .iter()
        .map(|(name, raw)| (name, TensorView::new(raw.dtype, raw.shape.clone(), &raw.bytes).unwrap()));
    let bytes = safetensors::serialize(views, None).unwrap();
    fs::write(folder.join("model.safetensors"), bytes).unwrap();
}

/// Copies what is no weights.
pub(super) fn small_files(folder: &Path, source: &Path) {
    fs::create_dir_all(folder).unwrap();
    for path in fs::read_dir(source).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_file() && !name.contains("safetensors") {
            fs::copy(&path, folder.join(name)).unwrap();
        }
    }
}
