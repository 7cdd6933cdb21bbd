//! Products with quantised weights. Rows of x are quantised too, to eight bits, and whole numbers multiplied.
//!
//! A row of x is cut into the blocks of the weights. A block's scale is `s = max |x| / 127` in f32 and its numbers are
//! `x · (127 / max |x|)`, rounded with ties to even: an error of at most `max |x| / 254` for each x, about 0.5 % of the usual
//! size of x. A block with what is no finite number has a scale that is none either, so that the products show it.
//!
//! Sums of products of whole numbers are exact. Lane `8 · (block mod 2) + i / 4` of sixteen takes weight i of a block of Q8_0,
//! lane `4 · (block mod 4) + (i mod 16) / 4` one of Q4; `d · s` times the lanes' sums is added to them block by block, fused.
//! For Q4, `m` times s times the sum of a block's x is added to lane `block mod 16` before all that. Then the lanes are summed as
//! in [`super`]. So AVX-512 and AVX2 give the same bits, and a pair of rows the same in any company.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;
#[cfg(test)]
mod tests;

use std::array::from_fn;
use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::products::with_scratch;
use super::tile::{ROWS, Totals, spread, tiles};
use crate::kernels::bindings::Blocks;
use crate::kernels::isa::{Isa, Set};
use crate::kernels::threads::piece_of;
use crate::quant::{BLOCK, Quant};

/// Most rows of x of a tile.
const MOST_X: usize = 4;

/// Blocks that rows of x are filled up to, so that no step reads beyond them.
const STEP: usize = 16;

/// Bytes of x that stay in a core's cache while weights pass by.
const KEPT: usize = 1 << 16;

/// Largest of a block below which all its numbers are taken for zero: the inverse of its scale would not be finite.
const TINY: f32 = 1e-30;

/// Adding this to a number below 2^22 rounds it to a whole number, which then stands in the lowest bits.
const ROUNDER: f32 = 12_582_912.0;

/// Rows of x as whole numbers.
pub(crate) struct Rows {
    /// Blocks of a row, with those that fill it up.
    blocks: usize,
    quants: Vec<i8>,
    scales: Vec<f32>,
    /// For each block, its scale times the sum of its numbers.
    sums: Vec<f32>,
}

/// One row.
#[derive(Clone, Copy)]
struct Row<'a> {
    quants: &'a [i8],
    scales: &'a [f32],
    sums: &'a [f32],
}

impl Rows {
    /// Quantises rows of one length, on the threads of the pool.
    pub(super) fn new(isa: Isa, x: &[&[f32]]) -> Rows {
        let k = x.first().map_or(0, |row| row.len());
        let blocks = k.div_ceil(BLOCK).next_multiple_of(STEP);
        let all = x.len() * blocks;
        let mut rows =
            Rows { blocks, quants: vec![0; all * BLOCK], scales: vec![0.0; all], sums: vec![0.0; all] };
        let quants = rows.quants.par_chunks_mut((blocks * BLOCK).max(1));
        let scales = rows.scales.par_chunks_mut(blocks.max(1)).zip(rows.sums.par_chunks_mut(blocks.max(1)));
        x.par_iter().zip(quants.zip(scales)).with_min_len(piece_of(x.len(), k / 4)).for_each(
            |(x, (quants, (scales, sums)))| {
                isa.quantise(x, quants, scales, sums);
            },
        );
        rows
    }

    fn row(&self, i: usize) -> Row<'_> {
        let blocks = i * self.blocks..(i + 1) * self.blocks;
        Row {
            quants: &self.quants[blocks.start * BLOCK..blocks.end * BLOCK],
            scales: &self.scales[blocks.clone()],
            sums: &self.sums[blocks],
        }
    }
}

/// Quantises one row; inlined into each instruction set's own function.
#[inline(always)]
fn quantise(x: &[f32], quants: &mut [i8], scales: &mut [f32], sums: &mut [f32]) {
    let blocks = x.chunks(BLOCK).zip(quants.chunks_exact_mut(BLOCK));
    for ((x, quants), (scale, total)) in blocks.zip(scales.iter_mut().zip(sums)) {
        // As bits, infinity is above all numbers and what is no number above that.
        let largest = f32::from_bits(x.iter().fold(0, |most, v| most.max(v.to_bits() & 0x7fff_ffff)));
        let inverse = if largest > TINY { 127.0 / largest } else { 0.0 };
        let mut sum = 0;
        for (q, v) in quants.iter_mut().zip(x) {
            *q = (v * inverse + ROUNDER).to_bits() as i8;
            sum += i32::from(*q);
        }
        *scale = largest / 127.0;
        *total = *scale * sum as f32;
    }
}

/// Some weight rows.
struct Group<'a> {
    quant: Quant,
    /// Rows beyond the last repeat it; their sums are dropped.
    quants: [&'a [u8]; ROWS],
    scales: [&'a [u16]; ROWS],
    /// Bytes from a row's quants in use to those to fetch from memory; none where the rows will not be read through.
    ahead: Option<usize>,
}

impl<'a> Group<'a> {
    fn new(weight: Blocks<'a>, first: usize, ahead: Option<usize>) -> Group<'a> {
        let last = weight.rows() - 1;
        let rows: [Blocks<'a>; ROWS] = from_fn(|r| weight.slice_rows((first + r).min(last), 1));
        Group { quant: weight.quant, quants: rows.map(|r| r.quants), scales: rows.map(|r| r.scales), ahead }
    }
}

thread_local! {
    /// Sums of one call of `products`.
    static SUMS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Gives `sink(c, sums)` for each row `c` of `x`, counted from the first, where `sums[r]` is its product with row r of `weight`.
pub(super) fn products(
    isa: Isa,
    weight: Blocks<'_>,
    x: &Rows,
    which: Range<usize>,
    mut sink: impl FnMut(usize, &[f32]),
) {
    let (rows, count) = (weight.rows(), which.len());
    let mut totals = Totals::default();
    // The next group of rows, whose quants follow.
    let ahead = ROWS * weight.per_row() * weight.quant.quant_bytes();
    let at_once = (KEPT / (x.blocks * BLOCK).max(1)).max(MOST_X);
    with_scratch(&SUMS, count * rows, |sums| {
        for from in (0..count).step_by(at_once) {
            let some = from..count.min(from + at_once);
            for first in (0..rows).step_by(ROWS) {
                for (i, tile) in tiles(some.len(), MOST_X).enumerate() {
                    let group = Group::new(weight, first, (i == 0 && from == 0).then_some(ahead));
                    let tile = from + tile.start..from + tile.end;
                    // Rows beyond the tile's last repeat it and are left out.
                    let all: [Row<'_>; MOST_X] =
                        from_fn(|c| x.row(which.start + (tile.start + c).min(tile.end - 1)));
                    isa.multiply_blocks(&group, &all[..tile.len()], &mut totals);
                    spread(&totals, &mut sums[tile.start * rows..tile.end * rows], rows, first);
                }
            }
        }
        sums.chunks_exact(rows).enumerate().for_each(|(c, sums)| sink(c, sums));
    });
}

impl Isa {
    /// The products of some weight rows with one to four rows of x.
    #[inline]
    fn multiply_blocks(self, group: &Group<'_>, x: &[Row<'_>], totals: &mut Totals) {
        match self.set() {
            Set::Portable => portable::multiply(group, x, totals),
            // SAFETY: an `Isa` is only made where the processor has been found to have these instructions.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 | Set::Avx512 => unsafe { avx2::multiply(group, x, totals) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Vnni => unsafe { avx512::multiply(group, x, totals) },
        }
    }

    /// Quantises a row of x.
    fn quantise(self, x: &[f32], quants: &mut [i8], scales: &mut [f32], sums: &mut [f32]) {
        match self.set() {
            Set::Portable => quantise(x, quants, scales, sums),
            // SAFETY: an `Isa` is only made where the processor has been found to have these instructions.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 | Set::Avx512 => unsafe { avx2::quantise(x, quants, scales, sums) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Vnni => unsafe { avx512::quantise(x, quants, scales, sums) },
        }
    }
}
