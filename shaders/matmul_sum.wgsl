// The sums of a product over parts of k, brought together: out = residual + sigmoid(gate) · scale · activation(Σ parts + bias).

struct Params {
    n: u32,
    o: u32,
    out_offset: u32,
    given: u32,
    bias_offset: u32,
    scale_offset: u32,
    gate_offset: u32,
    residual_offset: u32,
    parts: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> sums: array<f32>; // [parts, n, o]
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // [n, o]
#import "shared/activation.wgsl"
#import "shared/epilogue.wgsl"

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = (group.y * groups.x + group.x) * 256 + thread;
    let count = params.n * params.o;
    if i >= count {
        return;
    }
    var sum = 0.0;
    for (var part = 0u; part < params.parts; part++) {
        sum += sums[part * count + i];
    }
    out[params.out_offset + i] = epilogue(sum, i / params.o, i % params.o);
}
