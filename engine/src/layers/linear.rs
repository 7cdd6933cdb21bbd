//! Matrix products with what often follows them.

use crate::error::Result;
use crate::kernels::linear::{self, Activation, Epilogue};
use crate::recording::{Buffer, Recording};
use crate::weights::Loader;

/// `x · Wᵀ (+ bias)`.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    /// `[out, in]`
    pub(crate) weight: Buffer,
    /// `[out]`
    pub(crate) bias: Option<Buffer>,
}

impl Linear {
    /// `{name}.weight` `[out, in]` without a bias.
    pub(crate) fn load(loader: &mut Loader<'_>, name: &str, [out, input]: [usize; 2]) -> Result<Linear> {
        Ok(Linear { weight: loader.at(name).matrix("weight", [out, input])?, bias: None })
    }

    /// `{name}.weight` `[out, in]` and `{name}.bias` `[out]`.
    pub(crate) fn load_biased(loader: &mut Loader<'_>, name: &str, shape: [usize; 2]) -> Result<Linear> {
        let bias = loader.at(name).vector("bias", shape[0])?;
        Ok(Linear { bias: Some(bias), ..Linear::load(loader, name, shape)? })
    }

    /// `x` `[rows, in]` → `[rows, out]`.
    pub(crate) fn record(&self, rec: &mut Recording, x: Buffer) -> Result<Buffer> {
        self.record_with(rec, x, Epilogue::default())
    }

    /// The same, then an activation.
    pub(crate) fn record_activated(
        &self,
        rec: &mut Recording,
        x: Buffer,
        activation: Activation,
    ) -> Result<Buffer> {
        self.record_with(rec, x, Epilogue { activation, ..Epilogue::default() })
    }

    /// The same, added to `residual` `[rows, out]`.
    pub(crate) fn record_onto(&self, rec: &mut Recording, x: Buffer, residual: Buffer) -> Result<Buffer> {
        self.record_with(rec, x, Epilogue { residual: Some(residual), ..Epilogue::default() })
    }

    /// The same with the whole epilogue; its bias is this layer's.
    pub(crate) fn record_with(&self, rec: &mut Recording, x: Buffer, epilogue: Epilogue) -> Result<Buffer> {
        linear::record(rec, x, self.weight, Epilogue { bias: self.bias, ..epilogue })
    }
}
