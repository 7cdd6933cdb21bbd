// A number that grows with the f32 of these bits; both zeros get the same one, and NaN the least, below that of negative infinity.
fn order_key(bits: u32) -> u32 {
    let magnitude = bits & 0x7fffffffu;
    if magnitude > 0x7f800000u {
        return 0;
    }
    return select(0x80000000u + magnitude, 0x80000000u - magnitude, bits >> 31 == 1);
}

// The number that has this key.
fn key_value(key: u32) -> f32 {
    return bitcast<f32>(select(0x80000000u | (0x80000000u - key), key - 0x80000000u, key >= 0x80000000u));
}
