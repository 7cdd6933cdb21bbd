// A copy of x with its four axes in another order. len1 to len3 are the inner axes' lengths of out, step0 to step3 the distances
// in x from one element to the next along each axis of out.

struct Params {
    count: u32,
    len1: u32,
    len2: u32,
    len3: u32,
    step0: u32,
    step1: u32,
    step2: u32,
    step3: u32,
    x_offset: u32,
    out_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>; // [count]
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // [count / (len1·len2·len3), len1, len2, len3]

#import "shared/element.wgsl"

@compute @workgroup_size(SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = element(id, groups);
    if i >= params.count {
        return;
    }
    let at3 = i % params.len3;
    let row = i / params.len3;
    let at2 = row % params.len2;
    let plane = row / params.len2;
    let at1 = plane % params.len1;
    let at0 = plane / params.len1;
    let at = at0 * params.step0 + at1 * params.step1 + at2 * params.step2 + at3 * params.step3;
    out[params.out_offset + i] = x[params.x_offset + at];
}
