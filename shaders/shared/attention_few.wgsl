// Beginning and end of a workgroup of attention_decode: its query vectors come into workgroup memory, and what its threads have
// summed up over different keys is added and written.

// vec4s from one chunk of eight elements of all query vectors to the next, and from one key's scores to the next: sums of eight
// vectors in each of four lanes. One and two more keep banks apart.
const QUERY_PITCH: u32 = 2 * VECTORS + 1;
const PITCH: u32 = 2 * LANES + 2;

// Chunks of eight values that stand next to each other in threads, and how many threads have the same one.
const VALUE_CHUNKS: u32 = 8 * COLUMNS;
const SUBSETS: u32 = SIZE / VALUE_CHUNKS;

var<workgroup> queries: array<vec4<f32>, 2 * COLUMNS * LANES * QUERY_PITCH>;
// Later half of the threads' sums.
var<workgroup> scores: array<vec4<f32>, 8 * SIZE>;
var<workgroup> of_vectors: array<f32, VECTORS>;

fn load_queries(thread: u32, id: vec3<u32>) {
    for (var i = thread; i < 2 * COLUMNS * LANES * VECTORS; i += SIZE) {
        let vector = id.x * VECTORS + i % VECTORS;
        let dim = i / VECTORS * 8;
        var query = Eight();
        if vector < params.rows * (params.heads / params.kv_heads) && dim < params.head_dim {
            let head = params.q_offset + head_of(vector, id.y) * params.head_dim;
            query = query_eight(head + dim, params.head_dim - dim);
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

// Adds the sums of all subsets of keys, four vectors at once, and writes them by the factors in `of_vectors`. The indices are
// written out: an array of which one is computed would leave the registers.
fn finish(thread: u32, id: vec3<u32>, sums: ptr<function, array<vec4<f32>, 2 * VECTORS>>) {
    keep(thread, 0u, (*sums)[0], (*sums)[1], (*sums)[2], (*sums)[3]);
    keep(thread, 4u, (*sums)[4], (*sums)[5], (*sums)[6], (*sums)[7]);
    finish_four(thread, id, 0u);
    keep(thread, 0u, (*sums)[8], (*sums)[9], (*sums)[10], (*sums)[11]);
    keep(thread, 4u, (*sums)[12], (*sums)[13], (*sums)[14], (*sums)[15]);
    finish_four(thread, id, 4u);
}

fn keep(thread: u32, first: u32, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) {
    scores[first * SIZE + thread] = a;
    scores[(first + 1) * SIZE + thread] = b;
    scores[(first + 2) * SIZE + thread] = c;
    scores[(first + 3) * SIZE + thread] = d;
}

fn finish_four(thread: u32, id: vec3<u32>, j: u32) {
    workgroupBarrier();
    for (var eighth = thread / VALUE_CHUNKS; eighth < 8; eighth += SUBSETS) {
        let vector = id.x * VECTORS + j + eighth / 2;
        let dim = thread % VALUE_CHUNKS * 8 + eighth % 2 * 4;
        if dim < params.head_dim && vector < params.rows * (params.heads / params.kv_heads) {
            var one = vec4<f32>();
            var two = vec4<f32>();
            for (var i = thread % VALUE_CHUNKS; i < SIZE; i += 2 * VALUE_CHUNKS) {
                one += scores[eighth * SIZE + i];
                two += scores[eighth * SIZE + i + VALUE_CHUNKS];
            }
            let sum = (one + two) * of_vectors[j + eighth / 2];
            store_four(out_at(id.z, head_of(vector, id.y)) + dim, params.head_dim - dim, sum);
        }
    }
    workgroupBarrier();
}
