// Causal attention of few query rows over a ring of keys and values. A workgroup takes eight query vectors of one key head and
// one split of their keys, so that a key is loaded once for all heads that share it. Scores, their largest and the sum of their
// weights go tile by tile of 64 keys (online softmax, in base 2). With SPLIT the results are left for attention_merge.
#variants F16 -
#variants WIDE -
#variants SPLIT -
#variants ONE TWO FOUR

const SIZE: u32 = 128;
const VECTORS: u32 = 8;
const KEYS: u32 = 64;
// Threads that share the score of a key, each with every fourth chunk of eight elements.
const LANES: u32 = 4;

#import "shared/attention_mask.wgsl"
#import "shared/attention_rows.wgsl"
#import "shared/attention_few.wgsl"
@group(0) @binding(3) var<storage, read> at: array<u32>; // [1], past
#ifdef SPLIT
@group(0) @binding(5) var<storage, read_write> logs: array<f32>; // [splits, rows, heads], log2 of the sums of weights
#endif

var<workgroup> of_threads: array<f32, SIZE>;

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let group = params.heads / params.kv_heads;
    let vectors = params.rows * group;
    let span = tile_span(id.x);
    let keys_of_split = split_keys(span);
    let first = span.first + id.z * keys_of_split;
    if first >= span.end {
        return;
    }
    let end = min(first + keys_of_split, span.end);
    let chunks = (params.head_dim + 7) / 8;
    let width = params.kv_heads * params.head_dim;

    load_queries(thread, id);
    workgroupBarrier();

    // For scores: this thread's lane and the first of its two keys. For weights: its vector and the first of its four keys. For
    // values: its chunk and the first of its keys.
    let lane = thread % LANES;
    let pair = thread / LANES;
    let own = thread % VECTORS;
    let slot = thread / VECTORS;
    let own_vector = id.x * VECTORS + own;
    let seen = row_span(min(own_vector, vectors - 1) / group);
    let value_chunk = min(thread % VALUE_CHUNKS, chunks - 1) * 8;
    let subset = thread / VALUE_CHUNKS;

    var largest = LOWEST;
    var weights = 0.0;
    var sums: array<vec4<f32>, 2 * VECTORS>;
    for (var tile = first; tile < end; tile += KEYS) {
        let last = min(KEYS, end - tile) - 1;
        let base = tile % params.capacity;
        var partial: array<f32, 2 * VECTORS>;
        let one = params.k_offset + slot_of(base + min(pair, last)) * width + id.y * params.head_dim;
        let two = params.k_offset + slot_of(base + min(pair + 32, last)) * width + id.y * params.head_dim;
        for (var step = 0u; step < 2 * COLUMNS; step++) {
            let chunk = step * LANES + lane;
            // Behind the head the queries are zero.
            let from_chunk = min(chunk, chunks - 1) * 8;
            let key_one = key_eight(one + from_chunk, params.head_dim - from_chunk);
            let key_two = key_eight(two + from_chunk, params.head_dim - from_chunk);
            for (var j = 0u; j < VECTORS; j++) {
                let query = chunk * QUERY_PITCH + j * 2;
                partial[j] = dot8(query, key_one, partial[j]);
                partial[j + VECTORS] = dot8(query, key_two, partial[j + VECTORS]);
            }
        }
        for (var j = 0u; j < 2; j++) {
            let to = (pair + j * 32) * PITCH + lane * 2;
            let i = j * VECTORS;
            scores[to] = vec4(partial[i], partial[i + 1], partial[i + 2], partial[i + 3]);
            scores[to + 1] = vec4(partial[i + 4], partial[i + 5], partial[i + 6], partial[i + 7]);
        }
        workgroupBarrier();

        var score: array<f32, 4>;
        var most = UNSEEN;
        for (var j = 0u; j < 4; j++) {
            let key = slot + j * 16;
            let position = tile + key;
            var sum = 0.0;
            for (var from_lane = 0u; from_lane < LANES; from_lane++) {
                sum += scores[key * PITCH + from_lane * 2 + own / 4][own % 4];
            }
            score[j] = select(UNSEEN, sum, position >= seen.first && position < seen.end);
            most = max(most, score[j]);
        }
        of_threads[thread] = most;
        workgroupBarrier();
        let before = largest;
        for (var j = 0u; j < SIZE; j += VECTORS) {
            largest = max(largest, of_threads[j + own]);
        }
        weights *= exp2(before - largest);
        of_vectors[own] = exp2(before - largest);
        for (var j = 0u; j < 4; j++) {
            let weight = exp2(score[j] - largest);
            weights += weight;
            scores[(slot + j * 16) * PITCH + own / 4][own % 4] = weight;
        }
        workgroupBarrier();

        for (var j = 0u; j < VECTORS; j++) {
            sums[2 * j] *= of_vectors[j];
            sums[2 * j + 1] *= of_vectors[j];
        }
        for (var from_key = subset; from_key <= last; from_key += 4 * SUBSETS) {
            for (var i = 0u; i < 4; i++) {
                let key = from_key + i * SUBSETS;
                let head = params.v_offset + slot_of(base + min(key, last)) * width + id.y * params.head_dim;
                let value = value_eight(head + value_chunk, params.head_dim - value_chunk);
                let a = scores[key * PITCH];
                let b = scores[key * PITCH + 1];
                for (var j = 0u; j < 4; j++) {
                    sums[2 * j] = fma(vec4(a[j]), value.a, sums[2 * j]);
                    sums[2 * j + 1] = fma(vec4(a[j]), value.b, sums[2 * j + 1]);
                    sums[2 * j + 8] = fma(vec4(b[j]), value.a, sums[2 * j + 8]);
                    sums[2 * j + 9] = fma(vec4(b[j]), value.b, sums[2 * j + 9]);
                }
            }
        }
        workgroupBarrier();
    }

    of_threads[thread] = weights;
    workgroupBarrier();
    var total = 0.0;
    for (var j = 0u; j < SIZE; j += VECTORS) {
        total += of_threads[j + own];
    }
    of_vectors[own] = 1.0 / max(total, 1e-37);
#ifdef SPLIT
    if slot == 0 && own_vector < vectors {
        let log = select(largest + log2(total), UNSEEN, total == 0.0);
        logs[id.z * params.rows * params.heads + head_of(own_vector, id.y)] = log;
    }
#endif
    finish(thread, id, &sums);
}
