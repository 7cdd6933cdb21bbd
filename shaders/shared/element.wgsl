// Number of the element that a thread works on, where every element has a thread of its own: `Dispatch::elements` starts them.
// A shader ignores numbers that are too large.

const SIZE: u32 = 256;

fn element(id: vec3<u32>, groups: vec3<u32>) -> u32 {
    return id.y * groups.x * SIZE + id.x;
}
