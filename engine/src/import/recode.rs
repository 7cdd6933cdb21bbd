//! Weights that another program has quantised: in the engine's blocks as they are where those hold the same weights, else decoded
//! and encoded anew.

use rayon::prelude::*;

use super::encode::{PIECE, blocks, plain, sums};
use super::figures::Sums;
use super::output::Send;
use crate::error::Result;
use crate::quant::{BLOCK, Quant};
use crate::shape::{Element, OwnedBytes};
use crate::weights::{Code, Coded, DType};

/// Gives `send` the bytes of `coded` as `element`.
///
/// # Errors
/// Those of `send`; `Error::Tensor` for weights that the engine's blocks do not hold.
pub(super) fn encode(coded: &Coded, element: Element, send: Send<'_>) -> Result<Sums> {
    let [row, count] = coded.rows();
    let step = (PIECE / (row * size_of::<f32>()).max(1)).max(1);
    let mut all = Sums::default();
    for part in coded.parts() {
        let mut scales = Vec::new();
        for start in (0..count).step_by(step) {
            let these = start..count.min(start + step);
            let rows = these.len();
            let read = |i: usize, values: &mut [f32]| part.decode(start + i, values);
            let sum = match element.quant() {
                Some(quant) => {
                    let (held, sum) = if part.keeps(quant) {
                        let held = repacked(coded, part, quant, start, rows)?;
                        let sum = sums(quant, held.as_ref(), rows, row, read);
                        (held, sum)
                    } else {
                        blocks(quant, rows, row, read)
                    };
                    let (quants, of_scales) = held.as_ref().split_at(quant.quants(rows, row));
                    send(quants.to_vec())?;
                    scales.extend_from_slice(of_scales);
                    sum
                }
                None => {
                    let mut values = vec![0.0_f32; rows * row];
                    values.par_chunks_exact_mut(row).enumerate().for_each(|(i, values)| read(i, values));
                    let (held, sum) = plain(DType::F32, element, bytemuck::cast_slice(&values));
                    send(held)?;
                    sum
                }
            };
            all.merge(&sum);
            part.forget(these, row, count);
        }
        if !scales.is_empty() {
            send(scales)?;
        }
    }
    Ok(all)
}

/// Rows in blocks that hold the same weights.
fn repacked(coded: &Coded, part: &Code, quant: Quant, start: usize, rows: usize) -> Result<OwnedBytes> {
    let [row, _] = coded.rows();
    let mut held = OwnedBytes::zeros(quant.bytes(rows, row));
    let (quants, scales) = held.as_mut().split_at_mut(quant.quants(rows, row));
    let in_row = row.div_ceil(BLOCK);
    let of_scales = in_row * quant.scales() * size_of::<half::f16>();
    quants
        .par_chunks_exact_mut(in_row * quant.quant_bytes())
        .zip(scales.par_chunks_exact_mut(of_scales))
        .enumerate()
        .try_for_each(|(i, (quants, scales))| part.repack(start + i, row, quants, scales))
        .map_err(|found| coded.fault(found))?;
    Ok(held)
}
