//! How far stored weights are from what they were, for each group of tensors.

use serde::{Deserialize, Serialize};

use crate::weights::Planned;

/// Sums over the weights of a tensor.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Sums {
    weights: u64,
    squares: f64,
    error_squares: f64,
    /// Largest error.
    most: f32,
}

impl Sums {
    /// Of `count` weights that stay what they are.
    pub(super) fn exact(count: usize) -> Sums {
        Sums { weights: count as u64, ..Sums::default() }
    }

    /// Of weights before and after, few enough to be added in single precision.
    pub(super) fn of(was: &[f32], is: &[f32]) -> Sums {
        /// Sums that run beside each other, so that a processor adds several at a time.
        const LANES: usize = 16;
        let (mut squares, mut errors, mut most) = ([0.0_f32; LANES], [0.0_f32; LANES], [0.0_f32; LANES]);
        for (was, is) in was.chunks(LANES).zip(is.chunks(LANES)) {
            for (i, (was, is)) in was.iter().zip(is).enumerate() {
                let off = is - was;
                squares[i] += was * was;
                errors[i] += off * off;
                most[i] = most[i].max(off.abs());
            }
        }
        let sum = |lanes: [f32; LANES]| lanes.iter().copied().map(f64::from).sum();
        Sums {
            weights: was.len() as u64,
            squares: sum(squares),
            error_squares: sum(errors),
            most: most.into_iter().fold(0.0, f32::max),
        }
    }

    pub(super) fn merge(&mut self, other: &Sums) {
        self.weights += other.weights;
        self.squares += other.squares;
        self.error_squares += other.error_squares;
        self.most = self.most.max(other.most);
    }

    pub(super) fn merged(mut self, other: Sums) -> Sums {
        self.merge(&other);
        self
    }
}

/// Tensors of one kind in one part of the model that are held in the same way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorGroup {
    /// Part of the model, such as `thinker`.
    pub part: String,
    /// What the tensors are, such as `attention`.
    pub kind: String,
    /// How they are held: `f32`, `f16`, `bf16`, `q8_0` or `q4`.
    pub held: String,
    /// Tensors; a stack of experts is one.
    pub tensors: u64,
    /// Weights in them.
    pub weights: u64,
    /// Bytes of them as they are held.
    pub bytes: u64,
    /// Largest error of a weight, divided by the root of the mean square of its tensor's weights.
    pub most: f64,
    squares: f64,
    error_squares: f64,
}

impl ErrorGroup {
    /// Root of the mean square of the errors, divided by that of the weights.
    pub fn rms(&self) -> f64 {
        if self.error_squares > 0.0 { (self.error_squares / self.squares).sqrt() } else { 0.0 }
    }

    fn is_like(&self, other: &ErrorGroup) -> bool {
        (&self.part, &self.kind, &self.held) == (&other.part, &other.kind, &other.held)
    }
}

/// The groups so far.
#[derive(Default)]
pub(super) struct Figures(Vec<ErrorGroup>);

impl Figures {
    /// Adds a tensor.
    pub(super) fn add(&mut self, planned: &Planned, sums: Sums) {
        let root = (sums.squares / sums.weights.max(1) as f64).sqrt();
        self.add_all(&[ErrorGroup {
            part: part(&planned.name).into(),
            kind: kind(&planned.name, planned.shape().len()).into(),
            held: planned.element.name().into(),
            tensors: 1,
            weights: sums.weights,
            bytes: planned.bytes() as u64,
            most: if sums.most > 0.0 { f64::from(sums.most) / root } else { 0.0 },
            squares: sums.squares,
            error_squares: sums.error_squares,
        }]);
    }

    /// Adds groups of other tensors.
    pub(super) fn add_all(&mut self, others: &[ErrorGroup]) {
        for other in others {
            let Some(group) = self.0.iter_mut().find(|group| group.is_like(other)) else {
                self.0.push(other.clone());
                continue;
            };
            group.tensors += other.tensors;
            group.weights += other.weights;
            group.bytes += other.bytes;
            group.squares += other.squares;
            group.error_squares += other.error_squares;
            group.most = group.most.max(other.most);
        }
    }

    pub(super) fn groups(self) -> Vec<ErrorGroup> {
        self.0
    }
}

/// The part of the model that a tensor is of.
fn part(name: &str) -> &'static str {
    const PARTS: [(&str, &str); 5] = [
        ("thinker.audio_tower.", "audio encoder"),
        ("thinker.visual.", "vision encoder"),
        ("talker.code_predictor.", "code predictor"),
        ("talker.", "talker"),
        ("code2wav.", "code2wav"),
    ];
    PARTS.into_iter().find(|(prefix, _)| name.starts_with(prefix)).map_or("thinker", |(_, part)| part)
}

/// What a tensor with so many axes is.
fn kind(name: &str, axes: usize) -> &'static str {
    const KINDS: [(&str, &str); 14] = [
        (".mlp.gate.", "routers"),
        ("shared_expert_gate", "routers"),
        (".experts.", "experts"),
        (".shared_expert.", "shared experts"),
        ("embed", "embeddings"),
        ("head", "output"),
        ("attn", "attention"),
        ("projection", "projections"),
        ("mlp", "mlp"),
        ("fc", "mlp"),
        ("merger", "mlp"),
        ("conv", "convolutions"),
        ("decoder", "convolutions"),
        ("upsample", "convolutions"),
    ];
    if axes < 2 {
        return "norms, biases";
    }
    KINDS.into_iter().find(|(word, _)| name.contains(word)).map_or("other", |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_grouped_by_what_they_are() {
        for (name, axes, wanted) in [
            ("thinker.model.layers.3.mlp.experts.gate_proj.weight", 3, ("thinker", "experts")),
            ("thinker.model.layers.3.mlp.gate.weight", 2, ("thinker", "routers")),
            ("thinker.model.layers.3.self_attn.q_proj.weight", 2, ("thinker", "attention")),
            ("thinker.model.layers.3.self_attn.q_norm.weight", 1, ("thinker", "norms, biases")),
            ("thinker.lm_head.weight", 2, ("thinker", "output")),
            ("thinker.audio_tower.layers.0.fc1.weight", 2, ("audio encoder", "mlp")),
            ("thinker.audio_tower.conv2d1.weight", 4, ("audio encoder", "convolutions")),
            ("thinker.visual.blocks.0.attn.qkv.weight", 2, ("vision encoder", "attention")),
            ("talker.model.layers.0.mlp.shared_expert.up_proj.weight", 2, ("talker", "shared experts")),
            ("talker.model.layers.0.mlp.shared_expert_gate.weight", 2, ("talker", "routers")),
            ("talker.text_projection.linear_fc1.weight", 2, ("talker", "projections")),
            ("talker.code_predictor.lm_head.3.weight", 2, ("code predictor", "output")),
            ("code2wav.decoder.1.block.1.conv.weight", 3, ("code2wav", "convolutions")),
            ("model.layers.0.mlp.up_proj.weight", 2, ("thinker", "mlp")),
            ("model.embed_tokens.weight", 2, ("thinker", "embeddings")),
        ] {
            assert_eq!((part(name), kind(name, axes)), wanted, "{name}");
        }
    }

    #[test]
    fn errors_are_relative_to_the_weights() {
        let was: Vec<f32> = (0..40).map(|i| if i % 2 == 0 { 2.0 } else { -2.0 }).collect();
        let mut is = was.clone();
        is[33] += 0.5;
        let sums = Sums::of(&was, &is).merged(Sums::of(&was, &was));
        assert_eq!((sums.weights, sums.squares, sums.error_squares, sums.most), (80, 320.0, 0.25, 0.5));
    }
}
