// Cosines and sines of positions[axis[j]][i] · inv_freq[j]; an angle a thread. A driver's own cosine is too coarse for large
// angles: they are brought to -π/4 to π/4 here, exactly for angles below 2^17, and polynomials do the rest.

struct Params {
    n: u32,
    axes: u32,
    half: u32,
    positions_offset: u32,
    inv_freq_offset: u32,
    axis_offset: u32,
    out_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> positions: array<f32>; // [axes, n]
@group(0) @binding(1) var<storage, read> inv_freq: array<f32>; // [half]
@group(0) @binding(2) var<storage, read> axis: array<u32>; // [half]
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // [n, 2 · half], cosines before sines

const SIZE: u32 = 64;

// π/2 in pieces of at most 7 bits, so that their products with a count of quarter turns below 2^17 are exact.
const QUARTER_1: f32 = 1.5625;
const QUARTER_2: f32 = 0.0081787109375;
const QUARTER_3: f32 = 0.00011730194091796875;
const QUARTER_4: f32 = 3.129243850708008e-07;
const QUARTER_5: f32 = 9.89530235528946e-10;
const QUARTER_6: f32 = 2.56334407e-12; // rounded

// Cosine and sine, by the polynomials of Moshier's Cephes library.
fn cos_sin(angle: f32) -> vec2<f32> {
    let turns = round(angle * 0.63661977);
    var r = angle - turns * QUARTER_1;
    r -= turns * QUARTER_2;
    r -= turns * QUARTER_3;
    r -= turns * QUARTER_4;
    r -= turns * QUARTER_5;
    r -= turns * QUARTER_6;
    let z = r * r;
    let sine = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
    let cosine = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z - 0.5 * z + 1.0;
    switch i32(turns) & 3 {
        case 0: { return vec2(cosine, sine); }
        case 1: { return vec2(-sine, cosine); }
        case 2: { return vec2(-cosine, -sine); }
        default: { return vec2(sine, -cosine); }
    }
}

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.y * groups.x + group.x) * SIZE + thread;
    let i = at / params.half;
    let j = at % params.half;
    if i >= params.n {
        return;
    }
    let row = min(axis[params.axis_offset + j], params.axes - 1);
    let position = positions[params.positions_offset + row * params.n + i];
    let value = cos_sin(position * inv_freq[params.inv_freq_offset + j]);
    let to = params.out_offset + i * 2 * params.half + j;
    out[to] = value.x;
    out[to + params.half] = value.y;
}
