// Draws among the best tokens: of all logits of a small vocabulary, or of the candidates of a large one. Where a draw may fall
// behind them, and does, it is left to the last stage. One workgroup, a token a thread once the best are sorted.
#variants LOGITS CANDIDATES
#import "shared/sampling.wgsl"
#import "shared/draw.wgsl"

const SIZE: u32 = 256;
const NONE: u32 = 0xffffffff;
#import "shared/select.wgsl"

var<workgroup> best: array<vec2<u32>, SIZE>;
var<workgroup> sorted: array<vec2<u32>, SIZE>; // key and inverted id
var<workgroup> sums: array<f32, SIZE>; // of the weights of a token and those before it
var<workgroup> taken: atomic<u32>;
var<workgroup> nan: atomic<u32>;
var<workgroup> kept: atomic<u32>;
var<workgroup> chosen: atomic<u32>;

// Of equals the lower id is the larger item.
#ifdef LOGITS
override CHUNK: u32;
var<workgroup> keys: array<u32, CHUNK>;

fn item(i: u32) -> vec2<u32> {
    return vec2(keys[i], ~i);
}
#else
@group(0) @binding(5) var<storage, read> candidates: array<vec2<u32>>; // [chunks, count]
@group(0) @binding(6) var<storage, read> parts: array<u32>; // [chunks, 3]

fn item(i: u32) -> vec2<u32> {
    return candidates[i];
}
#endif

@compute @workgroup_size(SIZE)
fn main(@builtin(local_invocation_index) thread: u32) {
    if thread == 0 {
        atomicStore(&taken, 0u);
        atomicStore(&nan, 0u);
        atomicStore(&kept, NONE);
        atomicStore(&chosen, NONE);
    }
    workgroupBarrier();
    var any_nan = false;
#ifdef LOGITS
    let items = params.vocabulary;
    for (var i = thread; i < items; i += SIZE) {
        keys[i] = logit_key(i);
        any_nan |= keys[i] == 0;
    }
#else
    let items = params.chunks * params.count;
    for (var i = thread; i < params.chunks; i += SIZE) {
        any_nan |= parts[3 * i + 2] != 0;
    }
#endif
    if any_nan {
        atomicStore(&nan, 1u);
    }
    workgroupBarrier();

    // The best, each at the place that counting the larger ones gives it.
    let count = params.count;
    var edge = vec2(0u);
    if items > count {
        edge = select_largest(items, count, thread);
    }
    for (var i = thread; i < items; i += SIZE) {
        if at_least(item(i), edge) {
            best[atomicAdd(&taken, 1u)] = item(i);
        }
    }
    workgroupBarrier();
    if thread < count {
        let own = best[thread];
        var before = 0u;
        for (var i = 0u; i < count; i++) {
            before += u32(!at_least(own, best[i]));
        }
        sorted[before] = own;
    }
    workgroupBarrier();

    let largest = sorted[0].x;
    var own = 0.0;
    if thread < count {
        own = weight(sorted[thread].x, largest);
    }
    let scan = workgroup_scan(own, thread);
    let sum = scan.x;
    sums[thread] = sum;
    var total = scan.y;
    if params.all != 0 {
        var share = 0.0;
#ifdef LOGITS
        for (var i = thread; i < items; i += SIZE) {
            share += weight(keys[i], largest);
        }
#else
        for (var i = thread; i < params.chunks; i += SIZE) {
            share += weight(parts[3 * i], largest) * bitcast<f32>(parts[3 * i + 1]);
        }
#endif
        total = workgroup_scan(share, thread).y;
    }

    // The nucleus: as many as it takes to reach top_p of the total.
    let nucleus = params.top_p < 1.0;
    if nucleus && thread < count && sum >= params.top_p * total {
        atomicMin(&kept, thread);
    }
    workgroupBarrier();
    let last = atomicLoad(&kept);
    if nucleus && last != NONE {
        total = sums[last];
    }
    if thread < count && sum > drawn_of(total) && (!nucleus || last != NONE) {
        atomicMin(&chosen, thread);
    }
    workgroupBarrier();
    if thread == 0 {
        report_nan(atomicLoad(&nan) != 0);
        let at = select(atomicLoad(&chosen), 0u, largest >= INFINITE);
        pending[0] = u32(at == NONE && largest > NOTHING);
        if largest <= NOTHING {
            finish(params.fallback);
        } else if at != NONE {
            finish(~sorted[at].y);
        }
    }
}
