// Causal attention of few query rows over a ring of keys and values. A workgroup takes eight query vectors of one key head and
// one split of their keys, so that a key is loaded once for all heads that share it. Tile by tile, keys and then values pass
// through workgroup memory; scores, their largest and the sum of their weights go along (online softmax, in base 2). With SPLIT the
// results are left for attention_merge.
#variants F16 -
#variants WIDE -
#variants SPLIT -
#variants ONE TWO FOUR

const SIZE: u32 = 256;
const VECTORS: u32 = 8;
// A thread has the score of one of them with one vector.
#ifdef FOUR
const KEYS: u32 = 16;
#else
const KEYS: u32 = 32;
#endif
// Threads that share a query vector, each with every fourth chunk of eight elements, and teams of them, each with every eighth key.
const LANES: u32 = 4;
const TEAMS: u32 = SIZE / VECTORS / LANES;

#import "shared/attention_mask.wgsl"
#import "shared/attention_rows.wgsl"
#import "shared/attention_few.wgsl"
@group(0) @binding(3) var<storage, read> at: array<u32>; // [1], past
#ifdef SPLIT
@group(0) @binding(5) var<storage, read_write> logs: array<f32>; // [splits, rows, heads], log2 of the sums of weights
#endif

// Of each key and vector: what each lane adds to the score, and the score.
var<workgroup> shares: array<vec4<f32>, KEYS * VECTORS>;
var<workgroup> scores: array<f32, KEYS * VECTORS>;

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let group = params.heads / params.kv_heads;
    let span = tile_span(id.x);
    let keys_of_split = split_keys(span);
    let first = span.first + id.z * keys_of_split;
    if first >= span.end {
        return;
    }
    let end = min(first + keys_of_split, span.end);
    let vectors = params.rows * group - id.x * VECTORS;

    // For scores: vector, lane and team, and of the score that is a thread's own the vector and the key.
    let vector = thread % VECTORS;
    let lane = thread / VECTORS % LANES;
    let team = thread / VECTORS / LANES;
    let seen = row_span((id.x * VECTORS + min(vector, vectors - 1)) / group);
    let query = load_query(id, min(vector, vectors - 1), lane);
    // For values: vector, chunk of its result, and which keys.
    let chunk = thread % CHUNKS;
    let result = thread / CHUNKS % VECTORS;
    let part = thread / CHUNKS / VECTORS;

    var largest = LOWEST;
    var total = 0.0;
    var sum = Eight();
    var next = load_tile(thread, id.y, first, end);
    for (var tile = first; tile < end; tile += KEYS) {
        for (var i = 0u; i < STAGED; i++) {
            staged[i * SIZE + thread] = next.keys[i];
        }
        workgroupBarrier();
        for (var key = team; key < KEYS; key += TEAMS) {
            var share = 0.0;
            for (var i = 0u; i < CHUNKS / LANES; i++) {
                share = dot8(query[i], widen(staged[key * CHUNKS + i * LANES + lane]), share);
            }
            shares[key * VECTORS + vector][lane] = share;
        }
        workgroupBarrier();
        for (var i = 0u; i < STAGED; i++) {
            staged[i * SIZE + thread] = next.values[i];
        }
        if tile + KEYS < end {
            next = load_tile(thread, id.y, tile + KEYS, end);
        }
        if thread < KEYS * VECTORS {
            let position = tile + thread / VECTORS;
            let four = shares[thread];
            let score = four.x + four.y + (four.z + four.w);
            scores[thread] = select(UNSEEN, score, position >= seen.first && position < seen.end);
        }
        workgroupBarrier();
        let before = largest;
        for (var key = 0u; key < KEYS; key++) {
            largest = max(largest, scores[key * VECTORS + result]);
        }
        let keep = exp2(before - largest);
        total *= keep;
        sum = Eight(sum.a * keep, sum.b * keep);
        for (var key = part; key < KEYS; key += PARTS) {
            let weight = exp2(scores[key * VECTORS + result] - largest);
            let value = widen(staged[key * CHUNKS + chunk]);
            total += weight;
            sum = Eight(fma(vec4(weight), value.a, sum.a), fma(vec4(weight), value.b, sum.b));
        }
        // This tile has been used.
        workgroupBarrier();
    }

    if part > 0 {
        keep_part(thread, sum, total);
    }
    workgroupBarrier();
    if part > 0 || result >= vectors {
        return;
    }
    for (var i = thread; i < (PARTS - 1) * RESULTS; i += RESULTS) {
        total += totals[i];
        sum = Eight(sum.a + sums[2 * i], sum.b + sums[2 * i + 1]);
    }
    let head = head_of(id.x * VECTORS + result, id.y);
    let dim = chunk * 8;
    if dim < params.head_dim {
        let factor = 1.0 / max(total, 1e-37);
        store_four(out_at(id.z, head) + dim, params.head_dim - dim, sum.a * factor);
        if dim + 4 < params.head_dim {
            store_four(out_at(id.z, head) + dim + 4, params.head_dim - dim - 4, sum.b * factor);
        }
    }
#ifdef SPLIT
    if chunk == 0 {
        logs[id.z * params.rows * params.heads + head] = select(largest + log2(total), UNSEEN, total == 0.0);
    }
#endif
}
