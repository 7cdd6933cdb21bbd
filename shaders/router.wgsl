// Chooses experts for each row: softmax over all of them, then the top_k most probable, of equals the lower index first and NaN
// last; one workgroup a row. A thread counts the experts before its own: that is the place of its own.
#variants SUBGROUPS -

struct Params {
    rows: u32,
    experts: u32, // up to MOST
    top_k: u32,
    renormalise: u32,
    logits_offset: u32,
    index_offset: u32,
    weight_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> logits: array<f32>; // [rows, experts]
@group(0) @binding(1) var<storage, read_write> index: array<u32>; // [rows, top_k]
@group(0) @binding(2) var<storage, read_write> weight: array<f32>; // [rows, top_k]

const MOST: u32 = 512;
const SIZE: u32 = 128;
#import "shared/reduce.wgsl"
#import "shared/order.wgsl"

var<workgroup> keys: array<u32, MOST>;
var<workgroup> chosen: array<f32, MOST>;

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
#ifdef SUBGROUPS
    @builtin(subgroup_size) subgroup_size: u32,
#endif
) {
    let row = group.y * groups.x + group.x;
    if row >= params.rows {
        return;
    }
    let source = params.logits_offset + row * params.experts;
    var largest = logits[source];
    for (var i = thread; i < params.experts; i += SIZE) {
        let v = logits[source + i];
        keys[i] = order_key(bitcast<u32>(v));
        largest = max(largest, v);
    }
#ifdef SUBGROUPS
    largest = workgroup_max(largest, thread, subgroup_size);
#else
    largest = workgroup_max(largest, thread);
#endif
    var total = 0.0;
    for (var i = thread; i < params.experts; i += SIZE) {
        total += exp(logits[source + i] - largest);
    }
#ifdef SUBGROUPS
    total = workgroup_sum(total, thread, subgroup_size);
#else
    total = workgroup_sum(total, thread);
#endif
    for (var i = thread; i < params.experts; i += SIZE) {
        let key = keys[i];
        var before = 0u;
        for (var j = 0u; j < params.experts; j++) {
            before += u32(keys[j] > key || keys[j] == key && j < i);
        }
        if before < params.top_k {
            index[params.index_offset + row * params.top_k + before] = i;
            chosen[before] = exp(logits[source + i] - largest) / total;
        }
    }
    workgroupBarrier();
    var sum = 1.0;
    if params.renormalise != 0 {
        sum = 0.0;
        for (var i = 0u; i < params.top_k; i++) {
            sum += chosen[i];
        }
    }
    for (var i = thread; i < params.top_k; i += SIZE) {
        weight[params.weight_offset + row * params.top_k + i] = chosen[i] / sum;
    }
}
