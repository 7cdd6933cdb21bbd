enable f16;
enable wgpu_cooperative_matrix;
// As matmul.wgsl, on matrix cores.

@group(0) @binding(0) var<storage, read> x: array<vec4<f16>>; // [n, 2 + k / 4], see pack_rows.wgsl
#import "shared/product.wgsl"
#import "shared/coop_tile.wgsl"

// The workgroup.
var<private> place: vec3<u32>;

fn store_bands(thread: u32, first: u32) {
    for (var i = thread; i < 2 * FRAGMENT * OUTPUTS; i += SIZE) {
        let tile_row = row_of_band(first, i / OUTPUTS);
        let row = place.x * ROWS + tile_row;
        let column = place.y * OUTPUTS + i % OUTPUTS;
        if row < params.n && column < params.o {
            let at = i / OUTPUTS * COLUMNS + i % OUTPUTS;
            let factor = row_factor(tile_row);
            let to = params.out_offset + row * params.o + column;
#ifdef GATED
            out[to] = silu(bands[at] * factor) * (bands[at + OUTPUTS] * factor);
#else
            out[to + place.z * params.n * params.o] = epilogue(bands[at] * factor, row, column);
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
    place = group;
    let x_pitch = (params.k + DEPTH - 1) / DEPTH * (DEPTH / 8) + 1;
    for (var i = thread; i < ROWS; i += SIZE) {
        x_at[i] = min(group.x * ROWS + i, params.n - 1) * x_pitch + 1;
    }
    find_weights(thread, 0u, group.y * OUTPUTS);
#ifdef GATED
    tile_product(thread, subgroup, 0u, params.k);
#else
    let begin = group.z * params.part;
    tile_product(thread, subgroup, begin, min(begin + params.part, params.k));
#endif
}
