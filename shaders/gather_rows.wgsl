// out[i] = x[index[i]], rows; an index beyond the rows takes the last.

struct Params {
    count: u32,
    rows: u32,
    width: u32,
    x_offset: u32,
    index_offset: u32,
    out_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>; // [rows, width]
@group(0) @binding(1) var<storage, read> index: array<u32>; // [count / width]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [count / width, width]

#import "shared/element.wgsl"

@compute @workgroup_size(SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = element(id, groups);
    if i >= params.count {
        return;
    }
    let row = min(index[params.index_offset + i / params.width], params.rows - 1);
    out[params.out_offset + i] = x[params.x_offset + row * params.width + i % params.width];
}
