enable f16;
enable wgpu_cooperative_matrix;
// As grouped.wgsl, on matrix cores.

@group(0) @binding(0) var<storage, read> x: array<vec4<f16>>; // [rows / each, 2 + k / 4], see pack_rows.wgsl
#import "shared/grouped.wgsl"
#import "shared/coop_tile.wgsl"
// Rows of out.
var<workgroup> out_rows: array<u32, ROWS>;

// The tile's first column and its rows.
var<private> first_column: u32;
var<private> count: u32;

fn store_bands(thread: u32, first: u32) {
    for (var i = thread; i < 2 * FRAGMENT * OUTPUTS; i += SIZE) {
        let row = row_of_band(first, i / OUTPUTS);
        let column = first_column + i % OUTPUTS;
        if row < count && column < params.o {
            let at = i / OUTPUTS * COLUMNS + i % OUTPUTS;
            let factor = row_factor(row);
            let to = params.out_offset + out_rows[row] * params.o + column;
#ifdef GATED
            out[to] = silu(bands[at] * factor) * (bands[at + OUTPUTS] * factor);
#else
            out[to] = bands[at] * factor;
#endif
        }
    }
}

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
    @builtin(subgroup_id) subgroup: u32,
) {
    let tile = tiles[group.x];
    if tile.z == 0 {
        return;
    }
    first_column = group.y * OUTPUTS;
    count = tile.z;
    let x_pitch = (params.k + DEPTH - 1) / DEPTH * (DEPTH / 8) + 1;
    for (var i = thread; i < ROWS; i += SIZE) {
        let row = order[tile.y + min(i, tile.z - 1)];
        out_rows[i] = row;
        x_at[i] = row / params.each * x_pitch + 1;
    }
    find_weights(thread, tile.x * params.o, first_column);
    tile_product(thread, subgroup, 0u, params.k);
}
