// Puts together what the splits of attention_decode or attention_prefill have left: their results, weighted by their shares of
// the sum of all weights. A workgroup for each head of each row; its threads take a column of four elements in some splits.

override VECTORS: u32; // of a tile there
override KEYS: u32; // of a tile there

const SIZE: u32 = 256;

#import "shared/attention_mask.wgsl"
@group(0) @binding(0) var<storage, read> parts: array<vec4<f32>>; // [splits, rows, heads, head_dim], padded to four elements
@group(0) @binding(1) var<storage, read> logs: array<f32>; // [splits, rows, heads], log2 of the sums of weights
@group(0) @binding(2) var<storage, read> at: array<u32>; // [1], past
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // [rows, heads, head_dim]

var<workgroup> sums: array<vec4<f32>, SIZE>;
var<workgroup> totals: array<f32, SIZE>;
var<workgroup> maxima: array<f32, SIZE>;

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let id = group.y * groups.x + group.x;
    let heads = params.rows * params.heads;
    if id >= heads {
        return;
    }
    let sharing = params.heads / params.kv_heads;
    let vector = id / params.heads * sharing + id % params.heads % sharing;
    let span = tile_span(vector / VECTORS);
    let keys = split_keys(span);
    let used = (span.end - span.first + keys - 1) / keys;

    let columns = (params.head_dim + 3) / 4;
    let column = thread % columns;
    let subset = thread / columns;
    let subsets = SIZE / columns;
    var largest = LOWEST;
    var total = 0.0;
    var sum = vec4<f32>();
    // Four at once, so that their loads do not wait for each other.
    for (var from_split = subset; from_split < used; from_split += 4 * subsets) {
        for (var i = 0u; i < 4; i++) {
            let split = from_split + i * subsets;
            let place = min(split, used - 1) * heads + id;
            let part = parts[place * columns + column];
            let log = select(UNSEEN, logs[place], split < used);
            let before = largest;
            largest = max(largest, log);
            let keep = exp2(before - largest);
            let share = exp2(log - largest);
            sum = sum * keep + part * share;
            total = total * keep + share;
        }
    }
    sums[thread] = sum;
    totals[thread] = total;
    maxima[thread] = largest;
    workgroupBarrier();
    if subset > 0 {
        return;
    }
    for (var i = column + columns; i < subsets * columns; i += columns) {
        let before = largest;
        largest = max(largest, maxima[i]);
        let keep = exp2(before - largest);
        let share = exp2(maxima[i] - largest);
        sum = sum * keep + sums[i] * share;
        total = total * keep + totals[i] * share;
    }
    sum /= total;
    let to = out_at(0, id) + column * 4;
    for (var i = 0u; i < min(4, params.head_dim - column * 4); i++) {
        out[to + i] = sum[i];
    }
}
