// Sums of table rows: out_i = add_i + Σ_t weights[i, t] · table[ids[i, t]], in the order of t; an element a thread.
#variants F32 F16 BF16 Q8_0 Q4

struct Params {
    n: u32,
    terms: u32,
    width: u32,
    pitch: u32, // elements from row to row of the table
    first: u32, // the view's first row
    rows: u32,
    has_weights: u32,
    has_add: u32,
    ids_offset: u32,
    weights_offset: u32,
    add_offset: u32,
    out_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> ids: array<u32>; // [n, terms]
@group(0) @binding(1) var<storage, read> table: array<u32>; // [rows, width], as many elements as fit in a word
@group(0) @binding(2) var<storage, read> scales: array<u32>; // [rows, blocks], one f16 a block for Q8_0, two for Q4
@group(0) @binding(3) var<storage, read> weights: array<f32>; // [n, terms] where there are weights
@group(0) @binding(4) var<storage, read> add: array<f32>; // [n, width] where there is something to add
@group(0) @binding(5) var<storage, read_write> out: array<f32>; // [n, width]

const SIZE: u32 = 256;

fn element(row: u32, column: u32) -> f32 {
    let at = row * params.pitch + column;
#ifdef F32
    return bitcast<f32>(table[at]);
#endif
#ifdef F16
    return unpack2x16float(table[at / 2])[at % 2];
#endif
#ifdef BF16
    return bitcast<f32>(select(table[at / 2] << 16, table[at / 2] & 0xffff0000u, at % 2 == 1));
#endif
#ifdef Q8_0
    let block = at / 32;
    let quant = extractBits(bitcast<i32>(table[at / 4]), 8 * (at % 4), 8u);
    return unpack2x16float(scales[block / 2])[block % 2] * f32(quant);
#endif
#ifdef Q4
    // Byte j of a block holds weight j, and in its upper half weight j + 16.
    let block = at / 32;
    let quant = extractBits(table[4 * block + at % 16 / 4], 8 * (at % 4) + 4 * (at % 32 / 16), 4u);
    let scale = unpack2x16float(scales[block]);
    return scale.x * f32(quant) + scale.y;
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
    if params.has_add != 0 {
        sum = add[params.add_offset + at];
    }
    for (var t = i * params.terms; t < (i + 1) * params.terms; t++) {
        // Nothing outside the table can be read.
        let row = params.first + min(ids[params.ids_offset + t], params.rows - 1);
        var value = element(row, at % params.width);
        if params.has_weights != 0 {
            value *= weights[params.weights_offset + t];
        }
        sum += value;
    }
    out[params.out_offset + at] = sum;
}
