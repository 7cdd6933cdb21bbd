// The windows of a 3×3 convolution with stride 2 and one pixel of zeros around as rows: column channel · 9 + y · 3 + x.

struct Params {
    count: u32,
    height: u32,
    width: u32,
    channels: u32,
    out_height: u32,
    out_width: u32,
    x_offset: u32,
    out_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>; // [images, height, width, channels]
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // [images · out_height · out_width, channels · 9]

#import "shared/element.wgsl"

@compute @workgroup_size(SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = element(id, groups);
    if i >= params.count {
        return;
    }
    let tap = i % 9;
    let channel = i / 9 % params.channels;
    let pixel = i / 9 / params.channels;
    let line = pixel / params.out_width;
    let image = line / params.out_height;
    // What lies before the first pixel wraps around and is outside too.
    let at_y = 2 * (line % params.out_height) + tap / 3 - 1;
    let at_x = 2 * (pixel % params.out_width) + tap % 3 - 1;
    var value = 0.0;
    if at_y < params.height && at_x < params.width {
        let at = (image * params.height + at_y) * params.width + at_x;
        value = x[params.x_offset + at * params.channels + channel];
    }
    out[params.out_offset + i] = value;
}
