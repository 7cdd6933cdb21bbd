// history becomes the last elements of history followed by x. Every element moves back by the length of x, so a thread follows
// one chain of such moves from its oldest element on, and no two chains meet.

struct Params {
    past: u32,
    count: u32,
    x_offset: u32,
    history_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> x: array<f32>; // [count]
@group(0) @binding(1) var<storage, read_write> history: array<f32>; // [past]

#import "shared/element.wgsl"

@compute @workgroup_size(SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let chain = element(id, groups);
    if chain >= params.count {
        return;
    }
    for (var i = chain; i < params.past; i += params.count) {
        let moved = i + params.count;
        if moved < params.past {
            history[params.history_offset + i] = history[params.history_offset + moved];
        } else {
            history[params.history_offset + i] = x[params.x_offset + moved - params.past];
        }
    }
}
