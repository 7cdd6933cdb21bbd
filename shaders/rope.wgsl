// Rotates each head's first half against its second: out1 = x1 · cos - x2 · sin, out2 = x2 · cos + x1 · sin; a pair a thread.

struct Params {
    pairs: u32, // n · heads · head_dim / 2
    heads: u32,
    half: u32, // head_dim / 2
    x_offset: u32,
    table_offset: u32,
    out_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>; // [n, heads · head_dim]
@group(0) @binding(1) var<storage, read> table: array<f32>; // [n, head_dim], cosines before sines
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [n, heads · head_dim]

const SIZE: u32 = 256;

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let pair = (group.y * groups.x + group.x) * SIZE + thread;
    if pair >= params.pairs {
        return;
    }
    let head = pair / params.half;
    let at = head * params.half + pair; // the head's start, and the pair's place in it
    let angle = params.table_offset + head / params.heads * 2 * params.half + pair % params.half;
    let cosine = table[angle];
    let sine = table[angle + params.half];
    let x1 = x[params.x_offset + at];
    let x2 = x[params.x_offset + at + params.half];
    out[params.out_offset + at] = x1 * cosine - x2 * sine;
    out[params.out_offset + at + params.half] = x2 * cosine + x1 * sine;
}
