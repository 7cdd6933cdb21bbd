// Two numbers in half precision, the first in the lower half of the word. To the nearest, ties to even; pack2x16float may round
// otherwise, and does so on some drivers.
fn pack_halves(v: vec2<f32>) -> u32 {
    let bits = bitcast<vec2<u32>>(v);
    let magnitude = bits & vec2(0x7fffffffu);
    let normal = (magnitude + 0xfff + ((magnitude >> vec2(13u)) & vec2(1u)) - 0x38000000) >> vec2(13u);
    // Below 2^-14 a step is 2^-24, as it is from 0.5 on in f32.
    let small = bitcast<vec2<u32>>(bitcast<vec2<f32>>(magnitude) + 0.5) - 0x3f000000;
    var halves = select(normal, small, magnitude < vec2(0x38800000u));
    halves = select(halves, vec2(0x7c00u), magnitude >= vec2(0x477ff000u)); // infinity from 65520 on
    halves = select(halves, vec2(0x7e00u), magnitude > vec2(0x7f800000u)); // NaN
    halves |= (bits >> vec2(16u)) & vec2(0x8000u);
    return halves.x | halves.y << 16;
}
