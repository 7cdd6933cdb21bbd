// to = x, words of 32 bits whatever they mean.

struct Params {
    count: u32,
    x_offset: u32,
    to_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> x: array<u32>; // [count]
@group(0) @binding(1) var<storage, read_write> to: array<u32>; // [count]

#import "shared/element.wgsl"

@compute @workgroup_size(SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = element(id, groups);
    if i < params.count {
        to[params.to_offset + i] = x[params.x_offset + i];
    }
}
