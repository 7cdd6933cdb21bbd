// Where a draw comes from and where it goes.

@group(0) @binding(2) var<storage, read_write> token: array<u32>; // [1]
@group(0) @binding(3) var<storage, read_write> rng: array<u32>; // [4]
@group(0) @binding(4) var<storage, read_write> pending: array<u32>; // [1]: 1 while the last stage must draw

fn mix(start: vec3<u32>) -> vec3<u32> {
    var v = start;
    v.x += v.y * v.z;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    return v;
}

// A number from 0 up to but not including 1, of 24 bits: pcg3d of seed and counter.
fn uniform_number() -> f32 {
    let at = params.rng_offset;
    let v = mix(vec3(rng[at], rng[at + 1], rng[at + 2]) * 1664525 + 1013904223);
    return f32(mix(v ^ (v >> vec3(16u))).x >> 8) / 16777216.0;
}

// The part of a sum that is drawn; below the sum.
fn drawn_of(sum: f32) -> f32 {
    return min(uniform_number() * sum, just_below(sum));
}

// The next smaller number; `v` is positive.
fn just_below(v: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(v) - 1);
}

// For one thread, once a call.
fn finish(id: u32) {
    token[params.token_offset] = id;
    rng[params.rng_offset + 2] += 1;
    if params.has_seen != 0 {
        seen[params.seen_offset + id] = 1;
    }
}

// For one thread, once a call: counts the calls whose logits hold NaN.
fn report_nan(any: bool) {
    rng[params.rng_offset + 3] += u32(any);
}
