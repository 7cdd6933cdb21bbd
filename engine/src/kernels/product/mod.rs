//! Products with weight matrices on a graphics processor: which shader suits how many rows.

use super::projections::Matrix;
use super::rms_norm::Norm;
use crate::error::{Error, Result};
use crate::recording::Buffer;
use crate::shader::Lowering;

/// Lowers [`super::projections`].
pub(super) fn projections(
    _x: Buffer,
    _norm: Option<Norm>,
    _matrices: &[Matrix],
    _outputs: &[Buffer],
    _low: &mut Lowering<'_>,
) -> Result<()> {
    Err(Error::Shape { kernel: "projections", reason: "has no shader yet".into() })
}

/// Lowers [`super::gate_up`].
pub(super) fn gate_up(
    _x: Buffer,
    _norm: Option<Norm>,
    _gate: Buffer,
    _up: Buffer,
    _out: Buffer,
    _low: &mut Lowering<'_>,
) -> Result<()> {
    Err(Error::Shape { kernel: "gate_up", reason: "has no shader yet".into() })
}
