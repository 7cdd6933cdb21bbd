// out = x, each row filled up with zeros to another width.
struct Params {
    rows: u32,
    width: u32,
    padded: u32,
    x_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>; // [rows, width]
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // [rows, padded]

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * 256 + id.x;
    let row = i / params.padded;
    let column = i % params.padded;
    if row >= params.rows {
        return;
    }
    var v = 0.0;
    if column < params.width {
        v = x[params.x_offset + row * params.width + column];
    }
    out[i] = v;
}
