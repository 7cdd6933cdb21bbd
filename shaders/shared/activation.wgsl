// The function that follows a product, chosen by ACTIVATION: 0 none, 1 silu, 2 gelu with the error function, 3 gelu with tanh,
// 4 held to [-1, 1]. Errors as on the processor: erf and tanh 2e-7 absolute.
override ACTIVATION: u32 = 0;
#import "shared/exp.wgsl"

fn sigmoid(v: f32) -> f32 {
    return 1.0 / (1.0 + precise_exp(-v));
}

fn silu(v: f32) -> f32 {
    return v * sigmoid(v);
}

fn erf(v: f32) -> f32 {
    let a = min(abs(v), 4.0);
    // a <= 0.9: erf(a) / a in a².
    let q = a * a;
    var near = -0.00061112916;
    near = near * q + 0.005016228;
    near = near * q - 0.026781958;
    near = near * q + 0.1128223;
    near = near * q - 0.37612534;
    near = near * q + 1.1283792;
    // 0.9 <= a <= 4: -ln(1 - erf(a)).
    var far = 2.0909556e-5;
    far = far * a - 0.000432303;
    far = far * a + 0.004160527;
    far = far * a - 0.025091497;
    far = far * a + 0.10823662;
    far = far * a + 0.6333867;
    far = far * a + 1.1294951;
    far = far * a - 0.00017055203;
    return sign(v) * select(1.0 - precise_exp(-far), a * near, a < 0.9);
}

fn precise_tanh(v: f32) -> f32 {
    let a = abs(v);
    // a <= 0.6: tanh(a) / a in a².
    let q = a * a;
    var near = -0.005863216;
    near = near * q + 0.020763585;
    near = near * q - 0.053771846;
    near = near * q + 0.13331729;
    near = near * q - 0.33333284;
    near = near * q + 1.0;
    return sign(v) * select(1.0 - 2.0 / (precise_exp(2.0 * a) + 1.0), a * near, a < 0.6);
}

fn activate(v: f32) -> f32 {
    switch ACTIVATION {
        case 1u: {
            return silu(v);
        }
        case 2u: {
            return 0.5 * v * (1.0 + erf(v * 0.70710678));
        }
        case 3u: {
            return 0.5 * v * (1.0 + precise_tanh(0.7978846 * (v + 0.044715 * v * v * v)));
        }
        case 4u: {
            return clamp(v, -1.0, 1.0);
        }
        default: {
            return v;
        }
    }
}
