// Sums of table rows: out_i = add_i + Σ_t weights[i, t] · table[ids[i, t]], in the order of t; an element a thread.
#variants F32 F16 BF16
#variants WEIGHTS -
#variants ADD -

struct Params {
    n: u32,
    terms: u32,
    width: u32,
    pitch: u32, // elements from row to row of the table
    first: u32, // the view's first row
    rows: u32,
    ids_offset: u32,
    out_offset: u32,
    weights_offset: u32,
    add_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> ids: array<u32>; // [n, terms]
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // [n, width]
#ifdef F32
@group(0) @binding(2) var<storage, read> table: array<f32>; // [rows, width]
#else
@group(0) @binding(2) var<storage, read> table: array<u32>; // [rows, width], two elements a word
#endif
#ifdef WEIGHTS
@group(0) @binding(3) var<storage, read> weights: array<f32>; // [n, terms]
#endif
#ifdef ADD
#ifdef WEIGHTS
@group(0) @binding(4) var<storage, read> add: array<f32>; // [n, width]
#else
@group(0) @binding(3) var<storage, read> add: array<f32>; // [n, width]
#endif
#endif

const SIZE: u32 = 256;

fn element(row: u32, column: u32) -> f32 {
    let at = row * params.pitch + column;
#ifdef F32
    return table[at];
#endif
#ifdef F16
    return unpack2x16float(table[at / 2])[at & 1];
#endif
#ifdef BF16
    return bitcast<f32>(select(table[at / 2] << 16, table[at / 2] & 0xffff0000u, (at & 1) == 1));
#endif
}

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.y * groups.x + group.x) * SIZE + thread;
    let i = at / params.width;
    if i >= params.n {
        return;
    }
    var sum = 0.0;
#ifdef ADD
    sum = add[params.add_offset + at];
#endif
    for (var t = i * params.terms; t < (i + 1) * params.terms; t++) {
        // Nothing outside the table can be read.
        let row = params.first + min(ids[params.ids_offset + t], params.rows - 1);
        let value = element(row, at % params.width);
#ifdef WEIGHTS
        sum += weights[params.weights_offset + t] * value;
#else
        sum += value;
#endif
    }
    out[params.out_offset + at] = sum;
}
