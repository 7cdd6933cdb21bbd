// Brings the rows of each expert together: `order` lists the rows by expert and `tiles` cuts each expert's list into tiles of
// `height` rows. One workgroup an expert. Its tiles begin at before / height + expert, where `before` rows belong to earlier experts:
// so no expert needs to know the others' tiles, and at most one place for each of them stays empty. An index beyond the experts
// counts as the last.

struct Params {
    rows: u32,
    experts: u32,
    height: u32,
    index_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> index: array<u32>; // [rows]
@group(0) @binding(1) var<storage, read_write> order: array<u32>; // [rows]
@group(0) @binding(2) var<storage, read_write> tiles: array<vec4<u32>>; // [rows / height + experts]: expert, first of order, rows, 0

const SIZE: u32 = 128;
// Rows of earlier experts and of this one, among those that each thread looks at.
var<workgroup> counts: array<vec2<u32>, SIZE>;

fn expert_of(row: u32) -> u32 {
    return min(index[params.index_offset + row], params.experts - 1);
}

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let expert = group.x;
    let share = (params.rows + SIZE - 1) / SIZE;
    let begin = min(thread * share, params.rows);
    let end = min(begin + share, params.rows);
    var count = vec2<u32>();
    for (var row = begin; row < end; row++) {
        let e = expert_of(row);
        count += vec2(select(0u, 1u, e < expert), select(0u, 1u, e == expert));
    }
    counts[thread] = count;
    workgroupBarrier();

    var total = vec2<u32>();
    var mine = 0u;
    for (var i = 0u; i < SIZE; i++) {
        if i == thread {
            mine = total.y;
        }
        total += counts[i];
    }
    let before = total.x;
    var to = before + mine;
    for (var row = begin; row < end; row++) {
        if expert_of(row) == expert {
            order[to] = row;
            to++;
        }
    }

    let first = before / params.height + expert;
    let next = (before + total.y) / params.height + expert + 1;
    for (var tile = first + thread; tile < next; tile += SIZE) {
        let done = min((tile - first) * params.height, total.y);
        tiles[tile] = vec4(expert, before + done, min(total.y - done, params.height), 0u);
    }
}
