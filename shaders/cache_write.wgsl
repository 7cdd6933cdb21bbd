// Writes rows into a ring: row i goes to slot (past + i) mod capacity; a word of the ring a thread.
#variants F16 F32

struct Params {
    words: u32, // of all rows
    width: u32, // words of a row
    capacity: u32,
    x_offset: u32,
    past_offset: u32,
    cache_offset: u32, // in words
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>; // [n, row]
@group(0) @binding(1) var<storage, read> past: array<u32>; // [1]
@group(0) @binding(2) var<storage, read_write> cache: array<u32>; // [capacity, width], two elements a word where they are f16

const SIZE: u32 = 256;
#ifdef F16
#import "shared/half.wgsl"
#endif

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.y * groups.x + group.x) * SIZE + thread;
    if at >= params.words {
        return;
    }
    let slot = (past[params.past_offset] % params.capacity + at / params.width) % params.capacity;
    let to = params.cache_offset + slot * params.width + at % params.width;
#ifdef F16
    let pair = params.x_offset + 2 * at;
    cache[to] = pack_halves(vec2(x[pair], x[pair + 1]));
#else
    cache[to] = bitcast<u32>(x[params.x_offset + at]);
#endif
}
