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
use std::sync::OnceLock;

use super::bindings::Weight;

/// Partial sums of a dot product.
pub(crate) const LANES: usize = 16;

/// Most rows of x that [`Level::dots`] takes at once.
const MOST_X: usize = 6;

/// How a row of weights is stored, for use as a const parameter.
#[cfg(target_arch = "x86_64")]
struct Stored;

#[cfg(target_arch = "x86_64")]
impl Stored {
    const F32: u8 = 0;
    const F16: u8 = 1;
    const BF16: u8 = 2;
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
        let Some(rows) = x.first().map(|x| len(weight) / x.len()).filter(|&rows| rows > 0) else {
            return;
        };
        let mut each = |weight: Weight<'_>, sums: &mut [f32]| {
            // Tiles of about equal size: seven rows are four and three, not six and one.
            let tiles = x.len().div_ceil(MOST_X);
            let mut done = 0;
            for tile in 0..tiles {
                let now = (x.len() - done).div_ceil(tiles - tile);
                let sums = &mut sums[..now * rows];
                self.dots(weight, &x[done..done + now], sums);
                for (c, sums) in sums.chunks_exact(rows).enumerate() {
                    sink(done + c, sums);
                }
                done += now;
            }
        };
        with_scratch(&SUMS, rows * MOST_X, |sums| {
            if x.len() <= MOST_X || matches!(weight, Weight::F32(_)) {
                return each(weight, sums);
            }
            with_scratch(&WIDENED, len(weight), |wide| {
                weight.read(0, wide);
                each(Weight::F32(wide), sums);
            });
        });
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

thread_local! {
    /// Weights of one call of `products` as f32.
    static WIDENED: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    /// Results of one call of `dots`.
    static SUMS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Lends `size` elements of a thread's own scratch, contents undefined.
pub(crate) fn with_scratch<R>(
    scratch: &'static std::thread::LocalKey<RefCell<Vec<f32>>>,
    size: usize,
    work: impl FnOnce(&mut [f32]) -> R,
) -> R {
    scratch.with_borrow_mut(|values| {
        if values.len() < size {
            values.resize(size, 0.0);
        }
        work(&mut values[..size])
    })
}

fn len(weight: Weight<'_>) -> usize {
    match weight {
        Weight::F32(w) => w.len(),
        Weight::F16(w) | Weight::Bf16(w) => w.len(),
    }
}

/// The sum over the lanes: i and i+8, then +4, +2, +1.
fn reduce(mut lanes: [f32; LANES]) -> f32 {
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
    }
    lanes[0]
}
