// The first stage over a large vocabulary: the best tokens of each chunk of it, in no order; one workgroup a chunk.
#import "shared/sampling.wgsl"

@group(0) @binding(2) var<storage, read_write> candidates: array<vec2<u32>>; // [chunks, count]: key and inverted id, or zeros
@group(0) @binding(3) var<storage, read_write> parts: array<u32>; // [chunks, 3]: largest key, sum of weights, whether there is NaN

override CHUNK: u32;
const SIZE: u32 = 256;
#import "shared/select.wgsl"

var<workgroup> keys: array<u32, CHUNK>;
var<workgroup> largest: atomic<u32>;
var<workgroup> least: atomic<u32>;
var<workgroup> taken: atomic<u32>;

// Of equals the lower id is the larger item.
fn item(i: u32) -> vec2<u32> {
    return vec2(keys[i], ~i);
}

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first = group.x * CHUNK;
    let items = min(CHUNK, params.vocabulary - first);
    if thread == 0 {
        atomicStore(&largest, 0u);
        atomicStore(&least, INFINITE);
        atomicStore(&taken, 0u);
    }
    workgroupBarrier();
    var high = 0u;
    var low = INFINITE;
    for (var i = thread; i < items; i += SIZE) {
        let key = logit_key(first + i);
        keys[i] = key;
        high = max(high, key);
        low = min(low, key);
    }
    atomicMax(&largest, high);
    atomicMin(&least, low);
    workgroupBarrier();
    high = atomicLoad(&largest);
    var sum = 0.0;
    if params.all != 0 {
        for (var i = thread; i < items; i += SIZE) {
            sum += weight(keys[i], high);
        }
        sum = workgroup_scan(sum, thread).y;
    }
    if thread == 0 {
        parts[3 * group.x] = high;
        parts[3 * group.x + 1] = bitcast<u32>(sum);
        parts[3 * group.x + 2] = u32(atomicLoad(&least) == 0);
    }

    var edge = vec2(0u);
    if items > params.count {
        edge = select_largest(items, params.count, thread);
    }
    let to = group.x * params.count;
    for (var i = thread; i < items; i += SIZE) {
        if at_least(item(i), edge) {
            candidates[to + atomicAdd(&taken, 1u)] = vec2(keys[i], ~(first + i));
        }
    }
    for (var i = items + thread; i < params.count; i += SIZE) {
        candidates[to + i] = vec2(0u);
    }
}
