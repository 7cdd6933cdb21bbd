// Batches of weights in blocks of 32 with scales (see engine/src/quant), multiplied with rows of x in blocks of int8.
#import "shared/x_blocks.wgsl"
#ifdef BLOCKS
// Whether weights have four bits, not eight.
override FOUR: bool = false;

// Where the scales of the piece at `at` are: d and m, or d of an even block and of the next.
fn scales_at(at: u32) -> u32 {
    return select(at / 4, at, FOUR);
}

// By how many bits the piece's own scales are shifted there.
fn shift_of(at: u32) -> u32 {
    return select(at / 2 % 2 * 16, 0u, FOUR);
}

fn accumulate(sums: ptr<function, array<f32, MOST_SUMS>>, batch: ptr<function, Batch>, row: u32, chunk: u32) {
    for (var s = 0u; s < STEPS; s++) {
        for (var n = 0u; n < COLUMNS; n++) {
            let at = n * X_ROW + (chunk + s * LANES) * select(1u, 2u, FOUR);
            let first = x_quants[at];
            let step = x_steps[at];
            if NORM {
                (*sums)[ROWS * COLUMNS + n] += x_squares[at];
            }
            if FOUR {
                let second = x_quants[at + 1];
                let x_total = x_totals[at] + x_totals[at + 1];
                if NORM {
                    (*sums)[ROWS * COLUMNS + n] += x_squares[at + 1];
                }
                for (var r = 0u; r < ROWS; r++) {
                    let piece = (*batch).pieces[s * ROWS + r];
                    let scales = unpack2x16float((*batch).scales[s * ROWS + r]);
                    let low = dots(piece & vec4(0x0f0f0f0fu), first);
                    let high = dots((piece >> vec4(4u)) & vec4(0x0f0f0f0fu), second);
                    let i = r * COLUMNS + n;
                    (*sums)[i] = fma(scales.x * step, f32(low + high), fma(scales.y, x_total, (*sums)[i]));
                }
            } else {
                for (var r = 0u; r < ROWS; r++) {
                    let j = s * ROWS + r;
                    let d = unpack2x16float((*batch).scales[j] >> (*batch).shifts[j]).x;
                    let i = r * COLUMNS + n;
                    (*sums)[i] = fma(d * step, f32(dots((*batch).pieces[j], first)), (*sums)[i]);
                }
            }
        }
    }
}
#endif
