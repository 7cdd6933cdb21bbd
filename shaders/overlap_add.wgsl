// out[block] = second half of y[step - 1] + first half of y[step] + bias, where step is the block, or the next one after `first`;
// before step 0 stands carry. carry becomes the last second half. half is stride · channels, time the steps of y.

struct Params {
    count: u32,
    time: u32,
    half: u32,
    channels: u32,
    first: u32,
    y_offset: u32,
    bias_offset: u32,
    carry_offset: u32,
    out_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> y: array<f32>; // [time, 2, half]
@group(0) @binding(1) var<storage, read> bias: array<f32>; // [channels]
@group(0) @binding(2) var<storage, read_write> carry: array<f32>; // [half]
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // [count / half, half]

#import "shared/element.wgsl"

@compute @workgroup_size(SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = element(id, groups);
    if i >= params.count {
        return;
    }
    let step = i / params.half + params.first;
    let j = i % params.half;
    let now = params.y_offset + 2 * step * params.half + j;
    var before: f32;
    if step == 0 {
        before = carry[params.carry_offset + j];
    } else {
        before = y[now - params.half];
    }
    out[params.out_offset + i] = before + y[now] + bias[params.bias_offset + j % params.channels];
    // The thread that has read an element of carry also replaces it.
    if i < params.half {
        carry[params.carry_offset + j] = y[params.y_offset + (2 * params.time - 1) * params.half + j];
    }
}
