// Main function of products for few rows of x. The importing shader has `Tile`, the part of the result that a workgroup makes, and
// `tile_of` its number; `x_row`, the first row of x; `fetch`, a team's weights; HEIGHT, the results of a tile for
// one row of x, at most SIZE / COLUMNS; and for each result, which is a thread's, `extra`, all else that it needs, loaded ahead of the
// weights, and `store`.
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
    let part = 1u;
#endif
    let tile = tile_of(group.y * groups.x + group.x);
    let team = thread / LANES;
    let row = x_row(tile);
    let result = vec2(thread % HEIGHT, thread / HEIGHT);
    let more = extra(tile, result);

    // The first weights are on their way while x is made ready.
    let lane = thread % LANES;
    var batch = fetch(tile, team, min(lane, params.chunks - 1));
    prepare(row, thread);
    var sums: array<f32, MOST_SUMS>;
    for (var chunk = lane; chunk < params.chunks; chunk += LANES * STEPS) {
        if !ONCE && chunk != lane {
            batch = fetch(tile, team, chunk);
        }
        accumulate(&sums, &batch, row, chunk);
        if ONCE {
            break;
        }
    }
    add_up(&sums, thread, part);
    if result.y < COLUMNS {
        store(tile, result, more, part);
    }
}
