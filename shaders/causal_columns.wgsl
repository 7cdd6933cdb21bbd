// The windows of a causal convolution over time as rows: out[t, channel · kernel_size + tap] is row t + tap · dilation of history
// followed by x.

struct Params {
    count: u32,
    channels: u32,
    kernel_size: u32,
    dilation: u32,
    past: u32,
    x_offset: u32,
    history_offset: u32,
    out_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>; // [time, channels]
@group(0) @binding(1) var<storage, read> history: array<f32>; // [(kernel_size - 1) · dilation, channels]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [time, channels · kernel_size]

#import "shared/element.wgsl"
#import "shared/history.wgsl"

@compute @workgroup_size(SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = element(id, groups);
    if i >= params.count {
        return;
    }
    let tap = i % params.kernel_size;
    let channel = i / params.kernel_size % params.channels;
    let time = i / params.kernel_size / params.channels;
    let row = time + tap * params.dilation;
    out[params.out_offset + i] = past_and_present(row * params.channels + channel);
}
