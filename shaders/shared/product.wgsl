// Parameters and bindings of a product of many rows with a matrix, or with two: GATED.
#variants GATED -
struct Params {
    n: u32,
    o: u32,
    out_offset: u32,
#ifndef GATED
    given: u32,
    bias_offset: u32,
    scale_offset: u32,
    gate_offset: u32,
    residual_offset: u32,
#endif
    k: u32,
    x_offset: u32,
    // Units from row to row of W, and its first row.
    pitch: u32,
    weight_row: u32,
#ifdef GATED
    up_row: u32,
#else
    // Elements of k for each part.
    part: u32,
#endif
}

var<immediate> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // [parts, n, o]
#import "shared/activation.wgsl"
#ifdef GATED
@group(0) @binding(2) var<storage, read> weight: array<vec4<u32>>; // [o, pitch]
@group(0) @binding(3) var<storage, read> up: array<vec4<u32>>; // [o, pitch]
@group(0) @binding(4) var<storage, read> weight_scales: array<u32>; // two halves each, if W has them
@group(0) @binding(5) var<storage, read> up_scales: array<u32>;
#else
#import "shared/epilogue.wgsl"
@group(0) @binding(6) var<storage, read> weight: array<vec4<u32>>; // [o, pitch]
@group(0) @binding(7) var<storage, read> weight_scales: array<u32>; // two halves each, if W has them
#endif
