//! A folder of golden tensors, and what our own come to beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use super::Case;
use crate::error::{Error, Result};
use crate::files;

/// Largest deviation that passes, as a share of the golden tensor's largest value.
const TOLERANCE: f64 = 1e-3;

/// Largest deviation of a position, which is exact up to the rounding of one product.
const POSITION_TOLERANCE: f64 = 1e-6;

/// A tensor of ours or of the folder's.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Golden {
    pub(super) shape: Vec<usize>,
    pub(super) values: Values,
}

/// Elements of a golden tensor.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    F32(Vec<f32>),
    I32(Vec<i32>),
    U8(Vec<u8>),
}

/// The folder, and the comparison so far.
pub(super) struct Goldens {
    folder: PathBuf,
    /// The list of what the folder holds and how it was made.
    pub(super) manifest: Value,
    files: BTreeMap<String, BTreeMap<String, Golden>>,
    ours: BTreeMap<String, BTreeMap<String, Golden>>,
    seen: BTreeSet<(String, String)>,
    cases: Vec<Case>,
}

impl Goldens {
    /// Opens every file of the folder.
    ///
    /// # Errors
    /// `Error::Io` and `Error::Checkpoint` name the file that is missing or damaged.
    pub(super) fn open(folder: &Path) -> Result<Goldens> {
        let manifest = files::read_json(&folder.join("manifest.json"))?;
        let mut all = BTreeMap::new();
        let names = manifest["files"].as_object().map(|files| files.keys().cloned().collect::<Vec<_>>());
        for name in names.unwrap_or_default() {
            let path = folder.join(&name);
            let bytes = files::read(&path)?;
            let damaged = |reason: String| Error::Checkpoint { path: path.clone(), reason };
            let tensors =
                SafeTensors::deserialize(&bytes).map_err(|e| damaged(format!("no safetensors file: {e}")))?;
            let mut file = BTreeMap::new();
            for (key, tensor) in tensors.iter() {
                let data = tensor.data();
                let values = match tensor.dtype() {
                    Dtype::F32 => Values::F32(words(data, f32::from_le_bytes)),
                    Dtype::I32 => Values::I32(words(data, i32::from_le_bytes)),
                    Dtype::U8 => Values::U8(data.to_vec()),
                    other => return Err(damaged(format!("{key} is {other:?}, expected F32, I32 or U8"))),
                };
                file.insert(key.to_owned(), Golden { shape: tensor.shape().to_vec(), values });
            }
            all.insert(name.trim_end_matches(".safetensors").to_owned(), file);
        }
        Ok(Goldens {
            folder: folder.to_owned(),
            manifest,
            files: all,
            ours: BTreeMap::new(),
            seen: BTreeSet::new(),
            cases: Vec::new(),
        })
    }

    /// The folder once more, with nothing compared.
    pub(super) fn reopened(&self) -> Result<Goldens> {
        Goldens::open(&self.folder)
    }

    /// Path of a file of the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Whether the folder has this tensor.
    pub(super) fn has(&self, file: &str, key: &str) -> bool {
        self.files.get(file).is_some_and(|f| f.contains_key(key))
    }

    /// A golden tensor that serves as input, or is compared by hand.
    pub(super) fn take(&mut self, file: &str, key: &str) -> Result<Golden> {
        self.seen.insert((file.into(), key.into()));
        self.files.get(file).and_then(|f| f.get(key)).cloned().ok_or_else(|| Error::Checkpoint {
            path: self.folder.join(format!("{file}.safetensors")),
            reason: format!("the golden tensor {key} is missing"),
        })
    }

    /// f32 elements of a golden input.
    pub(super) fn f32(&mut self, file: &str, key: &str) -> Result<Vec<f32>> {
        match self.take(file, key)?.values {
            Values::F32(values) => Ok(values),
            other => Err(self.wrong_type(file, key, &other)),
        }
    }

    /// i32 elements of a golden input.
    pub(super) fn i32(&mut self, file: &str, key: &str) -> Result<Vec<i32>> {
        match self.take(file, key)?.values {
            Values::I32(values) => Ok(values),
            other => Err(self.wrong_type(file, key, &other)),
        }
    }

    fn wrong_type(&self, file: &str, key: &str, found: &Values) -> Error {
        let found = match found {
            Values::F32(_) => "f32",
            Values::I32(_) => "i32",
            Values::U8(_) => "u8",
        };
        let reason = format!("the golden tensor {key} is of another type than expected: {found}");
        Error::Checkpoint { path: self.folder.join(format!("{file}.safetensors")), reason }
    }

    /// Compares f32 values, if the folder has such a tensor.
    pub(super) fn check_f32(&mut self, file: &str, key: &str, shape: &[usize], values: Vec<f32>) {
        self.compare(file, key, Golden { shape: shape.to_vec(), values: Values::F32(values) }, TOLERANCE);
    }

    /// Compares positions, if the folder has such a tensor.
    pub(super) fn check_positions(&mut self, file: &str, key: &str, shape: &[usize], values: Vec<f32>) {
        self.compare(
            file,
            key,
            Golden { shape: shape.to_vec(), values: Values::F32(values) },
            POSITION_TOLERANCE,
        );
    }

    /// Compares ids, codes or counts, if the folder has such a tensor.
    pub(super) fn check_i32(&mut self, file: &str, key: &str, shape: &[usize], values: Vec<i32>) {
        self.compare(file, key, Golden { shape: shape.to_vec(), values: Values::I32(values) }, 0.0);
    }

    /// Compares bytes, if the folder has such a tensor.
    pub(super) fn check_u8(&mut self, file: &str, key: &str, shape: &[usize], values: Vec<u8>) {
        self.compare(file, key, Golden { shape: shape.to_vec(), values: Values::U8(values) }, 0.0);
    }

    /// Compares texts or ids that the manifest holds.
    pub(super) fn check_equal<T: PartialEq + std::fmt::Debug>(&mut self, name: &str, ours: &T, golden: &T) {
        let same = ours == golden;
        self.cases.push(Case {
            exact: Some((usize::from(same), 1)),
            failure: (!same).then(|| format!("ours {ours:?}, golden {golden:?}")),
            ..Case::named(name.into())
        });
    }

    fn compare(&mut self, file: &str, key: &str, ours: Golden, tolerance: f64) {
        let golden = self.files.get(file).and_then(|f| f.get(key)).cloned();
        let Some(golden) = golden else { return };
        self.ours.entry(file.into()).or_default().insert(key.into(), ours.clone());
        self.seen.insert((file.into(), key.into()));
        let mut case = Case::named(format!("{file} {key}"));
        if ours.shape != golden.shape {
            case.failure = Some(format!("shape {:?}, expected {:?}", ours.shape, golden.shape));
        } else {
            match (&ours.values, &golden.values) {
                (Values::F32(ours), Values::F32(golden)) => deviation(&mut case, ours, golden, tolerance),
                (Values::I32(ours), Values::I32(golden)) => matches(&mut case, ours, golden),
                (Values::U8(ours), Values::U8(golden)) => matches(&mut case, ours, golden),
                _ => case.failure = Some("another element type".into()),
            }
        }
        self.cases.push(case);
    }

    /// Adds a comparison that was made by hand.
    pub(super) fn push(&mut self, case: Case) {
        self.cases.push(case);
    }

    /// Lists what nothing has been compared with yet as skipped.
    pub(super) fn skip_others(&mut self, reason: &str) {
        for (file, key) in self.unseen() {
            let name = format!("{file} {key}");
            self.cases.push(Case { skipped: Some(reason.into()), ..Case::named(name) });
            self.seen.insert((file, key));
        }
    }

    /// Golden tensors that nothing was compared with, but for a reference's own noise and what follows from others.
    fn unseen(&self) -> Vec<(String, String)> {
        let derived = |key: &str| key == "bf16_logits_last" || key.ends_with("margin");
        let all = self.files.iter().flat_map(|(file, tensors)| tensors.keys().map(move |key| (file, key)));
        all.map(|(file, key)| (file.clone(), key.clone()))
            .filter(|name| !derived(&name.1) && !self.seen.contains(name))
            .collect()
    }

    /// Ends the comparison. A golden tensor that nothing was compared with is a failure.
    pub(super) fn finish(mut self, dump: Option<&Path>) -> Result<Vec<Case>> {
        for (file, key) in self.unseen() {
            let failure = Some("nothing of ours was compared with it".into());
            self.cases.push(Case { failure, ..Case::named(format!("{file} {key}")) });
        }
        if let Some(folder) = dump {
            for (file, tensors) in &self.ours {
                write(&folder.join(format!("{file}.safetensors")), tensors)?;
            }
        }
        Ok(self.cases)
    }
}

fn words<T>(bytes: &[u8], read: impl Fn([u8; 4]) -> T) -> Vec<T> {
    bytes.as_chunks::<4>().0.iter().map(|&word| read(word)).collect()
}

fn deviation(case: &mut Case, ours: &[f32], golden: &[f32], tolerance: f64) {
    let (mut worst, mut largest, mut dot, mut a2, mut b2) = (0f64, 0f64, 0f64, 0f64, 0f64);
    for (&a, &b) in ours.iter().zip(golden) {
        let (a, b) = (f64::from(a), f64::from(b));
        worst = if (a - b).is_nan() { f64::NAN } else { worst.max((a - b).abs()) };
        if worst.is_nan() {
            break;
        }
        largest = largest.max(b.abs());
        dot += a * b;
        a2 += a * a;
        b2 += b * b;
    }
    let relative = if worst == 0.0 { 0.0 } else { worst / largest };
    case.worst_relative_error = Some(relative);
    case.cosine = (a2 > 0.0 && b2 > 0.0).then(|| dot / (a2 * b2).sqrt());
    if relative.is_nan() || relative > tolerance {
        case.failure =
            Some(format!("deviates by {relative:.2e} of the largest value, allowed {tolerance:.0e}"));
    }
}

fn matches<T: PartialEq + std::fmt::Debug>(case: &mut Case, ours: &[T], golden: &[T]) {
    let same = ours.iter().zip(golden).filter(|(a, b)| a == b).count();
    case.exact = Some((same, golden.len()));
    if let Some(at) = ours.iter().zip(golden).position(|(a, b)| a != b) {
        case.failure = Some(format!("at {at}: {:?}, expected {:?}", ours[at], golden[at]));
    }
}

fn write(path: &Path, tensors: &BTreeMap<String, Golden>) -> Result<()> {
    let owned: Vec<(&String, Dtype, &[usize], Vec<u8>)> = tensors
        .iter()
        .map(|(key, tensor)| {
            let (dtype, bytes) = match &tensor.values {
                Values::F32(v) => (Dtype::F32, bytemuck::cast_slice(v).to_vec()),
                Values::I32(v) => (Dtype::I32, bytemuck::cast_slice(v).to_vec()),
                Values::U8(v) => (Dtype::U8, v.clone()),
            };
            (key, dtype, &tensor.shape[..], bytes)
        })
        .collect();
    let damaged =
        |e: safetensors::SafeTensorError| Error::Checkpoint { path: path.to_owned(), reason: e.to_string() };
    let mut views = Vec::new();
    for (key, dtype, shape, bytes) in &owned {
        let view = safetensors::tensor::TensorView::new(*dtype, shape.to_vec(), bytes).map_err(damaged)?;
        views.push((key.as_str(), view));
    }
    let bytes = safetensors::serialize(views, None).map_err(damaged)?;
    files::write(path, &bytes).map_err(|source| files::io_error(path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Case {
        Case::named("a b".into())
    }

    #[test]
    fn a_deviation_beyond_the_tolerance_or_nan_fails() {
        for (ours, passes) in
            [([1.0, 2.0], true), ([1.0, 2.001], true), ([1.0, 2.003], false), ([1.0, f32::NAN], false)]
        {
            let mut case = case();
            deviation(&mut case, &ours, &[1.0, 2.0], TOLERANCE);
            assert_eq!(case.failure.is_none(), passes, "{ours:?}");
        }
    }

    #[test]
    fn one_other_id_fails_and_says_where() {
        let mut case = case();
        matches(&mut case, &[1, 2, 3], &[1, 5, 3]);
        assert_eq!(case.exact, Some((2, 3)));
        assert_eq!(case.failure.as_deref(), Some("at 1: 2, expected 5"));
    }
}
