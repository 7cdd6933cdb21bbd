// Attention of many query rows: causal over a ring of keys and values, or within segments. A workgroup takes a tile of 64 query
// vectors of one key head and goes through its keys, or one split of them, 32 at a time (online softmax, in base 2). With SPLIT
// the results are left for attention_merge. A thread has the scores of four vectors with two keys, and of the results for
// the same vectors as many columns of four.
#variants F16 -
#variants WIDE -
#variants SEGMENTS SPLIT -
#variants ONE TWO FOUR

const SIZE: u32 = 256;
const VECTORS: u32 = 64;
const KEYS: u32 = 32;

#import "shared/attention_mask.wgsl"
#import "shared/attention_rows.wgsl"
#import "shared/attention_tile.wgsl"
@group(0) @binding(3) var<storage, read> at: array<u32>; // [1], past, or [bounds]
#ifdef SPLIT
@group(0) @binding(5) var<storage, read_write> logs: array<f32>; // [splits, rows, heads], log2 of the sums of weights
#endif

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    // Later rows see more keys and begin first.
    let id = vec3(groups.x - 1 - group.x, group.y, group.z);
    let span = tile_span(id.x);
    let keys_of_split = split_keys(span);
    let first = span.first + id.z * keys_of_split;
    if first >= span.end {
        return;
    }
    let end = min(first + keys_of_split, span.end);

    let x = thread % 16;
    let y = thread / 16;
    let vector = id.x * VECTORS + y * 4;
    let seen = array(span_of(vector), span_of(vector + 1), span_of(vector + 2), span_of(vector + 3));

    var largest = vec4(LOWEST);
    var weights = vec4<f32>();
    var sums: array<vec4<f32>, 4 * COLUMNS>; // of each vector, then of each column
    for (var tile = first; tile < end; tile += KEYS) {
        let base = tile % params.capacity;
        let last = min(KEYS, end - tile) - 1;
        var one = vec4<f32>();
        var two = vec4<f32>();
        for (var dim = 0u; dim < params.head_dim; dim += STEP) {
            load_queries(thread, id, dim);
            load_keys(thread, id.y, dim, base, last);
            workgroupBarrier();
            for (var four = 0u; four < min(STEP, params.head_dim - dim); four += 16) {
                for (var i = four / 4; i < four / 4 + 4; i++) {
                    let key_one = memory[KEYS_AT + x * STEP_PITCH + i];
                    let key_two = memory[KEYS_AT + (x + 16) * STEP_PITCH + i];
                    for (var j = 0u; j < 4; j++) {
                        let query = memory[(y * 4 + j) * STEP_PITCH + i];
                        one[j] = dot4(query, key_one, one[j]);
                        two[j] = dot4(query, key_two, two[j]);
                    }
                }
            }
            workgroupBarrier();
        }
        for (var j = 0u; j < 4; j++) {
            one[j] = select(UNSEEN, one[j], is_in(tile + x, seen[j]));
            two[j] = select(UNSEEN, two[j], is_in(tile + x + 16, seen[j]));
        }
        memory[weight_at(x, y)] = one;
        memory[weight_at(x + 16, y)] = two;
        workgroupBarrier();

        let before = largest;
        for (var four = 0u; four <= last; four += 4) {
            for (var key = four; key < four + 4; key++) {
                largest = max(largest, memory[weight_at(key, y)]);
            }
        }
        workgroupBarrier();
        memory[weight_at(x, y)] = exp2(one - largest);
        memory[weight_at(x + 16, y)] = exp2(two - largest);
        let keep = exp2(before - largest);
        weights *= keep;
        for (var j = 0u; j < 4; j++) {
            for (var i = 0u; i < COLUMNS; i++) {
                sums[j * COLUMNS + i] *= keep[j];
            }
        }
        for (var begin = 0u; begin <= last; begin += VALUES) {
            load_values(thread, id.y, begin, base, last);
            workgroupBarrier();
            // Behind the last key weights are zero.
            for (var four = 0u; four < min(VALUES, last + 1 - begin); four += 4) {
                for (var key = four; key < four + 4; key++) {
                    let weight = memory[weight_at(begin + key, y)];
                    weights += weight;
                    for (var i = 0u; i < COLUMNS; i++) {
                        let value = memory[VALUES_AT + (key * COLUMNS + i) * 16 + x];
                        for (var j = 0u; j < 4; j++) {
                            sums[j * COLUMNS + i] = fma(vec4(weight[j]), value, sums[j * COLUMNS + i]);
                        }
                    }
                }
            }
            workgroupBarrier();
        }
    }

    for (var j = 0u; j < 4; j++) {
        if vector + j < params.rows * (params.heads / params.kv_heads) {
            let head = head_of(vector + j, id.y);
            for (var i = 0u; i < COLUMNS; i++) {
                let dim = (i * 16 + x) * 4;
                if dim < params.head_dim {
                    let values = sums[j * COLUMNS + i] / max(weights[j], 1e-37);
                    store_four(out_at(id.z, head) + dim, params.head_dim - dim, values);
                }
            }
#ifdef SPLIT
            if x == 0 {
                let log = select(largest[j] + log2(weights[j]), UNSEEN, weights[j] == 0.0);
                logs[id.z * params.rows * params.heads + head] = log;
            }
#endif
        }
    }
}
