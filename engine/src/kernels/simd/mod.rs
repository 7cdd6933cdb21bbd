//! Dot products of weight rows with rows of activations: the inner loop of every matrix product, for each instruction set.
//!
//! One order for all of them: sixteen f32 lanes (lane = index mod 16, blocks of sixteen ascending, fused multiply-add), then
//! lanes i and i+8, +4, +2, +1. AVX-512 and AVX2 give the same bits; without fused steps the last bits may differ. The result
//! for a pair of rows never depends on what else the call computes. Quantised weights have an order of their own ([`int8`]).
//! Not here: what follows a product.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod int8;
pub(crate) mod math;
mod portable;
mod products;
#[cfg(test)]
mod tests;
mod tile;

use std::ops::Range;

use super::bindings::{Matrix, Weight};
use super::isa::{Isa, Set};
use crate::shape::Element;
use tile::{Lanes, Rows, Totals};

pub(crate) use products::with_scratch;

/// Rows of x in the form in which they meet weights.
pub(crate) enum Activations<'a> {
    Plain(Vec<&'a [f32]>),
    /// For quantised weights where speed counts.
    Int8(int8::Rows),
}

impl Isa {
    /// Rows of x `[k]`, for products with weights held as `element`; where these are quantised, in eight bits if `int8`.
    pub(crate) fn activations(self, x: Vec<&[f32]>, element: Element, int8: bool) -> Activations<'_> {
        match element {
            Element::Q8_0 | Element::Q4 if int8 => Activations::Int8(int8::Rows::new(self, &x)),
            _ => Activations::Plain(x),
        }
    }

    /// Gives `sink(c, sums)` for each row `c` of those that `which` names, counted from its start and ascending, where
    /// `sums[r] = Σ weight[r, i] · x[c][i]`. The sink must not call the thread pool.
    pub(crate) fn products(
        self,
        weight: Matrix<'_>,
        x: &Activations<'_>,
        which: Range<usize>,
        sink: impl FnMut(usize, &[f32]),
    ) {
        match (weight, x) {
            (Matrix::Plain(weight), Activations::Plain(x)) => self.plain_products(weight, &x[which], sink),
            (Matrix::Quantised(weight), Activations::Int8(x)) => int8::products(self, weight, x, which, sink),
            (Matrix::Quantised(weight), Activations::Plain(x)) => {
                let mut wide = vec![0.0; weight.rows() * weight.row];
                wide.chunks_mut(weight.row).enumerate().for_each(|(i, row)| weight.read_row(i, row));
                self.plain_products(Weight::F32(&wide), &x[which], sink);
            }
            (Matrix::Plain(_), Activations::Int8(_)) => unreachable!("x was made for weights of this type"),
        }
    }

    /// The products of a tile: one group of weight rows times `count` rows of x, packed.
    #[inline]
    fn multiply(self, rows: &Rows<'_>, x: &[f32], count: usize, lanes: Lanes<'_>, totals: &mut Totals) {
        match self.set() {
            Set::Portable => portable::multiply(rows, x, count, lanes, totals),
            // SAFETY: an `Isa` is only made where the processor has been found to have these instructions.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::multiply(rows, x, count, lanes, totals) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 | Set::Avx512Vnni => unsafe { avx512::multiply(rows, x, count, lanes, totals) },
        }
    }

    /// Packs columns of a tile's rows of x: for each lane block, the rows' sixteen elements one after the other; zeros beyond
    /// the last column.
    fn pack_x(self, x: &[&[f32]], columns: &Range<usize>, packed: &mut [f32]) {
        match self.set() {
            Set::Portable => tile::pack_rows(x, columns, packed),
            // SAFETY: an `Isa` is only made where the processor has been found to have these instructions.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::pack_x(x, columns, packed) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 | Set::Avx512Vnni => unsafe { avx512::pack_x(x, columns, packed) },
        }
    }

    /// Widens some columns of weights `[rows, k]` to f32: for each group of rows, for each lane block, the rows' sixteen
    /// elements one after the other; zeros beyond the last column.
    fn pack(self, weight: Weight<'_>, k: usize, columns: Range<usize>, panel: &mut [f32]) {
        match self.set() {
            Set::Portable => portable::pack(weight, k, columns, panel),
            // SAFETY: an `Isa` is only made where the processor has been found to have these instructions.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::pack(weight, k, columns, panel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 | Set::Avx512Vnni => unsafe { avx512::pack(weight, k, columns, panel) },
        }
    }

    /// Replaces each value by `f` of it; with the functions of [`math`], a vector at a time.
    pub(crate) fn map(self, values: &mut [f32], f: impl Fn(f32) -> f32) {
        match self.set() {
            Set::Portable => portable::map(values, f),
            // SAFETY: an `Isa` is only made where the processor has been found to have these instructions.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::map(values, f) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 | Set::Avx512Vnni => unsafe { avx512::map(values, f) },
        }
    }
}
