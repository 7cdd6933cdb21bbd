// out = (x - mean) / sqrt(variance + eps) · weight + bias, each row by itself; one workgroup a row.
#variants SUBGROUPS -

struct Params {
    rows: u32,
    width: u32,
    eps: f32,
    x_offset: u32,
    weight_offset: u32,
    bias_offset: u32,
    out_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>; // [rows, width]
@group(0) @binding(1) var<storage, read> weight: array<f32>; // [width]
@group(0) @binding(2) var<storage, read> bias: array<f32>; // [width]
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // [rows, width]

const SIZE: u32 = 256;
#import "shared/reduce.wgsl"

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
    if row >= params.rows {
        return;
    }
    let source = params.x_offset + row * params.width;
    var sum = 0.0;
    for (var i = thread; i < params.width; i += SIZE) {
        sum += x[source + i];
    }
#ifdef SUBGROUPS
    let mean = workgroup_sum(sum, thread, subgroup_size) / f32(params.width);
#else
    let mean = workgroup_sum(sum, thread) / f32(params.width);
#endif
    var squares = 0.0;
    for (var i = thread; i < params.width; i += SIZE) {
        let v = x[source + i] - mean;
        squares += v * v;
    }
#ifdef SUBGROUPS
    squares = workgroup_sum(squares, thread, subgroup_size);
#else
    squares = workgroup_sum(squares, thread);
#endif
    let scale = inverseSqrt(squares / f32(params.width) + params.eps);
    let to = params.out_offset + row * params.width;
    for (var i = thread; i < params.width; i += SIZE) {
        let normal = (x[source + i] - mean) * scale;
        out[to + i] = normal * weight[params.weight_offset + i] + bias[params.bias_offset + i];
    }
}
