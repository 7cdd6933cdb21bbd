// Workgroup memory of attention_prefill: in turn some dimensions of queries and keys, then scores or weights and some values.

// Dimensions that come at once, and vec4s from one vector's to the next: one more than they take keeps banks apart.
const STEP: u32 = 32;
const STEP_PITCH: u32 = STEP / 4 + 1;
// Keys whose values come at once.
const VALUES: u32 = KEYS / COLUMNS;
const KEYS_AT: u32 = VECTORS * STEP_PITCH;
const VALUES_AT: u32 = KEYS * VECTORS / 4;

var<workgroup> memory: array<vec4<f32>, 1024>;

// Where the weights of four vectors for a key stand; threads with neighbouring keys reach different banks.
fn weight_at(key: u32, vectors: u32) -> u32 {
    return key * 16 + (vectors ^ (key % 16));
}

fn dot4(a: vec4<f32>, b: vec4<f32>, sum: f32) -> f32 {
    return fma(a.x, b.x, fma(a.y, b.y, fma(a.z, b.z, fma(a.w, b.w, sum))));
}

fn is_in(position: u32, span: Span) -> bool {
    return position >= span.first && position < span.end;
}

// What a query vector sees; those behind the last one see what it sees.
fn span_of(vector: u32) -> Span {
    let group = params.heads / params.kv_heads;
    return row_span(min(vector / group, params.rows - 1));
}

// Dimensions `dim` to `dim + STEP` of the tile's query vectors; zeros behind the last one and behind its head.
fn load_queries(thread: u32, id: vec3<u32>, dim: u32) {
    let vector = id.x * VECTORS + thread / 4;
    let chunk = dim + thread % 4 * 8;
    var query = Eight();
    if vector < params.rows * (params.heads / params.kv_heads) && chunk < params.head_dim {
        let head = params.q_offset + head_of(vector, id.y) * params.head_dim;
        query = query_eight(head + chunk, params.head_dim - chunk);
    }
    let to = thread / 4 * STEP_PITCH + thread % 4 * 2;
    memory[to] = query.a * params.scale;
    memory[to + 1] = query.b * params.scale;
}

// The same dimensions of the keys from slot `base` on; the `last` one stands for those behind it, too.
fn load_keys(thread: u32, kv_head: u32, dim: u32, base: u32, last: u32) {
    let chunk = dim + thread % 4 * 8;
    if thread >= KEYS * 4 {
        return;
    }
    var key = Eight();
    if chunk < params.head_dim {
        let slot = slot_of(base + min(thread / 4, last));
        let head = params.k_offset + (slot * params.kv_heads + kv_head) * params.head_dim;
        key = key_eight(head + chunk, params.head_dim - chunk);
    }
    let to = KEYS_AT + thread / 4 * STEP_PITCH + thread % 4 * 2;
    memory[to] = key.a;
    memory[to + 1] = key.b;
}

// The values of keys `from_key` to `from_key + VALUES` of the tile.
fn load_values(thread: u32, kv_head: u32, from_key: u32, base: u32, last: u32) {
    let dim = thread % (COLUMNS * 8) * 8;
    let key = thread / (COLUMNS * 8);
    if dim < params.head_dim {
        let slot = slot_of(base + min(from_key + key, last));
        let head = params.v_offset + (slot * params.kv_heads + kv_head) * params.head_dim;
        let value = value_eight(head + dim, params.head_dim - dim);
        let to = VALUES_AT + key * COLUMNS * 16 + dim / 4;
        memory[to] = value.a;
        memory[to + 1] = value.b;
    }
}
