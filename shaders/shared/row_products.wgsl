// Products of rows of weights with rows of x, for few rows of x. A team of LANES threads walks along ROWS rows of weights, which lie
// in pieces of 16 bytes; a thread loads STEPS pieces of each at once, and only then multiplies. x is not normalised beforehand: the
// norm's weight joins x, and its scale, which the whole row shares, the finished sum.
//
// The importing shader binds x and norm and has parameters `chunks` (pieces of a row of weights), `x_at`, `norm_at` (in fours), `rows`
// (of x), `width` (of x without padding) and `eps`. Rows of x are as long as those of the weights with their padding. With EXPERTS,
// `x_share` is a factor of x.
#variants F32 F16 BF16 BLOCKS
#variants SUBGROUPS -
#import "shared/teams.wgsl"

const MOST_LOADS: u32 = 16;

override ROWS: u32 = 1;
// Rows of x that a team takes at once.
override COLUMNS: u32 = 1;
override STEPS: u32 = 1;
// Whether a row of weights is loaded at once.
override ONCE: bool = false;
override NORM: bool = false;

// What a thread loads at once: piece s of row r, and its block's scales, at s · ROWS + r.
struct Batch {
    pieces: array<vec4<u32>, MOST_LOADS>,
#ifdef BLOCKS
    scales: array<u32, MOST_LOADS>,
#endif
}

// `accumulate` multiplies a batch at `chunk` with the rows of x from `row` on. Sum r · COLUMNS + n is that of row r of the weights and
// row n of x; behind them stand the sums of the rows' squares where there is a norm.
#import "shared/row_floats.wgsl"
#import "shared/row_blocks.wgsl"

// Product of row r of a team's weights and row n of x.
fn normed_total(team: u32, r: u32, n: u32, part: u32) -> f32 {
    let sum = total(team, r * COLUMNS + n, part);
    if !NORM {
        return sum;
    }
    let mean = total(team, ROWS * COLUMNS + n, part) / f32(params.width);
    return sum * inverseSqrt(mean + params.eps);
}
