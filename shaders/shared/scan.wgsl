// Running sums over the SIZE threads of a workgroup; the importing shader defines SIZE, a multiple of 16. Their order is fixed: they
// never fall from thread to thread where no value is negative, and counts below 2^24 are exact. For uniform control flow.

var<workgroup> addends: array<f32, SIZE>;
var<workgroup> blocks: array<f32, SIZE / 16>;

// The sum of the values of this thread and those before it, and the sum of all.
fn workgroup_scan(value: f32, thread: u32) -> vec2<f32> {
    addends[thread] = value;
    workgroupBarrier();
    if thread < SIZE / 16 {
        var sum = 0.0;
        for (var i = 16 * thread; i < 16 * thread + 16; i++) {
            sum += addends[i];
        }
        blocks[thread] = sum;
    }
    workgroupBarrier();
    var before = 0.0;
    var total = 0.0;
    for (var block = 0u; block < SIZE / 16; block++) {
        if block == thread / 16 {
            before = total;
        }
        total += blocks[block];
    }
    var within = 0.0;
    for (var i = thread / 16 * 16; i <= thread; i++) {
        within += addends[i];
    }
    workgroupBarrier();
    return vec2(before + within, total);
}
