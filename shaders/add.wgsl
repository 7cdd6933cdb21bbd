// out = a + b, element by element.

struct Params {
    count: u32,
    a_offset: u32,
    b_offset: u32,
    out_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> a: array<f32>; // [count]
@group(0) @binding(1) var<storage, read> b: array<f32>; // [count]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [count]

#import "shared/element.wgsl"

@compute @workgroup_size(SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = element(id, groups);
    if i < params.count {
        out[params.out_offset + i] = a[params.a_offset + i] + b[params.b_offset + i];
    }
}
