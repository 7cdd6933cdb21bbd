// Each head of queries and keys normalised (where NORM is 1) and turned by its position; queries go to `out`, keys and values
// to their rings behind the `past` rows before them. One workgroup a head of a row: first all heads of q, then k, then v.
#variants F16 F32
#variants SUBGROUPS -

struct Params {
    rows: u32,
    heads: u32,
    kv_heads: u32,
    capacity: u32,
    eps: f32,
    q_offset: u32,
    k_offset: u32,
    v_offset: u32,
    table_offset: u32,
    past_offset: u32,
    norm_q_offset: u32,
    norm_k_offset: u32,
    out_offset: u32,
    keys_offset: u32,
    values_offset: u32,
}

override DIM: u32 = 128;
override NORM: u32 = 1;

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> q: array<f32>; // [rows, heads * DIM]
@group(0) @binding(1) var<storage, read> k: array<f32>; // [rows, kv_heads * DIM]
@group(0) @binding(2) var<storage, read> v: array<f32>; // [rows, kv_heads * DIM]
@group(0) @binding(3) var<storage, read> table: array<f32>; // [rows, DIM]: cosines, then sines
@group(0) @binding(4) var<storage, read> past: array<u32>; // [1]
@group(0) @binding(5) var<storage, read> norm_q: array<f32>; // [DIM]
@group(0) @binding(6) var<storage, read> norm_k: array<f32>; // [DIM]
@group(0) @binding(7) var<storage, read_write> out: array<f32>; // [rows, heads * DIM]
#ifdef F16
@group(0) @binding(8) var<storage, read_write> keys: array<u32>; // [capacity, kv_heads * DIM], pairs of f16
@group(0) @binding(9) var<storage, read_write> values: array<u32>; // like keys
#else
@group(0) @binding(8) var<storage, read_write> keys: array<f32>; // [capacity, kv_heads * DIM]
@group(0) @binding(9) var<storage, read_write> values: array<f32>; // like keys
#endif

const SIZE: u32 = 64;
#import "shared/half.wgsl"
#import "shared/reduce.wgsl"

/// The head at hand, normalised.
var<workgroup> head: array<f32, DIM>;

/// Element `i` of the head, turned by the row's position.
fn turned(row: u32, i: u32) -> f32 {
    let half = DIM / 2;
    let j = i % half;
    let cosine = table[params.table_offset + row * DIM + j];
    let sine = table[params.table_offset + row * DIM + half + j];
    let other = head[(i + half) % DIM];
    return head[i] * cosine + select(other, -other, i < half) * sine;
}

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
#ifdef SUBGROUPS
    @builtin(subgroup_size) subgroup_size: u32,
#endif
) {
    let all = params.heads + 2 * params.kv_heads;
    let id = group.y * groups.x + group.x;
    let row = id / all;
    if row >= params.rows {
        return;
    }
    let unit = id % all;
    let is_q = unit < params.heads;
    let is_v = unit >= params.heads + params.kv_heads;
    let at = select(select(unit - params.heads, unit - params.heads - params.kv_heads, is_v), unit, is_q);
    let source = (row * select(params.kv_heads, params.heads, is_q) + at) * DIM;

    var squares = 0.0;
    for (var i = thread; i < DIM; i += SIZE) {
        var x: f32;
        if is_q {
            x = q[params.q_offset + source + i];
        } else if is_v {
            x = v[params.v_offset + source + i];
        } else {
            x = k[params.k_offset + source + i];
        }
        head[i] = x;
        squares += x * x;
    }
    if NORM == 1 && !is_v {
#ifdef SUBGROUPS
        squares = workgroup_sum(squares, thread, subgroup_size);
#else
        squares = workgroup_sum(squares, thread);
#endif
        let scale = inverseSqrt(squares / f32(DIM) + params.eps);
        for (var i = thread; i < DIM; i += SIZE) {
            let weight = select(norm_k[params.norm_k_offset + i], norm_q[params.norm_q_offset + i], is_q);
            head[i] *= scale * weight;
        }
    }
    workgroupBarrier();

    if is_q {
        for (var i = thread; i < DIM; i += SIZE) {
            out[params.out_offset + source + i] = turned(row, i);
        }
        return;
    }
    let slot = (past[params.past_offset] + row) % params.capacity;
    let place = (slot * params.kv_heads + at) * DIM;
#ifdef F16
    for (var i = 2 * thread; i < DIM; i += 2 * SIZE) {
        if is_v {
            values[(params.values_offset + place + i) / 2] = pack_halves(vec2(head[i], head[i + 1]));
        } else {
            keys[(params.keys_offset + place + i) / 2] = pack_halves(vec2(turned(row, i), turned(row, i + 1)));
        }
    }
#else
    for (var i = thread; i < DIM; i += SIZE) {
        if is_v {
            values[params.values_offset + place + i] = head[i];
        } else {
            keys[params.keys_offset + place + i] = turned(row, i);
        }
    }
#endif
}
