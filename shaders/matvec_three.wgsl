// out_i = y · W_iᵀ for three matrices and few rows of x; y is x, or x / rms(x) · norm.

struct Params {
    rows: u32, // of x
    width: u32, // of x, without padding
    chunks: u32,
    x_at: u32,
    norm_at: u32,
    eps: f32,
    outputs_a: u32, // rows of the matrix
    first_a: u32, // the first of them in the binding
    out_a_at: u32,
    outputs_b: u32,
    first_b: u32,
    out_b_at: u32,
    outputs_c: u32,
    first_c: u32,
    out_c_at: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>; // [rows, width]
@group(0) @binding(1) var<storage, read> norm: array<vec4<f32>>; // [width], or x
@group(0) @binding(2) var<storage, read> weight_a: array<vec4<u32>>; // [outputs_a, chunks]
@group(0) @binding(3) var<storage, read> scales_a: array<u32>;
@group(0) @binding(4) var<storage, read> weight_b: array<vec4<u32>>; // [outputs_b, chunks]
@group(0) @binding(5) var<storage, read> scales_b: array<u32>;
@group(0) @binding(6) var<storage, read> weight_c: array<vec4<u32>>; // [outputs_c, chunks]
@group(0) @binding(7) var<storage, read> scales_c: array<u32>;
@group(0) @binding(8) var<storage, read_write> out_a: array<f32>; // [rows, outputs_a]
@group(0) @binding(9) var<storage, read_write> out_b: array<f32>; // [rows, outputs_b]
@group(0) @binding(10) var<storage, read_write> out_c: array<f32>; // [rows, outputs_c]

override HEIGHT: u32 = SIZE / LANES * ROWS;
#import "shared/few_rows.wgsl"

// HEIGHT rows of one matrix and COLUMNS rows of x.
struct Tile {
    matrix: u32,
    row: u32,
    column: u32,
    outputs: u32,
}

fn tile_of(number: u32) -> Tile {
    let columns = (params.rows + COLUMNS - 1) / COLUMNS;
    let column = number % columns * COLUMNS;
    let tile = number / columns;
    let b = (params.outputs_a + HEIGHT - 1) / HEIGHT;
    let c = b + (params.outputs_b + HEIGHT - 1) / HEIGHT;
    if tile < b {
        return Tile(0u, tile * HEIGHT, column, params.outputs_a);
    }
    if tile < c {
        return Tile(1u, (tile - b) * HEIGHT, column, params.outputs_b);
    }
    return Tile(2u, (tile - c) * HEIGHT, column, params.outputs_c);
}

fn x_row(tile: Tile) -> u32 {
    return tile.column;
}

// Where a piece lies behind the matrix's start; rows beyond the last are the last.
fn place(tile: Tile, row: u32, chunk: u32) -> u32 {
    return min(tile.row + row, tile.outputs - 1) * params.chunks + chunk;
}

fn fetch(tile: Tile, team: u32, chunk: u32) -> Batch {
    var batch: Batch;
    if tile.matrix == 0 {
        for (var s = 0u; s < STEPS; s++) {
            for (var r = 0u; r < ROWS; r++) {
                let at = params.first_a * params.chunks + place(tile, team * ROWS + r, chunk + s * LANES);
                batch.pieces[s * ROWS + r] = weight_a[at];
#ifdef BLOCKS
                batch.scales[s * ROWS + r] = scales_a[scales_at(at)];
                batch.shifts[s * ROWS + r] = shift_of(at);
#endif
            }
        }
    } else if tile.matrix == 1 {
        for (var s = 0u; s < STEPS; s++) {
            for (var r = 0u; r < ROWS; r++) {
                let at = params.first_b * params.chunks + place(tile, team * ROWS + r, chunk + s * LANES);
                batch.pieces[s * ROWS + r] = weight_b[at];
#ifdef BLOCKS
                batch.scales[s * ROWS + r] = scales_b[scales_at(at)];
                batch.shifts[s * ROWS + r] = shift_of(at);
#endif
            }
        }
    } else {
        for (var s = 0u; s < STEPS; s++) {
            for (var r = 0u; r < ROWS; r++) {
                let at = params.first_c * params.chunks + place(tile, team * ROWS + r, chunk + s * LANES);
                batch.pieces[s * ROWS + r] = weight_c[at];
#ifdef BLOCKS
                batch.scales[s * ROWS + r] = scales_c[scales_at(at)];
                batch.shifts[s * ROWS + r] = shift_of(at);
#endif
            }
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
    let column = tile.column + result.y;
    if row >= tile.outputs || column >= params.rows {
        return;
    }
    let v = normed_total(result.x / ROWS, result.x % ROWS, result.y, part);
    let at = column * tile.outputs + row;
    switch tile.matrix {
        case 0u: {
            out_a[params.out_a_at + at] = v;
        }
        case 1u: {
            out_b[params.out_b_at + at] = v;
        }
        default: {
            out_c[params.out_c_at + at] = v;
        }
    }
}
