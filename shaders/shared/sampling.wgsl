// What the stages of sampling share: their parameters, and the logits as they are drawn from.
#import "shared/order.wgsl"

struct Params {
    vocabulary: u32,
    count: u32, // best tokens to look at first, up to 256
    chunks: u32, // pieces of the vocabulary that candidates were taken from
    all: u32, // 1: the tokens behind the first `count` may be drawn too
    top_k: u32, // 0 where it does not matter to the last stage
    allowed_below: u32,
    allowed_id: u32,
    fallback: u32, // where nothing is left
    penalty: f32,
    inverse_penalty: f32,
    inverse_temperature: f32,
    top_p: f32,
    has_seen: u32,
    logits_offset: u32,
    seen_offset: u32,
    token_offset: u32,
    rng_offset: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> logits: array<u32>; // [1, vocabulary], bits of f32
@group(0) @binding(1) var<storage, read_write> seen: array<u32>; // [vocabulary], or nothing

const NOTHING: u32 = 0x00800000; // the key of negative infinity
const INFINITE: u32 = 0xff800000; // and of positive infinity

// Orders a token's logit after penalty and strikes; 0 for NaN alone.
fn logit_key(id: u32) -> u32 {
    let bits = logits[params.logits_offset + id];
    var key = order_key(bits);
    if key != 0 && params.has_seen != 0 {
        if seen[params.seen_offset + id] != 0 {
            let factor = select(params.penalty, params.inverse_penalty, key > 0x80000000u);
            key = order_key(bitcast<u32>(bitcast<f32>(bits) * factor));
        }
    }
    let struck = id >= params.allowed_below && id != params.allowed_id;
    return select(key, min(key, NOTHING), struck);
}

// A token's probability over that of the most probable one.
fn weight(key: u32, largest: u32) -> f32 {
    if key == largest {
        return 1.0;
    }
    if key <= NOTHING {
        return 0.0;
    }
    return exp((key_value(key) - key_value(largest)) * params.inverse_temperature);
}
