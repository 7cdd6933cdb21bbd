// out_t = residual_t + Σ_j share[t, j] · (down_e · mid[t, j]), e = index[t, j]: for token t, one product of the K rows of mid, taken as
// one row, with rows that are put together from those of its experts.
#variants EXPERTS

struct Params {
    rows: u32, // tokens
    width: u32, // unused
    chunks: u32, // of K experts' rows
    x_at: u32,
    norm_at: u32, // unused
    eps: f32, // unused
    outputs: u32, // rows of one expert
    first: u32, // the first of them in the binding
    experts: u32,
    index_at: u32,
    share_at: u32,
    has_residual: u32,
    residual_at: u32,
    out_at: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>; // mid [rows, K, width]
@group(0) @binding(1) var<storage, read> norm: array<vec4<f32>>; // unused
@group(0) @binding(2) var<storage, read> weight: array<vec4<u32>>; // [experts, outputs, EACH]
@group(0) @binding(3) var<storage, read> scales: array<u32>;
@group(0) @binding(4) var<storage, read> index: array<u32>; // [rows, K]
@group(0) @binding(5) var<storage, read> share: array<f32>; // [rows, K]
@group(0) @binding(6) var<storage, read> residual: array<f32>; // [rows, outputs], or x
@group(0) @binding(7) var<storage, read_write> out: array<f32>; // [rows, outputs]

// Experts of a token.
override K: u32 = 1;
// 16-byte pieces in a row of one expert.
override EACH: u32 = 1;
override HEIGHT: u32 = SIZE / LANES * ROWS;
#import "shared/few_rows.wgsl"

// HEIGHT results of one token.
struct Tile {
    row: u32,
    token: u32,
}

fn tile_of(number: u32) -> Tile {
    return Tile(number / params.rows * HEIGHT, number % params.rows);
}

fn x_row(tile: Tile) -> u32 {
    return tile.token;
}

fn x_share(token: u32, chunk: u32) -> f32 {
    return share[params.share_at + token * K + chunk / EACH];
}

fn fetch(tile: Tile, team: u32, chunk: u32) -> Batch {
    var batch: Batch;
    for (var s = 0u; s < STEPS; s++) {
        let c = chunk + s * LANES;
        let expert = min(index[params.index_at + tile.token * K + c / EACH], params.experts - 1);
        for (var r = 0u; r < ROWS; r++) {
            let row = expert * params.outputs + min(tile.row + team * ROWS + r, params.outputs - 1);
            let at = (params.first + row) * EACH + c % EACH;
            batch.pieces[s * ROWS + r] = weight[at];
#ifdef BLOCKS
            batch.scales[s * ROWS + r] = scales_of(scales[scales_at(at)], at);
#endif
        }
    }
    return batch;
}

// The residual.
alias Extra = f32;

fn extra(tile: Tile, result: vec2<u32>) -> Extra {
    if params.has_residual == 0 {
        return 0.0;
    }
    let row = min(tile.row + result.x, params.outputs - 1);
    return residual[params.residual_at + tile.token * params.outputs + row];
}

fn store(tile: Tile, result: vec2<u32>, extra: Extra, part: u32) {
    let row = tile.row + result.x;
    if row < params.outputs {
        let v = extra + total(result.x / ROWS, result.x % ROWS, part);
        out[params.out_at + tile.token * params.outputs + row] = v;
    }
}
