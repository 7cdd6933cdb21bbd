// Brings the parts of x and W that a tile on matrix cores multiplies next: from memory to registers, and from there, in half
// precision, to workgroup memory.

// Pairs of vectors of x and units of weights, and how many of them each thread brings; spare threads repeat the last.
const ALL_PAIRS: u32 = ROWS * (DEPTH / 8);
const ALL_UNITS: u32 = COLUMNS * (DEPTH / UNIT);
const X_PAIRS: u32 = (ALL_PAIRS + SIZE - 1) / SIZE;
const WEIGHT_UNITS: u32 = (ALL_UNITS + SIZE - 1) / SIZE;

// What the sums of a row must be multiplied by: the row's first vector holds the exponent.
fn row_factor(row: u32) -> f32 {
    return bitcast<f32>(u32(x[2 * x_at[row] - 2].x) << 23);
}

// What each thread brings to the next part.
var<private> x_next: array<vec4<f16>, 2 * X_PAIRS>;
var<private> weight_next: array<vec4<u32>, WEIGHT_UNITS>;
var<private> scale_next: array<vec2<f32>, WEIGHT_UNITS>;

fn load_next(thread: u32, start: u32) {
    for (var j = 0u; j < X_PAIRS; j++) {
        let i = min(thread + j * SIZE, ALL_PAIRS - 1);
        let at = 2 * (x_at[i / (DEPTH / 8)] + start / 8 + i % (DEPTH / 8));
        x_next[2 * j] = x[at];
        x_next[2 * j + 1] = x[at + 1];
    }
    for (var j = 0u; j < WEIGHT_UNITS; j++) {
        let i = min(thread + j * SIZE, ALL_UNITS - 1);
        let unit = start / UNIT + i % (DEPTH / UNIT);
        weight_next[j] = vec4<u32>();
        if unit < params.pitch {
            weight_next[j] = weight_unit(i / (DEPTH / UNIT), unit);
            scale_next[j] = weight_scale(i / (DEPTH / UNIT), unit);
        }
    }
}

fn stage_next(thread: u32) {
    for (var j = 0u; j < X_PAIRS; j++) {
        let i = min(thread + j * SIZE, ALL_PAIRS - 1);
        let to = 2 * (i / (DEPTH / 8) * (STRIDE / 2) + i % (DEPTH / 8));
        x_tile[to] = x_next[2 * j];
        x_tile[to + 1] = x_next[2 * j + 1];
    }
    for (var j = 0u; j < WEIGHT_UNITS; j++) {
        let i = min(thread + j * SIZE, ALL_UNITS - 1);
        let to = 2 * (i / (DEPTH / UNIT) * (STRIDE / 2) + i % (DEPTH / UNIT) * (UNIT / 8));
        let u = weight_next[j];
#ifdef F16
        weight_tile[to] = vec4<f16>(vec4(unpack2x16float(u.x), unpack2x16float(u.y)));
        weight_tile[to + 1] = vec4<f16>(vec4(unpack2x16float(u.z), unpack2x16float(u.w)));
#endif
#ifdef BF16
        let even = bitcast<vec4<f32>>(u << vec4(16u));
        let odd = bitcast<vec4<f32>>(u & vec4(0xffff0000u));
        weight_tile[to] = vec4<f16>(vec4(even.x, odd.x, even.y, odd.y));
        weight_tile[to + 1] = vec4<f16>(vec4(even.z, odd.z, even.w, odd.w));
#endif
#ifdef Q8_0
        for (var i = 0u; i < 4; i++) {
            weight_tile[to + i] = vec4<f16>(four(u[i], scale_next[j]));
        }
#endif
#ifdef Q4
        for (var i = 0u; i < 4; i++) {
            weight_tile[to + i] = vec4<f16>(four(u[i], scale_next[j]));
            weight_tile[to + 4 + i] = vec4<f16>(four(u[i] >> 4, scale_next[j]));
        }
#endif
    }
}
