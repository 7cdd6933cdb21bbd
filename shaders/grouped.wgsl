// Products of rows with the matrices of their experts, in f32 throughout; one workgroup a tile: rows of one expert, columns of out.
// GATED: out = silu(x · Gateᵀ) · (x · Upᵀ); else out = x · Wᵀ.

@group(0) @binding(0) var<storage, read> x: array<f32>; // [rows / each, k]
#import "shared/grouped.wgsl"
#import "shared/tile.wgsl"
var<workgroup> rows: array<u32, ROWS>;

#ifdef GATED
fn store(row: u32, column: u32, sums: vec4<f32>) {
    let to = params.out_offset + row * params.o + column;
    if column < params.o {
        out[to] = silu(sums.x) * sums.z;
    }
    if column + 16 < params.o {
        out[to + 16] = silu(sums.y) * sums.w;
    }
}
#else
fn store(row: u32, column: u32, sums: vec4<f32>) {
    for (var i = 0u; i < 4; i++) {
        let c = column + 16 * i;
        if c < params.o {
            out[params.out_offset + row * params.o + c] = sums[i];
        }
    }
}
#endif

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let tile = tiles[group.x];
    if tile.z == 0 {
        return;
    }
    let first_column = group.y * OUTPUTS;
    if thread < ROWS {
        let row = order[tile.y + min(thread, tile.z - 1)];
        rows[thread] = row;
        x_at[thread] = params.x_offset + row / params.each * params.k;
    }
    find_weights(thread, tile.x * params.o, first_column);
    let sums = tile_sums(thread, 0u, params.k);
    let row = thread / 16;
    let column = first_column + thread % 16;
    if row < tile.z {
        store(rows[row], column, sums.a);
    }
#ifdef LARGE
    if row + 16 < tile.z {
        store(rows[row + 16], column, sums.b);
    }
    if row + 32 < tile.z {
        store(rows[row + 32], column, sums.c);
    }
    if row + 48 < tile.z {
        store(rows[row + 48], column, sums.d);
    }
#endif
}
