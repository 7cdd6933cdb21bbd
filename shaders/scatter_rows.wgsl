// A copy of x in which the rows named by index are replaced, the last for a place winning, or added to in order; one workgroup a
// row of x. An index beyond the rows names none.
#variants ADD -

struct Params {
    rows: u32,
    width: u32,
    count: u32,
    x_offset: u32,
    changes_offset: u32,
    index_offset: u32,
    out_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>; // [rows, width]
@group(0) @binding(1) var<storage, read> changes: array<f32>; // [count, width]
@group(0) @binding(2) var<storage, read> index: array<u32>; // [count]
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // [rows, width]

const SIZE: u32 = 256;

// Before and behind the changes that name this workgroup's row.
var<workgroup> first: atomic<u32>;
var<workgroup> end: atomic<u32>;

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = group.y * groups.x + group.x;
    if row >= params.rows {
        return;
    }
    if thread == 0 {
        atomicStore(&first, params.count);
        atomicStore(&end, 0u);
    }
    workgroupBarrier();
    for (var j = thread; j < params.count; j += SIZE) {
        if index[params.index_offset + j] == row {
            atomicMin(&first, j);
            atomicMax(&end, j + 1);
        }
    }
    workgroupBarrier();
    let begin = atomicLoad(&first);
    let behind = atomicLoad(&end);
    for (var i = thread; i < params.width; i += SIZE) {
        var value = x[params.x_offset + row * params.width + i];
#ifdef ADD
        for (var j = begin; j < behind; j++) {
            if index[params.index_offset + j] == row {
                value += changes[params.changes_offset + j * params.width + i];
            }
        }
#else
        if begin < behind {
            value = changes[params.changes_offset + (behind - 1) * params.width + i];
        }
#endif
        out[params.out_offset + row * params.width + i] = value;
    }
}
