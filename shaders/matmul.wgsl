// Products of many rows with a matrix, in f32 throughout; one workgroup a tile of out. GATED: out = silu(x · Wᵀ) · (x · Upᵀ). Else
// out = residual + sigmoid(gate) · scale · activation(x · Wᵀ + bias), or where k is split into parts, each part's sums alone.

@group(0) @binding(0) var<storage, read> x: array<f32>; // [n, k]
#import "shared/product.wgsl"
#import "shared/tile.wgsl"

#ifdef GATED
fn store(part: u32, row: u32, column: u32, sums: vec4<f32>) {
    if row >= params.n {
        return;
    }
    let to = params.out_offset + row * params.o + column;
    if column < params.o {
        out[to] = silu(sums.x) * sums.z;
    }
    if column + 16 < params.o {
        out[to + 16] = silu(sums.y) * sums.w;
    }
}
#else
fn store(part: u32, row: u32, column: u32, sums: vec4<f32>) {
    if row >= params.n {
        return;
    }
    let to = params.out_offset + (part * params.n + row) * params.o;
    for (var i = 0u; i < 4; i++) {
        let c = column + 16 * i;
        if c < params.o {
            out[to + c] = epilogue(sums[i], row, c);
        }
    }
}
#endif

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first_row = group.x * ROWS;
    let first_column = group.y * OUTPUTS;
    if thread < ROWS {
        x_at[thread] = params.x_offset + min(first_row + thread, params.n - 1) * params.k;
    }
    find_weights(thread, 0u, first_column);
#ifdef GATED
    let sums = tile_sums(thread, 0u, params.k);
#else
    let begin = group.z * params.part;
    let sums = tile_sums(thread, begin, min(begin + params.part, params.k));
#endif
    let row = first_row + thread / 16;
    let column = first_column + thread % 16;
    store(group.z, row, column, sums.a);
#ifdef LARGE
    store(group.z, row + 16, column, sums.b);
    store(group.z, row + 32, column, sums.c);
    store(group.z, row + 48, column, sums.d);
#endif
}
