// out = residual + Σ_j weight[t, j] · products[t · k + j], the experts of each token in the order of j.

struct Params {
    n: u32,
    k: u32,
    h: u32,
    residual: u32,
    weight_offset: u32,
    residual_offset: u32,
    out_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> products: array<f32>; // [n · k, h]
@group(0) @binding(1) var<storage, read> weight: array<f32>; // [n, k]
@group(0) @binding(2) var<storage, read> residual: array<f32>; // [n, h], or any buffer
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // [n, h]

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = (group.y * groups.x + group.x) * 256 + thread;
    if i >= params.n * params.h {
        return;
    }
    let token = i / params.h;
    let column = i % params.h;
    var sum = 0.0;
    if params.residual != 0 {
        sum = residual[params.residual_offset + i];
    }
    for (var row = token * params.k; row < (token + 1) * params.k; row++) {
        sum += weight[params.weight_offset + row] * products[row * params.h + column];
    }
    out[params.out_offset + i] = sum;
}
