// A tile of ROWS by COLUMNS products x · Wᵀ in f32, from parts of x and W in workgroup memory; 256 threads, of which each sums
// rows row, row + 16, … and columns column, column + 16, …, column + 48.
//
// The importing shader has `params.k` and the binding `x`, and fills `x_at`.
#variants F32 F16 BF16 Q8_0 Q4
#variants LARGE -

const SIZE: u32 = 256;
const COLUMNS: u32 = 64;
#ifdef LARGE
const ROWS: u32 = 64;
#else
const ROWS: u32 = 16;
#endif
// Elements of a row in workgroup memory, and vectors from row to row: one more, so that 8 rows lie in different banks.
const DEPTH: u32 = 32;
const STRIDE: u32 = DEPTH / 4 + 1;
var<workgroup> x_tile: array<vec4<f32>, ROWS * STRIDE>;
var<workgroup> weight_tile: array<vec4<f32>, COLUMNS * STRIDE>;
// Where each row of x begins.
var<workgroup> x_at: array<u32, ROWS>;
#import "shared/tile_weights.wgsl"

// One row of four columns for each of the thread's rows.
struct Sums {
    a: vec4<f32>,
#ifdef LARGE
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
#endif
}

fn stage_x(thread: u32, start: u32) {
    for (var i = thread; i < ROWS * (DEPTH / 4); i += SIZE) {
        let row = i / (DEPTH / 4);
        let k = start + i % (DEPTH / 4) * 4;
        let at = x_at[row] + k;
        var v = vec4<f32>();
        if k + 4 <= params.k {
            v = vec4(x[at], x[at + 1], x[at + 2], x[at + 3]);
        } else if k < params.k {
            v.x = x[at];
            if k + 1 < params.k {
                v.y = x[at + 1];
            }
            if k + 2 < params.k {
                v.z = x[at + 2];
            }
        }
        x_tile[row * STRIDE + i % (DEPTH / 4)] = v;
    }
}

fn stage_weight(thread: u32, start: u32) {
    for (var i = thread; i < COLUMNS * (DEPTH / UNIT); i += SIZE) {
        let column = i / (DEPTH / UNIT);
        let unit = start / UNIT + i % (DEPTH / UNIT);
        let to = column * STRIDE + i % (DEPTH / UNIT) * (UNIT / 4);
        var u = vec4<u32>();
        var scale = vec2<f32>();
        if unit < params.pitch {
            u = weight_unit(column, unit);
            scale = weight_scale(column, unit);
        }
#ifdef F32
        weight_tile[to] = bitcast<vec4<f32>>(u);
#endif
#ifdef F16
        weight_tile[to] = vec4(unpack2x16float(u.x), unpack2x16float(u.y));
        weight_tile[to + 1] = vec4(unpack2x16float(u.z), unpack2x16float(u.w));
#endif
#ifdef BF16
        let even = bitcast<vec4<f32>>(u << vec4(16u));
        let odd = bitcast<vec4<f32>>(u & vec4(0xffff0000u));
        weight_tile[to] = vec4(even.x, odd.x, even.y, odd.y);
        weight_tile[to + 1] = vec4(even.z, odd.z, even.w, odd.w);
#endif
#ifdef Q8_0
        for (var j = 0u; j < 4; j++) {
            weight_tile[to + j] = four(u[j], scale);
        }
#endif
#ifdef Q4
        for (var j = 0u; j < 4; j++) {
            weight_tile[to + j] = four(u[j], scale);
            weight_tile[to + 4 + j] = four(u[j] >> 4, scale);
        }
#endif
    }
}

// Sums over the elements from begin, a multiple of DEPTH, to end.
fn tile_sums(thread: u32, begin: u32, end: u32) -> Sums {
    let at = thread / 16 * STRIDE;
    let w_at = thread % 16 * STRIDE;
    var sums = Sums();
    for (var start = begin; start < end; start += DEPTH) {
        // The tables are written, and the last part has been used.
        workgroupBarrier();
        stage_x(thread, start);
        stage_weight(thread, start);
        workgroupBarrier();
        for (var i = 0u; i < DEPTH / 4; i++) {
            let w = mat4x4<f32>(
                weight_tile[w_at + i],
                weight_tile[w_at + 16 * STRIDE + i],
                weight_tile[w_at + 32 * STRIDE + i],
                weight_tile[w_at + 48 * STRIDE + i],
            );
            sums.a += x_tile[at + i] * w;
#ifdef LARGE
            sums.b += x_tile[at + 16 * STRIDE + i] * w;
            sums.c += x_tile[at + 32 * STRIDE + i] * w;
            sums.d += x_tile[at + 48 * STRIDE + i] * w;
#endif
        }
    }
    return sums;
}
