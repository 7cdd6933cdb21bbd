// Random weights for measuring: words of a matrix without pattern, small and centred. Everything else about them is as in a
// checkpoint's: what a product reads and how long it takes.
#variants F32 HALVES BYTES SCALES

struct Params {
    start: u32, // first word to write
    count: u32, // words to write
    exponent: u32, // HALVES: least exponent, where its bits lie; SCALES: the word
    mask: u32, // HALVES: sign and fraction
    step: u32, // HALVES: one exponent
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read_write> words: array<u32>;

fn random(seed: u32) -> u32 {
    let state = seed * 747796405u + 2891336453u;
    let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
    return (word >> 22u) ^ word;
}

/// A number of 16 bits: sign, one of four exponents, fraction.
fn half(bits: u32) -> u32 {
    return (bits & params.mask) | (params.exponent + ((bits >> 12) & 3) * params.step);
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let stride = groups.x * 256;
    for (var i = id.x; i < params.count; i += stride) {
        let at = params.start + i;
        let bits = random(at);
#ifdef F32
        words[at] = (bits & 0x807f0000u) | ((119 + ((bits >> 24) & 3)) << 23);
#endif
#ifdef HALVES
        words[at] = half(bits & 0xffffu) | (half(bits >> 16) << 16);
#endif
#ifdef BYTES
        words[at] = bits;
#endif
#ifdef SCALES
        words[at] = params.exponent;
#endif
    }
}
