// The largest of many items, each two words, compared as one number. The importing shader defines SIZE as 256 and
// `fn item(i: u32) -> vec2<u32>`. For uniform control flow.
#import "shared/scan.wgsl"

var<workgroup> histogram: array<atomic<u32>, SIZE>;
// Value of the digit, how many items of it are wanted, how many have it.
var<workgroup> found: vec3<u32>;

fn at_least(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.x > b.x || a.x == b.x && a.y >= b.y;
}

// What exactly the `count` largest of the first `items` items are not below; these must be different, and `count` at least 1.
// Digit by digit of eight bits: counts the items of each value among those that agree in all digits so far.
fn select_largest(items: u32, count: u32, thread: u32) -> vec2<u32> {
    var known = vec2(0u);
    var mask = vec2(0u);
    var wanted = count;
    for (var digit = 0u; digit < 8; digit++) {
        let shift = 24 - digit % 4 * 8;
        atomicStore(&histogram[thread], 0u);
        workgroupBarrier();
        for (var i = thread; i < items; i += SIZE) {
            let v = item(i);
            if all((v & mask) == known) {
                atomicAdd(&histogram[(select(v.x, v.y, digit >= 4) >> shift) & 255], 1u);
            }
        }
        workgroupBarrier();
        let value = 255 - thread;
        let here = atomicLoad(&histogram[value]);
        let above = u32(workgroup_scan(f32(here), thread).x) - here;
        if above < wanted && above + here >= wanted {
            found = vec3(value, wanted - above, here);
        }
        let digit_found = workgroupUniformLoad(&found);
        let word = vec2(u32(digit < 4), u32(digit >= 4)) << vec2(shift);
        known |= digit_found.x * word;
        mask |= 255 * word;
        wanted = digit_found.y;
        if digit_found.y == digit_found.z {
            break;
        }
    }
    return known;
}
