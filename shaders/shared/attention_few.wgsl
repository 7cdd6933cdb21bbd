// Keys, values and queries of attention_decode in chunks of eight elements, and the sums that its threads leave for each other.

// Chunks of a head, and what a thread brings of a tile.
const CHUNKS: u32 = 8 * COLUMNS;
const STAGED: u32 = KEYS * CHUNKS / SIZE;
// Chunks of all results, and how many threads have the same one, each with other keys.
const RESULTS: u32 = CHUNKS * VECTORS;
const PARTS: u32 = SIZE / RESULTS;

// A chunk as it is kept.
#ifdef F16
alias Chunk = vec4<u32>;
#ifdef WIDE
fn key_chunk(element: u32, left: u32) -> Chunk {
    return k[element / 8];
}

fn value_chunk(element: u32, left: u32) -> Chunk {
    return v[element / 8];
}
#else
fn narrow(e: Eight) -> Chunk {
    return vec4(
        pack2x16float(e.a.xy),
        pack2x16float(e.a.zw),
        pack2x16float(e.b.xy),
        pack2x16float(e.b.zw),
    );
}

fn key_chunk(element: u32, left: u32) -> Chunk {
    return narrow(key_eight(element, left));
}

fn value_chunk(element: u32, left: u32) -> Chunk {
    return narrow(value_eight(element, left));
}
#endif
#else
alias Chunk = Eight;

fn widen(chunk: Chunk) -> Eight {
    return chunk;
}

fn key_chunk(element: u32, left: u32) -> Chunk {
    return key_eight(element, left);
}

fn value_chunk(element: u32, left: u32) -> Chunk {
    return value_eight(element, left);
}
#endif

// A tile's keys, then its values.
var<workgroup> staged: array<Chunk, KEYS * CHUNKS>;
// Sums of values and of weights, of all but the first of those with the same chunk.
var<workgroup> sums: array<vec4<f32>, max(2 * (PARTS - 1) * RESULTS, 1)>;
var<workgroup> totals: array<f32, max((PARTS - 1) * RESULTS, 1)>;

fn keep_part(thread: u32, sum: Eight, total: f32) {
    let to = thread - RESULTS;
    sums[2 * to] = sum.a;
    sums[2 * to + 1] = sum.b;
    totals[to] = total;
}

// What a thread brings of a tile.
struct Brought {
    keys: array<Chunk, STAGED>,
    values: array<Chunk, STAGED>,
}

// Loads it, of the tile that begins at position `first`; keys from `end` on are like the last before it.
fn load_tile(thread: u32, kv_head: u32, first: u32, end: u32) -> Brought {
    let chunks = (params.head_dim + 7) / 8;
    let base = first % params.capacity;
    let last = min(KEYS, end - first) - 1;
    var brought: Brought;
    for (var i = 0u; i < STAGED; i++) {
        let n = i * SIZE + thread;
        let slot = slot_of(base + min(n / CHUNKS, last));
        // Behind the head queries are zero.
        let dim = min(n % CHUNKS, chunks - 1) * 8;
        let at = (slot * params.kv_heads + kv_head) * params.head_dim + dim;
        brought.keys[i] = key_chunk(params.k_offset + at, params.head_dim - dim);
        brought.values[i] = value_chunk(params.v_offset + at, params.head_dim - dim);
    }
    return brought;
}

// A lane's chunks of a query vector of the workgroup.
fn load_query(id: vec3<u32>, vector: u32, lane: u32) -> array<Eight, CHUNKS / LANES> {
    let head = params.q_offset + head_of(id.x * VECTORS + vector, id.y) * params.head_dim;
    var query: array<Eight, CHUNKS / LANES>;
    for (var i = 0u; i < CHUNKS / LANES; i++) {
        let dim = (i * LANES + lane) * 8;
        if dim < params.head_dim {
            let chunk = query_eight(head + dim, params.head_dim - dim);
            query[i] = Eight(chunk.a * params.scale, chunk.b * params.scale);
        }
    }
    return query;
}

fn dot8(a: Eight, b: Eight, sum: f32) -> f32 {
    let first = fma(a.a.x, b.a.x, fma(a.a.y, b.a.y, fma(a.a.z, b.a.z, fma(a.a.w, b.a.w, sum))));
    return fma(a.b.x, b.b.x, fma(a.b.y, b.b.y, fma(a.b.z, b.b.z, fma(a.b.w, b.b.w, first))));
}
