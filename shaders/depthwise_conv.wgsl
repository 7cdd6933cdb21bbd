// Causal convolution of each channel by itself: out[t, c] = bias[c] + Σ_tap weight[c, tap] · row t + tap of history followed by x.

struct Params {
    count: u32,
    channels: u32,
    taps: u32,
    past: u32,
    x_offset: u32,
    history_offset: u32,
    weight_offset: u32,
    bias_offset: u32,
    out_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>; // [time, channels]
@group(0) @binding(1) var<storage, read> history: array<f32>; // [taps - 1, channels]
@group(0) @binding(2) var<storage, read> weight: array<f32>; // [channels, taps]
@group(0) @binding(3) var<storage, read> bias: array<f32>; // [channels]
@group(0) @binding(4) var<storage, read_write> out: array<f32>; // [time, channels]

#import "shared/element.wgsl"
#import "shared/history.wgsl"

@compute @workgroup_size(SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = element(id, groups);
    if i >= params.count {
        return;
    }
    let channel = i % params.channels;
    let first = params.weight_offset + channel * params.taps;
    var sum = bias[params.bias_offset + channel];
    for (var tap = 0u; tap < params.taps; tap++) {
        sum += weight[first + tap] * past_and_present(i + tap * params.channels);
    }
    out[params.out_offset + i] = sum;
}
