// Sum and largest of one value from each of the SIZE threads of a workgroup; every thread gets the result. The importing
// shader defines SIZE, a power of two. Must be called in uniform control flow.

var<workgroup> partial: array<f32, SIZE>;

#ifdef SUBGROUPS
fn workgroup_sum(value: f32, thread: u32, subgroup_size: u32) -> f32 {
    let sum = subgroupAdd(value);
    if thread % subgroup_size == 0 {
        partial[thread / subgroup_size] = sum;
    }
    workgroupBarrier();
    var total = 0.0;
    for (var i = 0u; i < SIZE / subgroup_size; i++) {
        total += partial[i];
    }
    workgroupBarrier();
    return total;
}

fn workgroup_max(value: f32, thread: u32, subgroup_size: u32) -> f32 {
    let largest = subgroupMax(value);
    if thread % subgroup_size == 0 {
        partial[thread / subgroup_size] = largest;
    }
    workgroupBarrier();
    var result = partial[0];
    for (var i = 1u; i < SIZE / subgroup_size; i++) {
        result = max(result, partial[i]);
    }
    workgroupBarrier();
    return result;
}
#else
fn workgroup_sum(value: f32, thread: u32) -> f32 {
    partial[thread] = value;
    for (var half = SIZE / 2; half > 0; half /= 2) {
        workgroupBarrier();
        if thread < half {
            partial[thread] += partial[thread + half];
        }
    }
    workgroupBarrier();
    let total = partial[0];
    workgroupBarrier();
    return total;
}

fn workgroup_max(value: f32, thread: u32) -> f32 {
    partial[thread] = value;
    for (var half = SIZE / 2; half > 0; half /= 2) {
        workgroupBarrier();
        if thread < half {
            partial[thread] = max(partial[thread], partial[thread + half]);
        }
    }
    workgroupBarrier();
    let result = partial[0];
    workgroupBarrier();
    return result;
}
#endif
