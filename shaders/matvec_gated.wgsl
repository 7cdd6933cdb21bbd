// mid = silu(gate · y) ⊙ (up · y) for few rows of x; y is x, or x / rms(x) · norm. With SHARE above 0, rows of x choose experts: row t
// of x is multiplied with those that index[t] names, SHARE in number.

struct Params {
    rows: u32, // of x
    width: u32, // of x, without padding
    chunks: u32,
    x_at: u32,
    norm_at: u32,
    eps: f32,
    outputs: u32, // rows of gate and of up; with experts, of one
    gate_first: u32, // the first of them in the binding
    up_first: u32,
    experts: u32,
    index_at: u32,
    out_at: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>; // [rows, width]
@group(0) @binding(1) var<storage, read> norm: array<vec4<f32>>; // [width], or x
@group(0) @binding(2) var<storage, read> gate: array<vec4<u32>>; // [experts, outputs, chunks]
@group(0) @binding(3) var<storage, read> gate_scales: array<u32>;
@group(0) @binding(4) var<storage, read> up: array<vec4<u32>>; // [experts, outputs, chunks]
@group(0) @binding(5) var<storage, read> up_scales: array<u32>;
@group(0) @binding(6) var<storage, read> index: array<u32>; // [rows, SHARE], or x
@group(0) @binding(7) var<storage, read_write> out: array<f32>; // [rows, max(SHARE, 1), outputs]

override SHARE: u32 = 0;
override HEIGHT: u32 = SIZE / LANES * PAIRS;
// A team's rows are PAIRS rows of gate, then those of up.
override PAIRS: u32 = ROWS / 2;
#import "shared/activation.wgsl"
#import "shared/few_rows.wgsl"

// HEIGHT rows of gate and up, `first` rows behind the start of both; COLUMNS rows of x, and where they come in the result.
struct Tile {
    row: u32,
    first: u32,
    x_row: u32,
    out_row: u32,
}

fn tile_of(number: u32) -> Tile {
    if SHARE > 0 {
        let times = params.rows * SHARE;
        let row = number % times;
        let expert = min(index[params.index_at + row], params.experts - 1);
        return Tile(number / times * HEIGHT, expert * params.outputs, row / max(SHARE, 1u), row);
    }
    let columns = (params.rows + COLUMNS - 1) / COLUMNS;
    let row = number % columns * COLUMNS;
    return Tile(number / columns * HEIGHT, 0u, row, row);
}

fn x_row(tile: Tile) -> u32 {
    return tile.x_row;
}

fn fetch(tile: Tile, team: u32, chunk: u32) -> Batch {
    var batch: Batch;
    for (var s = 0u; s < STEPS; s++) {
        for (var r = 0u; r < PAIRS; r++) {
            let row = tile.first + min(tile.row + team * PAIRS + r, params.outputs - 1);
            let c = chunk + s * LANES;
            let gate_at = (params.gate_first + row) * params.chunks + c;
            let up_at = (params.up_first + row) * params.chunks + c;
            let i = s * ROWS + r;
            batch.pieces[i] = gate[gate_at];
            batch.pieces[i + PAIRS] = up[up_at];
#ifdef BLOCKS
            batch.scales[i] = gate_scales[scales_at(gate_at)];
            batch.shifts[i] = shift_of(gate_at);
            batch.scales[i + PAIRS] = up_scales[scales_at(up_at)];
            batch.shifts[i + PAIRS] = shift_of(up_at);
#endif
        }
    }
    return batch;
}

// Results need nothing else.
alias Extra = u32;

fn extra(tile: Tile, result: vec2<u32>) -> Extra {
    return 0u;
}

fn store(tile: Tile, result: vec2<u32>, extra: Extra, part: u32) {
    let row = tile.row + result.x;
    if row < params.outputs && tile.x_row + result.y < params.rows {
        let team = result.x / PAIRS;
        let r = result.x % PAIRS;
        let gated = silu(normed_total(team, r, result.y, part));
        let v = gated * normed_total(team, PAIRS + r, result.y, part);
        out[params.out_at + (tile.out_row + result.y) * params.outputs + row] = v;
    }
}
