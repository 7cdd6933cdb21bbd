// Batches of weights in blocks of 32 with scales (see engine/src/quant), multiplied with rows of x in blocks of int8.
#ifdef BLOCKS
// Whether weights have four bits, not eight.
override FOUR: bool = false;
// Halves of blocks in a row of x, and in all rows that a workgroup takes.
override X_ROW: u32 = 2;
override X_HALVES: u32 = 2;
// As many, or one where there is no need of them.
override X_TOTALS: u32 = 1;
override X_SQUARES: u32 = 1;

// x is step · quant; sums of step · quant, and of the squares of x.
var<workgroup> x_quants: array<vec4<u32>, X_HALVES>;
var<workgroup> x_steps: array<f32, X_HALVES>;
var<workgroup> x_totals: array<f32, X_TOTALS>;
var<workgroup> x_squares: array<f32, X_SQUARES>;

// Where the scales of the piece at `at` are: d and m, or d of an even block and of the next.
fn scales_at(at: u32) -> u32 {
    return select(at / 4, at, FOUR);
}

// The piece's own scales in their place.
fn scales_of(word: u32, at: u32) -> u32 {
    return select(word >> (at / 2 % 2 * 16), word, FOUR);
}

// The largest size, as bits: there infinity is above all numbers, and what is no number above that.
fn largest_of(v: vec4<f32>) -> u32 {
    let a = bitcast<vec4<u32>>(v) & vec4(0x7fffffffu);
    return max(max(a.x, a.y), max(a.z, a.w));
}

// The largest of two neighbours.
#ifdef SUBGROUPS
fn of_both(value: u32, thread: u32) -> u32 {
    return max(value, subgroupShuffleXor(value, 1u));
}
#else
var<workgroup> of_threads: array<u32, SIZE>;

fn of_both(value: u32, thread: u32) -> u32 {
    of_threads[thread] = value;
    workgroupBarrier();
    let other = of_threads[thread ^ 1u];
    workgroupBarrier();
    return max(value, other);
}
#endif

// Quantises the rows of x from `row` on; two threads a block.
fn prepare(row: u32, thread: u32) {
    let halves = X_ROW * min(COLUMNS, params.rows);
    for (var start = 0u; start < halves; start += SIZE) {
        let i = min(start + thread, halves - 2 + thread % 2);
        let half = i % X_ROW;
        let from_row = min(row + i / X_ROW, params.rows - 1);
        let at = params.x_at + (from_row * X_ROW + half) * 4;
        var a = x[at];
        var b = x[at + 1];
        var c = x[at + 2];
        var d = x[at + 3];
        if NORM {
            x_squares[i] = dot(a, a) + dot(b, b) + (dot(c, c) + dot(d, d));
            let norm_at = params.norm_at + half * 4;
            a *= norm[norm_at];
            b *= norm[norm_at + 1];
            c *= norm[norm_at + 2];
            d *= norm[norm_at + 3];
        }
        let of_half = max(max(largest_of(a), largest_of(b)), max(largest_of(c), largest_of(d)));
        let largest = bitcast<f32>(of_both(of_half, thread));
        let inverse = select(0.0, 127.0 / largest, largest > 1e-30);
        var step = largest / 127.0;
        let quants = vec4(packed(a, inverse), packed(b, inverse), packed(c, inverse), packed(d, inverse));
#ifdef EXPERTS
        step *= x_share(from_row, select(half, half / 2, FOUR));
#endif
        x_quants[i] = quants;
        x_steps[i] = step;
        if FOUR {
            x_totals[i] = step * f32(dots(quants, vec4(0x01010101u)));
        }
    }
    workgroupBarrier();
}

fn packed(v: vec4<f32>, inverse: f32) -> u32 {
    return pack4xI8(vec4<i32>(round(v * inverse)));
}

fn dots(a: vec4<u32>, b: vec4<u32>) -> i32 {
    return dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + (dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w));
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
                    let d = unpack2x16float((*batch).scales[s * ROWS + r]).x;
                    let i = r * COLUMNS + n;
                    (*sums)[i] = fma(d * step, f32(dots((*batch).pieces[s * ROWS + r], first)), (*sums)[i]);
                }
            }
        }
    }
}
#endif
