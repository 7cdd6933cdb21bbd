// Threads of a workgroup in teams of LANES, and the sums of each team's values. Teams lie next to each other.
const SIZE: u32 = 256;
const MOST_SUMS: u32 = 48;

// Threads of a team: a power of two.
override LANES: u32 = 32;
// Values that each thread adds up.
override SUMS: u32 = 1;
// Room for the sums of all parts of teams; a part is what one subgroup adds up.
override PARTIALS: u32 = 256;

var<workgroup> partials: array<f32, PARTIALS>;

// Adds up each of a team's values; `total` gives them. `part`: threads of a team in one subgroup, or 1.
fn add_up(sums: ptr<function, array<f32, MOST_SUMS>>, thread: u32, part: u32) {
#ifdef SUBGROUPS
    for (var i = 0u; i < SUMS; i++) {
        var v = (*sums)[i];
        if part > 1 {
            v += subgroupShuffleXor(v, 1u);
        }
        if part > 2 {
            v += subgroupShuffleXor(v, 2u);
        }
        if part > 4 {
            v += subgroupShuffleXor(v, 4u);
        }
        if part > 8 {
            v += subgroupShuffleXor(v, 8u);
        }
        if part > 16 {
            v += subgroupShuffleXor(v, 16u);
        }
        if part > 32 {
            v += subgroupShuffleXor(v, 32u);
        }
        (*sums)[i] = v;
    }
#endif
    if thread % part == 0 {
        for (var i = 0u; i < SUMS; i++) {
            partials[thread / part * SUMS + i] = (*sums)[i];
        }
    }
    workgroupBarrier();
}

// Sum of a team's value `i`.
fn total(team: u32, i: u32, part: u32) -> f32 {
    let parts = LANES / part;
    var sum = 0.0;
    for (var p = 0u; p < parts; p++) {
        sum += partials[(team * parts + p) * SUMS + i];
    }
    return sum;
}
