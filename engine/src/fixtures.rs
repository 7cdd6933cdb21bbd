//! Test data of the repository, for the tests of every module.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;

/// A file or folder under `tests/data`.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(name)
}

/// A file of named tensors under `tests/data`.
pub(crate) struct Tensors {
    bytes: Vec<u8>,
}

impl Tensors {
    pub(crate) fn open(name: &str) -> Tensors {
        Tensors { bytes: std::fs::read(path(name)).unwrap_or_else(|e| panic!("tests/data/{name}: {e}")) }
    }

    pub(crate) fn f32(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        self.values(name, safetensors::Dtype::F32, |b: [u8; 4]| f32::from_le_bytes(b))
    }

    pub(crate) fn i32(&self, name: &str) -> (Vec<usize>, Vec<i32>) {
        self.values(name, safetensors::Dtype::I32, |b: [u8; 4]| i32::from_le_bytes(b))
    }

    pub(crate) fn u8(&self, name: &str) -> (Vec<usize>, Vec<u8>) {
        self.values(name, safetensors::Dtype::U8, |[b]: [u8; 1]| b)
    }

    fn values<T, const N: usize>(
        &self,
        name: &str,
        dtype: safetensors::Dtype,
        read: fn([u8; N]) -> T,
    ) -> (Vec<usize>, Vec<T>) {
        let file = SafeTensors::deserialize(&self.bytes).expect("a safetensors file");
        let tensor = file.tensor(name).unwrap_or_else(|e| panic!("tensor {name}: {e}"));
        assert_eq!(tensor.dtype(), dtype, "type of tensor {name}");
        (tensor.shape().to_vec(), tensor.data().as_chunks().0.iter().map(|&b| read(b)).collect())
    }
}
