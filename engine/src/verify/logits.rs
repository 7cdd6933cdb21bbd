//! How far one model's predictions are from another's.

use std::ops::AddAssign;

use super::Case;
use super::taps::Taps;

/// Sums over positions.
#[derive(Clone, Copy, Default)]
pub(super) struct Logits {
    positions: usize,
    cosines: f64,
    divergences: f64,
    same_choices: usize,
}

impl Logits {
    /// Of all positions of two runs.
    pub(super) fn of(ours: &Taps, stored: &Taps) -> Logits {
        let ((shape, ours), (_, stored)) = (ours.f32("logits"), stored.f32("logits"));
        let mut logits = Logits::default();
        logits.add(&ours, &stored, shape[1]);
        logits
    }

    pub(super) fn is_empty(&self) -> bool {
        self.positions == 0
    }

    fn add(&mut self, ours: &[f32], stored: &[f32], vocabulary: usize) {
        for (ours, stored) in ours.chunks(vocabulary).zip(stored.chunks(vocabulary)) {
            let dot = |a: &[f32], b: &[f32]| -> f64 {
                a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
            };
            self.positions += 1;
            self.cosines += dot(ours, stored) / (dot(ours, ours) * dot(stored, stored)).sqrt();
            self.divergences += divergence(stored, ours);
            self.same_choices += usize::from(likeliest(ours) == likeliest(stored));
        }
    }

    /// Mean cosine, mean divergence, and at how many positions both choose the same token.
    pub(super) fn case(&self, name: String) -> Case {
        let positions = self.positions as f64;
        let mut case = Case::named(name);
        case.cosine = Some(self.cosines / positions);
        case.divergence = Some(self.divergences / positions);
        case.exact = Some((self.same_choices, self.positions));
        case
    }

    /// The same; a failure where the mean cosine is below `least`.
    pub(super) fn judged(&self, name: String, least: f64) -> Case {
        let mut case = self.case(name);
        let cosine = case.cosine.unwrap_or(f64::NAN);
        if cosine.is_nan() || cosine < least {
            case.failure = Some(format!("mean cosine of the logits {cosine:.6}, expected at least {least}"));
        }
        case
    }
}

impl AddAssign for Logits {
    fn add_assign(&mut self, other: Logits) {
        self.positions += other.positions;
        self.cosines += other.cosines;
        self.divergences += other.divergences;
        self.same_choices += other.same_choices;
    }
}

/// `Σ p · ln(p / q)` of the distributions that two rows of logits stand for, in nats.
fn divergence(p: &[f32], q: &[f32]) -> f64 {
    let logarithms = |logits: &[f32]| -> Vec<f64> {
        let largest = logits.iter().fold(f64::NEG_INFINITY, |a, &v| a.max(f64::from(v)));
        let sum: f64 = logits.iter().map(|&v| (f64::from(v) - largest).exp()).sum();
        logits.iter().map(|&v| f64::from(v) - largest - sum.ln()).collect()
    };
    logarithms(p).iter().zip(logarithms(q)).map(|(p, q)| p.exp() * (p - q)).sum()
}

fn likeliest(logits: &[f32]) -> Option<usize> {
    (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_logits_have_cosine_one_and_no_divergence() {
        let rows = [1.0, -2.0, 0.5, 3.0, 0.0, 1.0];
        let mut logits = Logits::default();
        logits.add(&rows, &rows, 3);
        let case = logits.judged("a".into(), 0.999);
        assert_eq!((case.failure, case.exact), (None, Some((2, 2))));
        assert!((case.cosine.unwrap() - 1.0).abs() < 1e-12 && case.divergence.unwrap().abs() < 1e-12);
    }

    #[test]
    fn other_logits_or_nan_fail() {
        for ours in [[0.0, 1.0], [f32::NAN, 1.0]] {
            let mut logits = Logits::default();
            logits.add(&ours, &[1.0, 0.0], 2);
            assert!(logits.judged("a".into(), 0.99).failure.is_some());
        }
    }

    #[test]
    fn divergence_is_that_of_the_formula() {
        // p = (3/4, 1/4), q = (1/2, 1/2).
        let want = 0.75 * 1.5f64.ln() + 0.25 * 0.5f64.ln();
        assert!((divergence(&[3f32.ln() + 5.0, 5.0], &[2.0, 2.0]) - want).abs() < 1e-6);
    }
}
