// The weights of a tile's columns: where each column's row of the matrix begins, and 16 bytes of it. GATED: the first half of the
// columns belongs to W, the second to Up. The importing shader has SIZE, COLUMNS, and the bindings `weight` and `up`; for weights in
// blocks also `weight_scales` and `up_scales`.

// Weights in 16 bytes.
#ifdef F32
const UNIT: u32 = 4;
#endif
#ifdef F16
const UNIT: u32 = 8;
#endif
#ifdef BF16
const UNIT: u32 = 8;
#endif
#ifdef Q8_0
const UNIT: u32 = 16;
#endif
#ifdef Q4
const UNIT: u32 = 32;
#endif
// Columns of out.
#ifdef GATED
const OUTPUTS: u32 = COLUMNS / 2;
#else
const OUTPUTS: u32 = COLUMNS;
#endif

// Where each row begins, in units.
var<workgroup> weight_at: array<u32, COLUMNS>;

// Finds the rows for the columns of out from `first` on, of the matrix that begins `row` rows behind the first.
fn find_weights(thread: u32, row: u32, first: u32) {
    for (var i = thread; i < COLUMNS; i += SIZE) {
        var start = params.weight_row;
#ifdef GATED
        if i >= OUTPUTS {
            start = params.up_row;
        }
#endif
        weight_at[i] = (start + row + min(first + i % OUTPUTS, params.o - 1)) * params.pitch;
    }
}

fn weight_unit(column: u32, unit: u32) -> vec4<u32> {
    let at = weight_at[column] + unit;
#ifdef GATED
    if column >= OUTPUTS {
        return up[at];
    }
#endif
    return weight[at];
}

// What scales a unit of weights in blocks: d, and for Q4 also m.
fn weight_scale(column: u32, unit: u32) -> vec2<f32> {
    var scale = vec2<f32>();
#ifdef Q8_0
    let block = (weight_at[column] + unit) / 2;
    var pair = 0u;
#ifdef GATED
    if column >= OUTPUTS {
        pair = up_scales[block / 2];
    } else {
        pair = weight_scales[block / 2];
    }
#else
    pair = weight_scales[block / 2];
#endif
    scale.x = unpack2x16float(pair >> (block % 2 * 16)).x;
#endif
#ifdef Q4
    let block = weight_at[column] + unit;
#ifdef GATED
    if column >= OUTPUTS {
        return unpack2x16float(up_scales[block]);
    }
#endif
    scale = unpack2x16float(weight_scales[block]);
#endif
    return scale;
}

#ifdef Q8_0
// Four weights of a block, without a conversion for each: the bits 0x6400 and a byte are 1024 and the byte in half precision. All is
// exact.
fn four(quants: u32, scale: vec2<f32>) -> vec4<f32> {
    let bytes = quants ^ 0x80808080u;
    let even = unpack2x16float((bytes & 0x00ff00ffu) | 0x64006400u);
    let odd = unpack2x16float((bytes >> 8 & 0x00ff00ffu) | 0x64006400u);
    return fma(vec4(even.x, odd.x, even.y, odd.y), vec4(scale.x), vec4(-1152.0 * scale.x));
}
#endif
#ifdef Q4
// Four weights of a block, from the lower halves of the bytes.
fn four(quants: u32, scale: vec2<f32>) -> vec4<f32> {
    return vec4<f32>(unpack4xU8(quants & 0x0f0f0f0fu)) * scale.x + scale.y;
}
#endif
