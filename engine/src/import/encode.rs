//! A tensor as it is held, piece by piece, and how far that is from what it was.

use rayon::prelude::*;

use super::figures::Sums;
use super::output::Send;
use super::recode;
use crate::error::Result;
use crate::quant::{BLOCK, Quant};
use crate::shape::{Element, OwnedBytes};
use crate::weights::{DType, Planned, Weights, converted};

/// Bytes of the source that are taken at a time.
pub(super) const PIECE: usize = 8 << 20;

/// Bytes of the source that the system reads ahead.
const AHEAD: usize = 4 * PIECE;

/// Gives `send` the bytes of `planned`.
///
/// # Errors
/// Those of `send`; `Error::Tensor` for what another program's code holds and the engine's blocks do not.
pub(super) fn encode(planned: &Planned, send: Send<'_>) -> Result<Sums> {
    let tensor = match &planned.weights {
        Weights::Plain(tensor) => tensor,
        Weights::Coded(coded) => return recode::encode(coded, planned.element, send),
    };
    let row = planned.row();
    let in_row = row * tensor.dtype.size();
    // Whole rows, at least one.
    let step = (PIECE / in_row.max(1)).max(1) * in_row.max(1);
    let mut sums = Sums::default();
    for (i, part) in tensor.parts().enumerate() {
        let mut scales = Vec::new();
        for start in (0..part.len()).step_by(step) {
            let end = part.len().min(start + step);
            tensor.prepare(i, end..end + AHEAD);
            if end == part.len() {
                tensor.prepare(i + 1, 0..AHEAD);
            }
            let piece = &part[start..end];
            match planned.element.quant() {
                Some(quant) => {
                    let rows = piece.len() / in_row;
                    let read = |i: usize, values: &mut [f32]| tensor.dtype.widen(piece, i * row, values);
                    let (held, sum) = blocks(quant, rows, row, read);
                    let (quants, of_scales) =
                        held.as_ref().split_at(quant.quants(end.abs_diff(start) / in_row, row));
                    send(quants.to_vec())?;
                    scales.extend_from_slice(of_scales);
                    sums.merge(&sum);
                }
                None => {
                    let (held, sum) = plain(tensor.dtype, planned.element, piece);
                    send(held)?;
                    sums.merge(&sum);
                }
            }
            tensor.forget(i, start..end);
        }
        if !scales.is_empty() {
            send(scales)?;
        }
    }
    Ok(sums)
}

/// Rows in blocks. `read(i, values)` gives row `i`.
pub(super) fn blocks(
    quant: Quant,
    rows: usize,
    row: usize,
    read: impl Fn(usize, &mut [f32]) + Sync,
) -> (OwnedBytes, Sums) {
    let mut held = OwnedBytes::zeros(quant.bytes(rows, row));
    quant.encode(row, held.as_mut(), &read);
    let sums = sums(quant, held.as_ref(), rows, row, read);
    (held, sums)
}

/// How far rows in blocks are from what they were.
pub(super) fn sums(
    quant: Quant,
    held: &[u8],
    rows: usize,
    row: usize,
    read: impl Fn(usize, &mut [f32]) + Sync,
) -> Sums {
    let (quants, scales) = held.split_at(quant.quants(rows, row));
    let blocks = row.div_ceil(BLOCK);
    let scales: &[u16] = bytemuck::cast_slice(scales);
    let rows = quants
        .par_chunks_exact(blocks * quant.quant_bytes())
        .zip(scales.par_chunks_exact(blocks * quant.scales()));
    let sums = rows.enumerate().map_init(
        || (vec![0.0; row], vec![0.0; row]),
        |(was, is), (i, (quants, scales))| {
            read(i, was);
            quant.decode(quants, scales, is);
            Sums::of(was, is)
        },
    );
    sums.reduce(Sums::default, Sums::merged)
}

/// Elements one by one: their own bytes, where they stay what they are.
pub(super) fn plain(dtype: DType, element: Element, piece: &[u8]) -> (Vec<u8>, Sums) {
    let count = piece.len() / dtype.size();
    let to = match element {
        Element::Bf16 => DType::Bf16,
        Element::F16 => DType::F16,
        _ => DType::F32,
    };
    if to == dtype {
        return (piece.to_vec(), Sums::exact(count));
    }
    let held = converted(dtype, piece, to);
    let (mut was, mut is) = (vec![0.0; count], vec![0.0; count]);
    dtype.widen(piece, 0, &mut was);
    to.widen(held.as_ref(), 0, &mut is);
    let sums = was.par_chunks(1 << 12).zip(is.par_chunks(1 << 12)).map(|(was, is)| Sums::of(was, is));
    let sums = sums.reduce(Sums::default, Sums::merged);
    (held.as_ref().to_vec(), sums)
}
