// out = residual + σ(gate) · scale ⊙ activation(y · Wᵀ + bias) for few rows of x; y is x, or x / rms(x) · norm.

struct Params {
    rows: u32, // of x
    width: u32, // of x, without padding
    chunks: u32,
    x_at: u32,
    norm_at: u32,
    eps: f32,
    outputs: u32, // rows of the matrix
    first: u32, // the first of them in the binding
    out_at: u32,
    given: u32, // bits 0 to 3: whether there are bias, scale, gate and residual
    bias_at: u32,
    scale_at: u32,
    gate_at: u32,
    residual_at: u32,
}

var<immediate> params: Params;
// What is not given is bound to x.
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>; // [rows, width]
@group(0) @binding(1) var<storage, read> norm: array<vec4<f32>>; // [width]
@group(0) @binding(2) var<storage, read> weight: array<vec4<u32>>; // [outputs, chunks]
@group(0) @binding(3) var<storage, read> scales: array<u32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>; // [outputs]
@group(0) @binding(5) var<storage, read> scale: array<f32>; // [outputs]
@group(0) @binding(6) var<storage, read> gate: array<f32>; // [rows]
@group(0) @binding(7) var<storage, read> residual: array<f32>; // [rows, outputs]
@group(0) @binding(8) var<storage, read_write> out: array<f32>; // [rows, outputs]

override HEIGHT: u32 = SIZE / LANES * ROWS;
#import "shared/activation.wgsl"
#import "shared/few_rows.wgsl"

// HEIGHT rows of the matrix and COLUMNS rows of x.
struct Tile {
    row: u32,
    column: u32,
}

fn tile_of(number: u32) -> Tile {
    let columns = (params.rows + COLUMNS - 1) / COLUMNS;
    return Tile(number / columns * HEIGHT, number % columns * COLUMNS);
}

fn x_row(tile: Tile) -> u32 {
    return tile.column;
}

fn fetch(tile: Tile, team: u32, chunk: u32) -> Batch {
    var batch: Batch;
    for (var s = 0u; s < STEPS; s++) {
        for (var r = 0u; r < ROWS; r++) {
            let row = min(tile.row + team * ROWS + r, params.outputs - 1);
            let at = (params.first + row) * params.chunks + chunk + s * LANES;
            batch.pieces[s * ROWS + r] = weight[at];
#ifdef BLOCKS
            batch.scales[s * ROWS + r] = scales_of(scales[scales_at(at)], at);
#endif
        }
    }
    return batch;
}

// What the epilogue does with a result.
struct Extra {
    bias: f32,
    factor: f32,
    residual: f32,
}

fn extra(tile: Tile, result: vec2<u32>) -> Extra {
    let row = min(tile.row + result.x, params.outputs - 1);
    let column = min(tile.column + result.y, params.rows - 1);
    var extra = Extra(0.0, 1.0, 0.0);
    if (params.given & 1u) != 0 {
        extra.bias = bias[params.bias_at + row];
    }
    if (params.given & 2u) != 0 {
        extra.factor = scale[params.scale_at + row];
    }
    if (params.given & 4u) != 0 {
        extra.factor *= sigmoid(gate[params.gate_at + column]);
    }
    if (params.given & 8u) != 0 {
        extra.residual = residual[params.residual_at + column * params.outputs + row];
    }
    return extra;
}

fn store(tile: Tile, result: vec2<u32>, extra: Extra, part: u32) {
    let row = tile.row + result.x;
    let column = tile.column + result.y;
    if row < params.outputs && column < params.rows {
        let sum = normed_total(result.x / ROWS, result.x % ROWS, result.y, part);
        let v = extra.residual + extra.factor * activate(sum + extra.bias);
        out[params.out_at + column * params.outputs + row] = v;
    }
}
