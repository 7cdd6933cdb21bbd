// A tile of ROWS by COLUMNS products x · Wᵀ on matrix cores: f16 factors, f32 sums. Eight subgroups share it, each with half of the
// rows and two fragments' columns; further ones, where subgroups are smaller than foreseen, repeat what others do. What comes next is
// loaded while the cores are busy.
//
// No product stands in a condition, even one that all threads agree on: NVIDIA's compiler makes nonsense of all of them then.
//
// The importing shader has the binding `x`, which pack_rows.wgsl has written, fills `x_at`, and defines `store_bands(thread, row)`, which
// writes the bands whose first row is `row` of each half of the tile.
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
// Sums of FRAGMENT rows of each half of the tile.
var<workgroup> bands: array<f32, 2 * FRAGMENT * COLUMNS>;
// Where each row of x begins, in pairs of vectors: 16 bytes.
var<workgroup> x_at: array<u32, ROWS>;

#import "shared/coop_stage.wgsl"

// The row of the tile that a row of the bands is; `first` is the bands' first row in each half.
fn row_of_band(first: u32, row: u32) -> u32 {
    return first + row % FRAGMENT + row / FRAGMENT * (ROWS / 2);
}

// Sums over the elements from begin, a multiple of DEPTH, to end, and has each band stored. (Matrices stay in variables of one
// function: drivers know few other places for them.)
fn tile_product(thread: u32, subgroup: u32, begin: u32, end: u32) {
    let left = subgroup % 4 * FRAGMENT;
    let right = left + 4 * FRAGMENT;
    let half = subgroup / 4 % 2;
    let rows = half * (ROWS / 2) * STRIDE;
    // The half's first fragments, and the next.
    var a0 = Sum();
    var a1 = Sum();
#ifdef LARGE
    var b0 = Sum();
    var b1 = Sum();
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
            let a = coopLoadT<Left>(&x_tile[rows + k], STRIDE);
            a0 = coopMultiplyAdd(a, w0, a0);
            a1 = coopMultiplyAdd(a, w1, a1);
#ifdef LARGE
            let b = coopLoadT<Left>(&x_tile[rows + FRAGMENT * STRIDE + k], STRIDE);
            b0 = coopMultiplyAdd(b, w0, b0);
            b1 = coopMultiplyAdd(b, w1, b1);
#endif
        }
        // This part has been used.
        workgroupBarrier();
    }
    let band = half * FRAGMENT * COLUMNS;
    coopStoreT(a0, &bands[band + left], COLUMNS);
    coopStoreT(a1, &bands[band + right], COLUMNS);
    workgroupBarrier();
    store_bands(thread, 0u);
#ifdef LARGE
    workgroupBarrier();
    coopStoreT(b0, &bands[band + left], COLUMNS);
    coopStoreT(b1, &bands[band + right], COLUMNS);
    workgroupBarrier();
    store_bands(thread, FRAGMENT);
#endif
}
