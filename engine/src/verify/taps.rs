//! Tapped tensors of one run, by name.

use std::collections::BTreeMap;

use crate::engine::Engine;
use crate::error::Result;
use crate::recording::{Constant, Recording};
use crate::shape::Shape;

/// Tensors that a run tapped.
pub(super) struct Taps(pub(super) BTreeMap<String, (Shape, Constant)>);

impl Taps {
    /// Runs a tapped recording.
    pub(super) fn run(engine: &mut Engine, rec: &Recording, cancel: &crate::cancel::Cancel) -> Result<Taps> {
        let mut program = engine.executor.prepare(rec.clone())?;
        engine.executor.run(&mut program, cancel)?;
        Ok(Taps::taken(engine))
    }

    /// What was tapped since the last call.
    pub(super) fn taken(engine: &mut Engine) -> Taps {
        Taps(engine.executor.take_taps())
    }

    /// Shape and values; empty where nothing was tapped under this name.
    pub(super) fn f32(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        match self.0.get(name) {
            Some((shape, Constant::F32(values))) => (shape.axes().to_vec(), values.clone()),
            Some((shape, Constant::U32(values))) => {
                (shape.axes().to_vec(), values.iter().map(|&v| v as f32).collect())
            }
            None => (vec![0], Vec::new()),
        }
    }

    /// Values of ids.
    pub(super) fn i32(&self, name: &str) -> (Vec<usize>, Vec<i32>) {
        match self.0.get(name) {
            Some((shape, Constant::U32(values))) => {
                (shape.axes().to_vec(), values.iter().map(|&v| v as i32).collect())
            }
            _ => (vec![0], Vec::new()),
        }
    }

    /// Names that begin with `prefix`, and what follows it.
    pub(super) fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.keys().filter_map(move |name| Some((name.as_str(), name.strip_prefix(prefix)?)))
    }

    /// `after - before`, element by element.
    pub(super) fn difference(&self, after: &str, before: &str) -> (Vec<usize>, Vec<f32>) {
        let ((shape, after), (_, before)) = (self.f32(after), self.f32(before));
        (shape, after.iter().zip(&before).map(|(a, b)| a - b).collect())
    }
}

/// `[rows, columns]` → `[columns, rows]`.
pub(super) fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    let rows = values.len() / columns.max(1);
    (0..columns).flat_map(|c| (0..rows).map(move |r| values[r * columns + c])).collect()
}
