//! Dot products of weight rows with rows of activations: the inner loop of every matrix product, for each instruction set.
//!
//! One order for all of them: sixteen f32 lanes (lane = index mod 16, blocks of sixteen ascending, fused multiply-add), then
//! lanes i and i+8, +4, +2, +1. AVX-512 and AVX2 give the same bits; without fused steps the last bits may differ. The result
//! for a pair of rows never depends on what else the call computes. Not here: threads, and what follows a product.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod math;
mod portable;
mod products;
#[cfg(test)]
mod tests;
mod tile;

use std::ops::Range;

use super::bindings::Weight;
use super::isa::{Isa, Set};
use tile::{Lanes, Rows, Totals};

pub(crate) use products::with_scratch;

impl Isa {
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
            Set::Avx512 => unsafe { avx512::multiply(rows, x, count, lanes, totals) },
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
            Set::Avx512 => unsafe { avx512::pack_x(x, columns, packed) },
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
            Set::Avx512 => unsafe { avx512::pack(weight, k, columns, panel) },
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
            Set::Avx512 => unsafe { avx512::map(values, f) },
        }
    }
}
