enable f16;
// Rows for products on matrix cores: (x / sqrt(mean(x²) + eps) · norm, or x) · 2^s in half precision, with zeros up to a multiple of
// DEPTH. s brings a row's largest value between 2^14 and 2^15: none overflows, and what is lost is below 2^-11 of each value or
// 2^-39 of the largest. Two vectors lead each row, of which the first's x is the biased exponent of 2^-s. One workgroup a row.
#variants SUBGROUPS -
#variants NORM -

struct Params {
    n: u32,
    k: u32,
    x_offset: u32,
    norm_offset: u32,
    eps: f32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>; // [n, k]
@group(0) @binding(1) var<storage, read_write> packed: array<vec4<f16>>; // [n, 2 + k / 4]
#ifdef NORM
@group(0) @binding(2) var<storage, read> norm: array<f32>; // [k]
#endif

const SIZE: u32 = 256;
const DEPTH: u32 = 64;
#import "shared/reduce.wgsl"

// Element i of the row that begins at `start`, before the division.
fn element(start: u32, i: u32) -> f32 {
    if i >= params.k {
        return 0.0;
    }
#ifdef NORM
    return x[start + i] * norm[params.norm_offset + i];
#else
    return x[start + i];
#endif
}

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
#ifdef SUBGROUPS
    @builtin(subgroup_size) subgroup_size: u32,
#endif
) {
    let row = group.y * groups.x + group.x;
    if row >= params.n {
        return;
    }
    let start = params.x_offset + row * params.k;
    var squares = 0.0;
    var largest = 0.0;
    for (var i = thread; i < params.k; i += SIZE) {
        squares += x[start + i] * x[start + i];
        largest = max(largest, abs(element(start, i)));
    }
    var factor = 1.0;
#ifdef SUBGROUPS
    largest = workgroup_max(largest, thread, subgroup_size);
#ifdef NORM
    factor = inverseSqrt(workgroup_sum(squares, thread, subgroup_size) / f32(params.k) + params.eps);
#endif
#else
    largest = workgroup_max(largest, thread);
#ifdef NORM
    factor = inverseSqrt(workgroup_sum(squares, thread) / f32(params.k) + params.eps);
#endif
#endif
    // The exponent of the largest value, as stored: 127 more.
    let exponent = clamp(bitcast<u32>(largest * factor) >> 23, 27u, 254u);
    factor *= bitcast<f32>((268 - exponent) << 23);
    let vectors = (params.k + DEPTH - 1) / DEPTH * (DEPTH / 4);
    let to = row * (2 + vectors);
    if thread == 0 {
        packed[to] = vec4(f16(exponent - 14), 0h, 0h, 0h);
    }
    for (var i = thread; i < vectors; i += SIZE) {
        let values = vec4(
            element(start, 4 * i),
            element(start, 4 * i + 1),
            element(start, 4 * i + 2),
            element(start, 4 * i + 3),
        );
        packed[to + 2 + i] = vec4<f16>(values * factor);
    }
}
