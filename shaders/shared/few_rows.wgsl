// Main function of products for few rows of x. The importing shader has `Tile`, the part of the result that a workgroup makes;
// `tile_of` its number; `x_row`, the first row of x that a team takes; `fetch`, a team's weights; `store` for one finished sum; and
// HEIGHT, the results of a tile beside each other.
#import "shared/row_products.wgsl"

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
#ifdef SUBGROUPS
    @builtin(subgroup_size) subgroup_size: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) invocation: u32,
#else
    @builtin(local_invocation_index) thread: u32,
#endif
) {
#ifdef SUBGROUPS
    let thread = subgroup * subgroup_size + invocation;
    let part = min(LANES, subgroup_size);
#else
    let part = LANES;
#endif
    let tile = tile_of(group.y * groups.x + group.x);
    let team = thread / LANES;
    let row = x_row(tile, team);

    var sums: array<f32, MOST_SUMS>;
    for (var chunk = thread % LANES; chunk < params.chunks; chunk += LANES * STEPS) {
        var batch = fetch(tile, team, chunk);
        accumulate(&sums, &batch, row, chunk);
    }
    add_up(&sums, thread, part);
    for (var i = thread; i < HEIGHT * COLUMNS; i += SIZE) {
        store(tile, i % HEIGHT, i / HEIGHT, part);
    }
}
