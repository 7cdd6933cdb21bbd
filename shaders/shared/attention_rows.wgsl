// Loads of eight elements of a head of queries, keys or values, and stores of four of a result. WIDE: heads and offsets are multiples of eight elements, and
// they take 16 bytes at once. Otherwise elements from `left` on, which are another head's, become zeros.

struct Eight {
    a: vec4<f32>,
    b: vec4<f32>,
}

#ifdef F16
fn widen(halves: vec4<u32>) -> Eight {
    return Eight(
        vec4(unpack2x16float(halves.x), unpack2x16float(halves.y)),
        vec4(unpack2x16float(halves.z), unpack2x16float(halves.w)),
    );
}
#endif

#ifdef WIDE
@group(0) @binding(4) var<storage, read_write> out: array<vec4<f32>>; // [splits, rows, heads, head_dim]
@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>; // [rows, heads, head_dim]
#ifdef F16
@group(0) @binding(1) var<storage, read> k: array<vec4<u32>>; // [capacity, kv_heads, head_dim], eight f16 each
@group(0) @binding(2) var<storage, read> v: array<vec4<u32>>; // like k

fn key_eight(element: u32, left: u32) -> Eight {
    return widen(k[element / 8]);
}

fn value_eight(element: u32, left: u32) -> Eight {
    return widen(v[element / 8]);
}
#else
@group(0) @binding(1) var<storage, read> k: array<vec4<f32>>; // [capacity, kv_heads, head_dim]
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>; // like k

fn key_eight(element: u32, left: u32) -> Eight {
    return Eight(k[element / 4], k[element / 4 + 1]);
}

fn value_eight(element: u32, left: u32) -> Eight {
    return Eight(v[element / 4], v[element / 4 + 1]);
}
#endif

fn query_eight(element: u32, left: u32) -> Eight {
    return Eight(q[element / 4], q[element / 4 + 1]);
}

fn store_four(element: u32, left: u32, values: vec4<f32>) {
    out[element / 4] = values;
}
#else
@group(0) @binding(4) var<storage, read_write> out: array<f32>; // [splits, rows, heads, head_dim]
@group(0) @binding(0) var<storage, read> q: array<f32>; // [rows, heads, head_dim]
#ifdef F16
@group(0) @binding(1) var<storage, read> k: array<u32>; // [capacity, kv_heads, head_dim], two f16 each
@group(0) @binding(2) var<storage, read> v: array<u32>; // like k

fn half_of(pair: u32, element: u32) -> f32 {
    let halves = unpack2x16float(pair);
    return select(halves.x, halves.y, element % 2 == 1);
}

fn key_at(element: u32, left: u32) -> f32 {
    if left == 0 {
        return 0.0;
    }
    return half_of(k[element / 2], element);
}

fn value_at(element: u32, left: u32) -> f32 {
    if left == 0 {
        return 0.0;
    }
    return half_of(v[element / 2], element);
}
#else
@group(0) @binding(1) var<storage, read> k: array<f32>; // [capacity, kv_heads, head_dim]
@group(0) @binding(2) var<storage, read> v: array<f32>; // like k

fn key_at(element: u32, left: u32) -> f32 {
    if left == 0 {
        return 0.0;
    }
    return k[element];
}

fn value_at(element: u32, left: u32) -> f32 {
    if left == 0 {
        return 0.0;
    }
    return v[element];
}
#endif

fn query_at(element: u32, left: u32) -> f32 {
    if left == 0 {
        return 0.0;
    }
    return q[element];
}

fn store_four(element: u32, left: u32, values: vec4<f32>) {
    for (var i = 0u; i < min(4, left); i++) {
        out[element + i] = values[i];
    }
}

fn query_four(element: u32, left: u32) -> vec4<f32> {
    return vec4(
        query_at(element, left),
        query_at(element + 1, max(left, 1) - 1),
        query_at(element + 2, max(left, 2) - 2),
        query_at(element + 3, max(left, 3) - 3),
    );
}

fn query_eight(element: u32, left: u32) -> Eight {
    return Eight(query_four(element, left), query_four(element + 4, max(left, 4) - 4));
}

fn key_four(element: u32, left: u32) -> vec4<f32> {
    return vec4(
        key_at(element, left),
        key_at(element + 1, max(left, 1) - 1),
        key_at(element + 2, max(left, 2) - 2),
        key_at(element + 3, max(left, 3) - 3),
    );
}

fn key_eight(element: u32, left: u32) -> Eight {
    return Eight(key_four(element, left), key_four(element + 4, max(left, 4) - 4));
}

fn value_four(element: u32, left: u32) -> vec4<f32> {
    return vec4(
        value_at(element, left),
        value_at(element + 1, max(left, 1) - 1),
        value_at(element + 2, max(left, 2) - 2),
        value_at(element + 3, max(left, 3) - 3),
    );
}

fn value_eight(element: u32, left: u32) -> Eight {
    return Eight(value_four(element, left), value_four(element + 4, max(left, 4) - 4));
}
#endif
