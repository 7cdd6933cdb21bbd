// Beginning and end of a workgroup of attention_decode: its query vectors come into workgroup memory, and what its threads have
// summed up over different keys is added and written.

// vec4s from one chunk of eight elements of all query vectors to the next, and from one key's scores to the next: sums of eight
// vectors in each of four lanes. One and two more keep banks apart.
const QUERY_PITCH: u32 = 2 * VECTORS + 1;
const PITCH: u32 = 2 * LANES + 2;

var<workgroup> queries: array<vec4<f32>, (HEAD_DIM + 31) / 32 * LANES * QUERY_PITCH>;
var<workgroup> scores: array<vec4<f32>, KEYS * PITCH>;
var<workgroup> of_vectors: array<f32, VECTORS>;

// Threads that take a column of eight values: a power of two.
fn value_columns() -> u32 {
    return select(select(32u, 16u, HEAD_DIM <= 128), 8u, HEAD_DIM <= 64);
}

fn load_queries(thread: u32, id: vec3<u32>) {
    for (var i = thread; i < (HEAD_DIM + 31) / 32 * LANES * VECTORS; i += SIZE) {
        let vector = id.x * VECTORS + i % VECTORS;
        let dim = i / VECTORS * 8;
        var query = Eight();
        if vector < params.rows * (params.heads / params.kv_heads) && dim < HEAD_DIM {
            let head = params.q_offset + head_of(vector, id.y) * HEAD_DIM;
            query = query_eight(head + dim, HEAD_DIM - dim);
        }
        let to = i / VECTORS * QUERY_PITCH + i % VECTORS * 2;
        queries[to] = query.a * params.scale;
        queries[to + 1] = query.b * params.scale;
    }
}

// `sum` and the product of a key's chunk with a chunk of a query vector.
fn dot8(query: u32, key: Eight, sum: f32) -> f32 {
    let a = queries[query];
    let b = queries[query + 1];
    let first = fma(a.x, key.a.x, fma(a.y, key.a.y, fma(a.z, key.a.z, fma(a.w, key.a.w, sum))));
    return fma(b.x, key.b.x, fma(b.y, key.b.y, fma(b.z, key.b.z, fma(b.w, key.b.w, first))));
}

// Adds the sums of all subsets of keys, two vectors at once, and writes them by the factors in `of_vectors`.
fn finish(thread: u32, id: vec3<u32>, sums: ptr<function, array<vec4<f32>, 2 * VECTORS>>) {
    let columns = value_columns();
    let column = thread % columns;
    let quarter = thread / columns;
    for (var j = 0u; j < VECTORS; j += 2) {
        for (var i = 0u; i < 4; i++) {
            scores[i * SIZE + thread] = (*sums)[2 * j + i];
        }
        workgroupBarrier();
        let vector = id.x * VECTORS + j + quarter / 2;
        let dim = column * 8 + quarter % 2 * 4;
        if quarter < 4 && dim < HEAD_DIM && vector < params.rows * (params.heads / params.kv_heads) {
            var sum = vec4<f32>();
            for (var i = column; i < SIZE; i += columns) {
                sum += scores[quarter * SIZE + i];
            }
            sum *= of_vectors[j + quarter / 2];
            let to = out_at(id.z, head_of(vector, id.y)) + dim;
            for (var i = 0u; i < min(4, HEAD_DIM - dim); i++) {
                out[to + i] = sum[i];
            }
        }
        workgroupBarrier();
    }
}
