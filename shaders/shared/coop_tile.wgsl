// A tile of ROWS by COLUMNS products x · Wᵀ on matrix cores: f16 factors, f32 sums. Four subgroups share it, each with all rows of
// two fragments' columns; further ones, where subgroups are smaller than foreseen, repeat what others do. What comes next is loaded
// while the cores are busy.
//
// No product stands in a condition, even one that all threads agree on: NVIDIA's compiler makes nonsense of all of them then.
//
// The importing shader has the binding `x`, which pack_rows.wgsl has written, fills `x_at`, and defines `store_band(thread, row)`, which
// writes the band whose first row of the tile is `row`.
#variants F16 BF16 Q8_0 Q4
#variants LARGE -

#import "shared/coop_shape.wgsl"
#ifdef LARGE
const ROWS: u32 = 4 * FRAGMENT;
#else
const ROWS: u32 = 2 * FRAGMENT;
#endif
const COLUMNS: u32 = 8 * FRAGMENT;
// Elements of a row in workgroup memory, and vectors from row to row: two more, so that 8 rows lie in different banks.
const DEPTH: u32 = 64;
const STRIDE: u32 = DEPTH / 4 + 2;
#import "shared/tile_weights.wgsl"
var<workgroup> x_tile: array<vec4<f16>, ROWS * STRIDE>;
var<workgroup> weight_tile: array<vec4<f16>, COLUMNS * STRIDE>;
// Sums of FRAGMENT rows.
var<workgroup> band: array<f32, FRAGMENT * COLUMNS>;
// Where each row of x begins, in pairs of vectors: 16 bytes.
var<workgroup> x_at: array<u32, ROWS>;

#import "shared/coop_stage.wgsl"

// Sums over the elements from begin, a multiple of DEPTH, to end, and has each band stored. (Matrices stay in variables of one
// function: drivers know few other places for them.)
fn tile_product(thread: u32, subgroup: u32, begin: u32, end: u32) {
    let slice = subgroup % 4;
    let left = slice * FRAGMENT;
    let right = (4 + slice) * FRAGMENT;
    // Rows FRAGMENT · i of the tile, i from a on, in the subgroup's two fragments of columns.
    var a0 = Sum();
    var a1 = Sum();
    var b0 = Sum();
    var b1 = Sum();
#ifdef LARGE
    var c0 = Sum();
    var c1 = Sum();
    var d0 = Sum();
    var d1 = Sum();
#endif
    // The tables are written.
    workgroupBarrier();
    load_next(thread, begin);
    for (var start = begin; start < end; start += DEPTH) {
        stage_next(thread);
        workgroupBarrier();
        if start + DEPTH < end {
            load_next(thread, start + DEPTH);
        }
        for (var k = 0u; k < DEPTH / 4; k += FRAGMENT / 4) {
            let w0 = coopLoad<Right>(&weight_tile[left * STRIDE + k], STRIDE);
            let w1 = coopLoad<Right>(&weight_tile[right * STRIDE + k], STRIDE);
            let a = coopLoadT<Left>(&x_tile[k], STRIDE);
            a0 = coopMultiplyAdd(a, w0, a0);
            a1 = coopMultiplyAdd(a, w1, a1);
            let b = coopLoadT<Left>(&x_tile[FRAGMENT * STRIDE + k], STRIDE);
            b0 = coopMultiplyAdd(b, w0, b0);
            b1 = coopMultiplyAdd(b, w1, b1);
#ifdef LARGE
            let c = coopLoadT<Left>(&x_tile[2 * FRAGMENT * STRIDE + k], STRIDE);
            c0 = coopMultiplyAdd(c, w0, c0);
            c1 = coopMultiplyAdd(c, w1, c1);
            let d = coopLoadT<Left>(&x_tile[3 * FRAGMENT * STRIDE + k], STRIDE);
            d0 = coopMultiplyAdd(d, w0, d0);
            d1 = coopMultiplyAdd(d, w1, d1);
#endif
        }
        // This part has been used.
        workgroupBarrier();
    }
    coopStoreT(a0, &band[left], COLUMNS);
    coopStoreT(a1, &band[right], COLUMNS);
    workgroupBarrier();
    store_band(thread, 0u);
    workgroupBarrier();
    coopStoreT(b0, &band[left], COLUMNS);
    coopStoreT(b1, &band[right], COLUMNS);
    workgroupBarrier();
    store_band(thread, FRAGMENT);
#ifdef LARGE
    workgroupBarrier();
    coopStoreT(c0, &band[left], COLUMNS);
    coopStoreT(c1, &band[right], COLUMNS);
    workgroupBarrier();
    store_band(thread, 2 * FRAGMENT);
    workgroupBarrier();
    coopStoreT(d0, &band[left], COLUMNS);
    coopStoreT(d1, &band[right], COLUMNS);
    workgroupBarrier();
    store_band(thread, 3 * FRAGMENT);
#endif
}
