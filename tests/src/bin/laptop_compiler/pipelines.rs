//! Every pipeline that the engine makes.

/// One pipeline as plain data.
pub(crate) struct Pipeline {
    /// Name of the shader's file.
    pub(crate) shader: String,
    /// Which variant of it.
    pub(crate) defines: Vec<String>,
    /// Its `override` constants.
    pub(crate) constants: Vec<(String, u32)>,
    /// Its source, with imports and variant resolved.
    pub(crate) wgsl: String,
}

impl Pipeline {
    /// Shader, variant and constants.
    pub(crate) fn name(&self) -> String {
        let mut words = vec![self.shader.clone()];
        words.extend(self.defines.iter().cloned());
        words.extend(self.constants.iter().map(|(name, value)| format!("{name}={value}")));
        words.join(" ")
    }
}

/// All of them, for the published model.
pub(crate) fn all() -> Vec<Pipeline> {
    vec![
        Pipeline {
            shader: "matrix_vector".into(),
            defines: vec![],
            constants: vec![("ROWS".into(), 4)],
            wgsl: MV.into(),
        },
        Pipeline {
            shader: "matrix_product".into(),
            defines: vec![],
            constants: vec![("K".into(), 2048)],
            wgsl: MM.into(),
        },
    ]
}
const MV: &str = "
override ROWS: u32;
struct Params { width: u32, rows: u32, x: u32, out: u32 }
var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
fn lo(v: u32) -> f32 { return bitcast<f32>(v << 16); }
fn hi(v: u32) -> f32 { return bitcast<f32>(v & 0xffff0000u); }
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) size: u32, @builtin(subgroup_id) sub: u32) {
  let row = group.x * ROWS + sub;
  var sum = 0.0;
  for (var i = lane; i < params.width / 8; i += size) {
    let w = weights[row * (params.width / 8) + i];
    let a = x[params.x + i * 2]; let b = x[params.x + i * 2 + 1];
    sum += dot(a, vec4(lo(w.x), hi(w.x), lo(w.y), hi(w.y))) + dot(b, vec4(lo(w.z), hi(w.z), lo(w.w), hi(w.w)));
  }
  sum = subgroupAdd(sum);
  if lane == 0 { out[params.out + row] = sum; }
}";
const MM: &str = "
enable f16;
enable wgpu_cooperative_matrix;
override K: u32;
@group(0) @binding(0) var<storage, read> left: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> right: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
var<workgroup> ta: array<f16, 16 * 16>;
var<workgroup> tb: array<f16, 16 * 16>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  var acc = coop_mat16x16<f32, C>();
  for (var k = 0u; k < K; k += 16u) {
    if t < 32 {
      let wa = left[(group.x * 16 + t / 2) * (K / 8) + k / 8 + t % 2];
      let wb = right[(group.y * 16 + t / 2) * (K / 8) + k / 8 + t % 2];
      for (var j = 0u; j < 4; j++) {
        let pa = unpack2x16float(wa[j]); let pb = unpack2x16float(wb[j]);
        ta[t * 8 + j * 2] = f16(pa.x); ta[t * 8 + j * 2 + 1] = f16(pa.y);
        tb[t * 8 + j * 2] = f16(pb.x); tb[t * 8 + j * 2 + 1] = f16(pb.y);
      }
    }
    workgroupBarrier();
    let a = coopLoadT<coop_mat16x16<f16, A>>(&ta[0], 16u);
    let b = coopLoad<coop_mat16x16<f16, B>>(&tb[0], 16u);
    acc = coopMultiplyAdd(a, b, acc);
    workgroupBarrier();
  }
  let at = group.x * 16 * 2048 + group.y * 16;
  let stride = 2048u;
  coopStoreT(acc, &out[at], stride);
}";
