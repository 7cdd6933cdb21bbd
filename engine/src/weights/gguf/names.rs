//! What llama.cpp calls the tensors of this model, and what the published checkpoint calls them.

use std::collections::HashMap;
use std::path::Path;

use super::{Gguf, Listed, Value};
use crate::error::{Error, Result};
use crate::files::damaged;
use crate::weights::shard::ShardTensor;

/// Architectures of a thinker's file, and what the published names begin with.
const THINKERS: [(&str, &str); 2] = [("qwen3vlmoe", "thinker."), ("qwen3", "")];

/// The key under which a file says what it is.
const ARCHITECTURE: &str = "general.architecture";

/// Architecture of a file with encoders.
const ENCODERS: &str = "clip";

/// Tensors of which there is one.
const SINGLE: [(&str, &str); 5] = [
    ("token_embd", "model.embed_tokens"),
    ("output_norm", "model.norm"),
    ("output", "lm_head"),
    ("v.position_embd", "thinker.visual.pos_embed"),
    ("v.patch_embd", "thinker.visual.patch_embed.proj"),
];

/// Tensors of the encoders and their projectors of which there is one.
const PROJECTORS: [(&str, &str); 10] = [
    ("v.post_ln", "thinker.visual.merger.ln_q"),
    ("mm.0", "thinker.visual.merger.mlp.0"),
    ("mm.2", "thinker.visual.merger.mlp.2"),
    ("a.conv2d.1", "thinker.audio_tower.conv2d1"),
    ("a.conv2d.2", "thinker.audio_tower.conv2d2"),
    ("a.conv2d.3", "thinker.audio_tower.conv2d3"),
    ("a.conv_out", "thinker.audio_tower.conv_out"),
    ("a.post_ln", "thinker.audio_tower.ln_post"),
    ("mm.a.mlp.1", "thinker.audio_tower.proj1"),
    ("mm.a.mlp.2", "thinker.audio_tower.proj2"),
];

/// Tensors of the thinker's layers.
const LAYERS: [(&str, &str); 15] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate_inp", "mlp.gate"),
    ("ffn_gate_exps", "mlp.experts.gate_proj"),
    ("ffn_up_exps", "mlp.experts.up_proj"),
    ("ffn_down_exps", "mlp.experts.down_proj"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// Tensors of the audio encoder's layers.
const AUDIO: [(&str, &str); 8] = [
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_out", "self_attn.out_proj"),
    ("ln1", "self_attn_layer_norm"),
    ("ln2", "final_layer_norm"),
    ("ffn_up", "fc1"),
    ("ffn_down", "fc2"),
];

/// Tensors of the vision encoder's blocks.
const VISION: [(&str, &str); 6] = [
    ("attn_qkv", "attn.qkv"),
    ("attn_out", "attn.proj"),
    ("ln1", "norm1"),
    ("ln2", "norm2"),
    ("ffn_up", "mlp.linear_fc1"),
    ("ffn_down", "mlp.linear_fc2"),
];

/// Tensors of a merger behind one of the vision encoder's blocks.
const DEEPSTACK: [(&str, &str); 3] = [("norm", "ln_q"), ("fc1", "mlp.0"), ("fc2", "mlp.2")];

/// Computed by the engine itself.
const NOT_NEEDED: [&str; 2] = ["a.position_embd.weight", "rope_freqs.weight"];

/// The tensors of a file by their published names. `thinker` is what those of the file before began with: the parts of a file that
/// was split say it once only.
///
/// # Errors
/// `Error::Checkpoint` for a model that the engine does not run; `Error::Tensor` for a tensor that belongs to none it runs.
pub(crate) fn tensors(gguf: Gguf, thinker: &mut Option<&'static str>) -> Result<Vec<ShardTensor>> {
    let prefix = match thinker.filter(|_| !gguf.metadata.contains_key(ARCHITECTURE)) {
        Some(prefix) => prefix,
        None => prefix(&gguf)?,
    };
    thinker.get_or_insert(prefix);
    let blocks = deepstack(&gguf.tensors);
    let mut tensors = Vec::with_capacity(gguf.tensors.len());
    for listed in gguf.tensors {
        if NOT_NEEDED.contains(&&*listed.name) {
            continue;
        }
        let name = name(&listed.name, prefix, &blocks).ok_or_else(|| Error::Tensor {
            name: listed.name.clone(),
            path: gguf.path.clone(),
            expected: "tensors of Qwen3-Omni or Qwen3".into(),
            found: "one of another model".into(),
        })?;
        // A convolution's bias is stored with the axes that it is added to.
        let is_bias = name.ends_with(".bias");
        let shape = if is_bias { vec![listed.shape.iter().product()] } else { listed.shape };
        tensors.push(ShardTensor { name, encoding: listed.encoding, shape, range: listed.range });
    }
    Ok(tensors)
}

/// What the published names of a file's thinker begin with.
fn prefix(gguf: &Gguf) -> Result<&'static str> {
    let stated = match gguf.metadata.get(ARCHITECTURE) {
        Some(Value::Text(text)) => text.as_str(),
        _ => "nothing",
    };
    let known = THINKERS.into_iter().chain([(ENCODERS, "")]).find(|(name, _)| *name == stated);
    known.map(|(_, prefix)| prefix).ok_or_else(|| unknown(&gguf.path, stated))
}

fn unknown(path: &Path, stated: &str) -> Error {
    let reason = format!(
        "general.architecture: expected qwen3vlmoe or qwen3, or clip for the encoders, found {stated}; the engine runs Qwen3-Omni and \
         Qwen3 only"
    );
    damaged(path, reason)
}

/// The published name of a tensor.
fn name(listed: &str, thinker: &str, blocks: &HashMap<usize, usize>) -> Option<String> {
    // Pictures' patches are stored in two halves, one for each frame.
    match listed {
        "v.patch_embd.weight" => return Some("thinker.visual.patch_embed.proj.weight.0".into()),
        "v.patch_embd.weight.1" => return Some("thinker.visual.patch_embed.proj.weight.1".into()),
        _ => (),
    }
    let (stem, ending) = listed.rsplit_once('.').filter(|(_, ending)| ["weight", "bias"].contains(ending))?;
    let published = if let Some((_, name)) = SINGLE.into_iter().find(|(known, _)| *known == stem) {
        if stem.starts_with("v.") { name.to_owned() } else { format!("{thinker}{name}") }
    } else if let Some((_, name)) = PROJECTORS.into_iter().find(|(known, _)| *known == stem) {
        name.to_owned()
    } else if let Some((i, name)) = numbered(stem, "blk.", &LAYERS) {
        format!("{thinker}model.layers.{i}.{name}")
    } else if let Some((i, name)) = numbered(stem, "a.blk.", &AUDIO) {
        format!("thinker.audio_tower.layers.{i}.{name}")
    } else if let Some((i, name)) = numbered(stem, "v.blk.", &VISION) {
        format!("thinker.visual.blocks.{i}.{name}")
    } else {
        let (block, name) = numbered(stem, "v.deepstack.", &DEEPSTACK)?;
        format!("thinker.visual.merger_list.{}.{name}", blocks.get(&block)?)
    };
    Some(format!("{published}.{ending}"))
}

/// The number and the published name of a tensor of which there are many.
fn numbered<'a>(stem: &str, prefix: &str, names: &[(&str, &'a str)]) -> Option<(usize, &'a str)> {
    let (number, rest) = stem.strip_prefix(prefix)?.split_once('.')?;
    let (_, name) = names.iter().find(|(known, _)| *known == rest)?;
    Some((number.parse().ok()?, name))
}

/// The mergers by the vision encoder's blocks that they are named after: in the published checkpoint they have numbers of their own.
fn deepstack(tensors: &[Listed]) -> HashMap<usize, usize> {
    let stems = tensors.iter().filter_map(|listed| listed.name.strip_suffix(".norm.weight"));
    let mut blocks: Vec<usize> =
        stems.filter_map(|stem| stem.strip_prefix("v.deepstack.")?.parse().ok()).collect();
    blocks.sort_unstable();
    blocks.into_iter().enumerate().map(|(i, block)| (block, i)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_the_published_ones() {
        let blocks = HashMap::from([(8, 0), (16, 1)]);
        for (listed, published) in [
            ("token_embd.weight", Some("thinker.model.embed_tokens.weight")),
            ("output.weight", Some("thinker.lm_head.weight")),
            ("blk.7.ffn_down_exps.weight", Some("thinker.model.layers.7.mlp.experts.down_proj.weight")),
            ("blk.47.attn_q_norm.weight", Some("thinker.model.layers.47.self_attn.q_norm.weight")),
            ("a.blk.3.ln2.bias", Some("thinker.audio_tower.layers.3.final_layer_norm.bias")),
            ("mm.a.mlp.2.bias", Some("thinker.audio_tower.proj2.bias")),
            ("v.blk.0.attn_qkv.weight", Some("thinker.visual.blocks.0.attn.qkv.weight")),
            ("v.deepstack.16.fc1.weight", Some("thinker.visual.merger_list.1.mlp.0.weight")),
            ("v.patch_embd.weight.1", Some("thinker.visual.patch_embed.proj.weight.1")),
            ("v.patch_embd.bias", Some("thinker.visual.patch_embed.proj.bias")),
            ("v.deepstack.9.fc1.weight", None),
            ("blk.x.attn_q.weight", None),
            ("blk.1.ssm_a.weight", None),
            ("output", None),
        ] {
            assert_eq!(name(listed, "thinker.", &blocks).as_deref(), published, "{listed}");
        }
        assert_eq!(name("blk.0.ffn_up.weight", "", &blocks).unwrap(), "model.layers.0.mlp.up_proj.weight");
    }
}
