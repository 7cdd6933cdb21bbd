// Draws where the best tokens are not enough: looks for the token at which the sum of the weights, most probable first, passes
// what was drawn, digit by digit of its logit's key and its id. One workgroup; slow, and seldom needed.
#import "shared/sampling.wgsl"
#import "shared/draw.wgsl"

const SIZE: u32 = 256;
#import "shared/select.wgsl"

var<workgroup> needed: u32;
var<workgroup> largest: atomic<u32>;
var<workgroup> least: atomic<u32>;

// Of equals the lower id is the larger item.
fn item(i: u32) -> vec2<u32> {
    return vec2(logit_key(i), ~i);
}

// Sums of the weights of all items that are at least `edge`, one `unit` more, and two; no sum is larger than the one before.
fn masses(edge: vec2<u32>, unit: vec2<u32>, thread: u32) -> vec3<f32> {
    let high = atomicLoad(&largest);
    var sums = vec3(0.0);
    for (var i = thread; i < params.vocabulary; i += SIZE) {
        let v = item(i);
        let counts = vec3(at_least(v, edge), at_least(v, edge + unit), at_least(v, edge + 2 * unit));
        sums += select(vec3(0.0), vec3(weight(v.x, high)), counts);
    }
    return vec3(
        workgroup_scan(sums.x, thread).y,
        workgroup_scan(sums.y, thread).y,
        workgroup_scan(sums.z, thread).y,
    );
}

// The largest item with more mass than `bound` from it on, two bits at a time.
fn find(bound: f32, thread: u32) -> vec2<u32> {
    var edge = vec2(0u, 0xff000000u); // ids are below 2^24
    for (var place = 0u; place < 28; place++) {
        let shift = 2 * (place % 16);
        let unit = select(vec2(0x40000000u >> shift, 0u), vec2(0u, 0x400000u >> shift), place >= 16);
        let larger = masses(edge + unit, unit, thread) > vec3(bound);
        edge += unit * (u32(larger.x) + u32(larger.y) + u32(larger.z));
    }
    return edge;
}

@compute @workgroup_size(SIZE)
fn main(@builtin(local_invocation_index) thread: u32) {
    if thread == 0 {
        needed = pending[0] | params.top_k;
        atomicStore(&largest, 0u);
        atomicStore(&least, INFINITE);
    }
    if workgroupUniformLoad(&needed) == 0 {
        return;
    }
    var high = 0u;
    var low = INFINITE;
    for (var i = thread; i < params.vocabulary; i += SIZE) {
        let key = logit_key(i);
        high = max(high, key);
        low = min(low, key);
    }
    atomicMax(&largest, high);
    atomicMin(&least, low);
    workgroupBarrier();
    high = atomicLoad(&largest);
    // What may be drawn begins at its most probable item and ends with this one.
    var edge = vec2(0u);
    if params.top_k != 0 {
        edge = select_largest(params.vocabulary, params.top_k, thread);
    }
    var total = masses(edge, vec2(0u), thread).x;
    if params.top_p < 1.0 {
        edge = find(just_below(params.top_p * total), thread);
        total = masses(edge, vec2(0u), thread).x;
    }
    var drawn = find(drawn_of(total), thread);
    if high >= INFINITE {
        drawn = select_largest(params.vocabulary, 1u, thread);
    }
    if thread == 0 {
        if params.top_k != 0 {
            report_nan(atomicLoad(&least) == 0);
        }
        finish(select(~drawn.y, params.fallback, high <= NOTHING));
    }
}
