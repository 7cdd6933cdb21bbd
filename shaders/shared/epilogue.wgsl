// What follows a sum of products: residual + sigmoid(gate) · scale · activation(sum + bias). Bits 0 to 3 of `params.given` say which
// of bias, scale, gate and residual there are; without one, its binding is any buffer.
// The importing shader imports shared/activation.wgsl.

@group(0) @binding(2) var<storage, read> bias: array<f32>; // [o]
@group(0) @binding(3) var<storage, read> scale: array<f32>; // [o]
@group(0) @binding(4) var<storage, read> gate: array<f32>; // [n, 1]
@group(0) @binding(5) var<storage, read> residual: array<f32>; // [n, o]

fn epilogue(sum: f32, row: u32, column: u32) -> f32 {
    var v = sum;
    if (params.given & 1u) != 0u {
        v += bias[params.bias_offset + column];
    }
    v = activate(v);
    if (params.given & 2u) != 0u {
        v *= scale[params.scale_offset + column];
    }
    if (params.given & 4u) != 0u {
        v *= sigmoid(gate[params.gate_offset + row]);
    }
    if (params.given & 8u) != 0u {
        v += residual[params.residual_offset + row * params.o + column];
    }
    return v;
}
