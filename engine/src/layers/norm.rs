//! Normalisation over a row, with weights.

use crate::error::Result;
use crate::kernels::rms_norm::Norm;
use crate::kernels::{layer_norm, rms_norm};
use crate::recording::{Buffer, Recording};
use crate::weights::Loader;

/// `x / rms(x) · weight`.
#[derive(Clone, Debug)]
pub(crate) struct RmsNorm {
    weight: Buffer,
    eps: f32,
}

impl RmsNorm {
    /// `{name}.weight` `[width]`.
    pub(crate) fn load(loader: &mut Loader<'_>, name: &str, width: usize, eps: f32) -> Result<RmsNorm> {
        Ok(RmsNorm { weight: loader.at(name).vector("weight", width)?, eps })
    }

    /// For a kernel that begins with the norm.
    pub(crate) fn fused(&self) -> Norm {
        Norm { weight: self.weight, eps: self.eps }
    }

    /// Each row of `x` `[rows, width]`.
    pub(crate) fn record(&self, rec: &mut Recording, x: Buffer) -> Result<Buffer> {
        rms_norm::record(rec, x, self.weight, self.eps)
    }
}

/// `(x - mean) / deviation · weight + bias`.
#[derive(Clone, Debug)]
pub(crate) struct LayerNorm {
    weight: Buffer,
    bias: Buffer,
    eps: f32,
}

impl LayerNorm {
    /// `{name}.weight` and `{name}.bias` `[width]`.
    pub(crate) fn load(loader: &mut Loader<'_>, name: &str, width: usize, eps: f32) -> Result<LayerNorm> {
        let mut loader = loader.at(name);
        Ok(LayerNorm { weight: loader.vector("weight", width)?, bias: loader.vector("bias", width)?, eps })
    }

    /// Each row of `x` `[rows, width]`.
    pub(crate) fn record(&self, rec: &mut Recording, x: Buffer) -> Result<Buffer> {
        layer_norm::record(rec, x, self.weight, self.bias, self.eps)
    }
}
