// Parameters and bindings of products whose rows choose the matrix of a stack, or of two: GATED.
#variants GATED -
struct Params {
    k: u32,
    o: u32,
    x_offset: u32,
    out_offset: u32,
    // Rows of out for each row of x.
    each: u32,
    // Units from row to row of W, and its first row.
    pitch: u32,
    weight_row: u32,
#ifdef GATED
    up_row: u32,
#endif
}

var<immediate> params: Params;
@group(0) @binding(1) var<storage, read> order: array<u32>; // [rows]
@group(0) @binding(2) var<storage, read> tiles: array<vec4<u32>>; // expert, first of order, rows
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // [rows, o]
@group(0) @binding(4) var<storage, read> weight: array<vec4<u32>>; // [experts, o, pitch]
#ifdef GATED
@group(0) @binding(5) var<storage, read> up: array<vec4<u32>>; // [experts, o, pitch]
@group(0) @binding(6) var<storage, read> weight_scales: array<u32>; // two halves each, if W has them
@group(0) @binding(7) var<storage, read> up_scales: array<u32>;
#import "shared/activation.wgsl"
#else
@group(0) @binding(5) var<storage, read> weight_scales: array<u32>; // two halves each, if W has them
#endif
