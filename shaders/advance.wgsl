// counter += by, each element by itself.
#variants F32 -

struct Params {
    count: u32,
    by: u32,
    offset: u32,
}

var<immediate> params: Params;
#ifdef F32
@group(0) @binding(0) var<storage, read_write> counter: array<f32>; // [count]
#else
@group(0) @binding(0) var<storage, read_write> counter: array<u32>; // [count]
#endif

#import "shared/element.wgsl"

@compute @workgroup_size(SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = element(id, groups);
    if i >= params.count {
        return;
    }
#ifdef F32
    counter[params.offset + i] += f32(params.by);
#else
    counter[params.offset + i] += params.by;
#endif
}
