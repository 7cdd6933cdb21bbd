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
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use super::bindings::Weight;

/// Partial sums of a dot product.
pub(crate) const LANES: usize = 16;

/// Most rows of x that [`Level::dots`] takes at once.
const MOST_X: usize = 6;

/// Columns that are walked at once: a tile's rows of x then stay in a core's first cache, 64 weight rows in the second.
const PART: usize = 1024;

/// Rows of x whose lanes are kept between two parts.
const KEPT: usize = 96;

/// Rows of weights of the largest register tile.
const MOST_ROWS: usize = 4;

/// How a row of weights is stored, for use as a const parameter.
#[cfg(target_arch = "x86_64")]
struct Stored;

#[cfg(target_arch = "x86_64")]
impl Stored {
    const F32: u8 = 0;
    const F16: u8 = 1;
    const BF16: u8 = 2;

    /// Bytes of an element.
    const fn size(stored: u8) -> usize {
        if stored == Stored::F32 { 4 } else { 2 }
    }
}

/// An instruction set that this processor has: there is no other way to come by one than to detect it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Set::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
        })
    }
}

impl Level {
    /// The best one, found once per process.
    pub(crate) fn best() -> Level {
        static BEST: OnceLock<Level> = OnceLock::new();
        *BEST.get_or_init(|| Level::all().into_iter().next_back().unwrap_or(Level(Set::Portable)))
    }

    /// All that this processor has, best last.
    fn all() -> Vec<Level> {
        let mut all = vec![Level(Set::Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            let avx2 = has!("avx2") && has!("fma") && has!("f16c");
            if avx2 {
                all.push(Level(Set::Avx2));
            }
            if avx2 && has!("avx512f") && has!("avx512bw") && has!("avx512vl") {
                all.push(Level(Set::Avx512));
            }
        }
        all
    }

    /// `out[c, r] = Σ weight[r, i] · x[c][i]` for all weight rows and at most `MOST_X` rows of x, all of one length.
    fn dots(self, weight: Weight<'_>, x: &[&[f32]], out: &mut [f32]) {
        let k = x[0].len();
        let rows = out.len() / x.len();
        assert!(x.len() <= MOST_X && x.iter().all(|x| x.len() == k), "rows of x");
        assert!(len(weight) == rows * k && out.len() == rows * x.len(), "weight and output fit");
        match self.0 {
            Set::Portable => portable::dots(weight, x, out),
            // SAFETY: a `Level` is only made where the processor has been found to have these instructions.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::dots(weight, x, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512::dots(weight, x, out) },
        }
    }

    /// Gives `sink(c, sums)` for each row `c` of x, ascending, where `sums[r] = Σ weight[r, i] · x[c][i]`.
    /// `weight` `[rows, k]`, x rows `[k]`. The sink must not call the thread pool.
    pub(crate) fn products(self, weight: Weight<'_>, x: &[&[f32]], mut sink: impl FnMut(usize, &[f32])) {
        let Some(k) = x.first().map(|x| x.len()).filter(|&k| k > 0 && len(weight) >= k) else { return };
        let rows = len(weight) / k;
        if x.len() <= MOST_X {
            return with_scratch(&SCRATCH, rows * x.len(), |sums| {
                self.dots(weight, x, sums);
                sums.chunks_exact(rows).enumerate().for_each(|(c, sums)| sink(c, sums));
            });
        }
        let parts = k.div_ceil(PART);
        let part = k.div_ceil(parts).next_multiple_of(LANES);
        // Where k has several parts, all lanes are kept from one to the next.
        let height = if parts == 1 { x.len() } else { KEPT };
        for (chunk, x) in x.chunks(height).enumerate() {
            let tiles = x.len().div_ceil(MOST_X);
            // Tiles of about equal size: seven rows are four and three, not six and one.
            let tile = |i: usize| i * x.len() / tiles..(i + 1) * x.len() / tiles;
            let padded = rows.next_multiple_of(MOST_ROWS);
            let lanes_size = padded * MOST_X * LANES;
            let sizes = [padded * part, MOST_X * part, lanes_size * if parts == 1 { 1 } else { tiles }];
            with_scratch(&SCRATCH, sizes.iter().sum::<usize>() + rows * MOST_X, |memory| {
                let (panel, memory) = memory.split_at_mut(sizes[0]);
                let (packed, memory) = memory.split_at_mut(sizes[1]);
                let (lanes, sums) = memory.split_at_mut(sizes[2]);
                for from in (0..k).step_by(part) {
                    let columns = from..k.min(from + part);
                    let last = columns.end == k;
                    self.pack(weight, k, columns.clone(), panel);
                    for i in 0..tiles {
                        let kept = if parts == 1 { 0 } else { i };
                        let mut tile_x: [&[f32]; MOST_X] = [&[]; MOST_X];
                        let tile_x = &mut tile_x[..tile(i).len()];
                        tile_x.iter_mut().zip(&x[tile(i)]).for_each(|(to, x)| *to = &x[columns.clone()]);
                        let sums = &mut sums[..tile_x.len() * rows];
                        self.packed_dots(
                            tile_x,
                            Walk {
                                rows,
                                panel: &panel[..padded * columns.len().next_multiple_of(LANES)],
                                x: packed,
                                lanes: &mut lanes[kept * lanes_size..][..lanes_size],
                                first: from == 0,
                                out: last.then_some(&mut *sums),
                            },
                        );
                        if last {
                            let first = chunk * height + tile(i).start;
                            sums.chunks_exact(rows).enumerate().for_each(|(c, sums)| sink(first + c, sums));
                        }
                    }
                }
            });
        }
    }

    /// Widens some columns of weights `[rows, k]` to f32, in the layout that `packed_dots` of the same level reads.
    fn pack(self, weight: Weight<'_>, k: usize, columns: Range<usize>, panel: &mut [f32]) {
        let rows = (len(weight) / k).next_multiple_of(MOST_ROWS);
        assert!(panel.len() >= rows * columns.len().next_multiple_of(LANES), "panel of {}", panel.len());
        match self.0 {
            Set::Portable => portable::pack(weight, k, columns, panel),
            // SAFETY: a `Level` is only made where the processor has been found to have these instructions.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::pack(weight, k, columns, panel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512::pack(weight, k, columns, panel) },
        }
    }

    /// One walk through a panel with the same columns of at most `MOST_X` rows of x.
    fn packed_dots(self, x: &[&[f32]], walk: Walk<'_>) {
        assert!(
            !x.is_empty() && x.len() <= MOST_X && x.iter().all(|row| row.len() == x[0].len()),
            "rows of x"
        );
        match self.0 {
            Set::Portable => portable::packed_dots(x, walk),
            // SAFETY: a `Level` is only made where the processor has been found to have these instructions.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::packed_dots(x, walk) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512::packed_dots(x, walk) },
        }
    }

    /// Replaces each value by `f` of it; with the functions of [`math`], a vector at a time.
    pub(crate) fn map(self, values: &mut [f32], f: impl Fn(f32) -> f32) {
        match self.0 {
            Set::Portable => portable::map(values, f),
            // SAFETY: a `Level` is only made where the processor has been found to have these instructions.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::map(values, f) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512::map(values, f) },
        }
    }
}

/// What `packed_dots` works on besides x.
struct Walk<'a> {
    /// Weight rows.
    rows: usize,
    /// Some of their columns, packed.
    panel: &'a [f32],
    /// Room for the packed rows of x.
    x: &'a mut [f32],
    /// Lanes of each pair of rows, kept from one part of the columns to the next.
    lanes: &'a mut [f32],
    /// Whether these are the first columns: the lanes start from zero.
    first: bool,
    /// Where the totals `[x, rows]` go if these are the last columns.
    out: Option<&'a mut [f32]>,
}

thread_local! {
    /// A thread's own memory for one call of `products`.
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Lends `size` elements of a thread's own memory on a cache line's boundary, contents undefined.
pub(crate) fn with_scratch<R>(
    memory: &'static std::thread::LocalKey<RefCell<Vec<f32>>>,
    size: usize,
    work: impl FnOnce(&mut [f32]) -> R,
) -> R {
    memory.with_borrow_mut(|values| {
        if values.len() < size + LANES {
            values.resize(size + LANES, 0.0);
        }
        let start = values.as_ptr().align_offset(64).min(LANES);
        work(&mut values[start..][..size])
    })
}

fn len(weight: Weight<'_>) -> usize {
    match weight {
        Weight::F32(w) => w.len(),
        Weight::F16(w) | Weight::Bf16(w) => w.len(),
    }
}

/// The sum over the lanes: i and i+8, then +4, +2, +1.
fn reduce(lanes: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    sums.copy_from_slice(lanes);
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
    }
    sums[0]
}
