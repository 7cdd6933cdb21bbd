// Rows of x in blocks of int8, each with a step, in workgroup memory. Blocks are worked on by halves.
#ifdef BLOCKS
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

// What a thread quantises of x at once, as loaded.
struct Ahead {
    x: array<vec4<f32>, 4>,
    norm: array<vec4<f32>, 4>,
}

// Halves of blocks in the rows of x that there are.
fn halves() -> u32 {
    return X_ROW * min(COLUMNS, params.rows);
}

// Which of them a thread has in the turn that begins with `start`: neighbours have those of one block, in spare turns the last.
fn half_of(thread: u32, start: u32) -> u32 {
    return min(start + thread, halves() - 2 + thread % 2);
}

fn row_of(row: u32, half: u32) -> u32 {
    return min(row + half / X_ROW, params.rows - 1);
}

fn x_ahead(row: u32, thread: u32, start: u32) -> Ahead {
    let half = half_of(thread, start);
    let at = params.x_at + (row_of(row, half) * X_ROW + half % X_ROW) * 4;
    var ahead: Ahead;
    ahead.x = array(x[at], x[at + 1], x[at + 2], x[at + 3]);
    if NORM {
        let norm_at = params.norm_at + half % X_ROW * 4;
        ahead.norm = array(norm[norm_at], norm[norm_at + 1], norm[norm_at + 2], norm[norm_at + 3]);
    }
    return ahead;
}

// Quantises the rows of x from `row` on.
fn prepare(row: u32, thread: u32, first: Ahead) {
    var ahead = first;
    for (var start = 0u; start < halves(); start += SIZE) {
        if start > 0 {
            ahead = x_ahead(row, thread, start);
        }
        let i = half_of(thread, start);
        var a = ahead.x[0];
        var b = ahead.x[1];
        var c = ahead.x[2];
        var d = ahead.x[3];
        if NORM {
            x_squares[i] = dot(a, a) + dot(b, b) + (dot(c, c) + dot(d, d));
            a *= ahead.norm[0];
            b *= ahead.norm[1];
            c *= ahead.norm[2];
            d *= ahead.norm[3];
        }
        let of_half = max(max(largest_of(a), largest_of(b)), max(largest_of(c), largest_of(d)));
        let largest = bitcast<f32>(of_both(of_half, thread));
        let inverse = select(0.0, 127.0 / largest, largest > 1e-30);
        let quants = vec4(packed(a, inverse), packed(b, inverse), packed(c, inverse), packed(d, inverse));
        var step = largest / 127.0;
#ifdef EXPERTS
        step *= x_share(row_of(row, i), select(i % X_ROW, i % X_ROW / 2, FOUR));
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
#endif
