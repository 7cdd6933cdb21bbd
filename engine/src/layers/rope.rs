//! Rotary positions: which frequency each pair of a head turns with, and which axis of the position drives it.

use crate::error::Result;
use crate::kernels::{rope, rope_table};
use crate::memory::Memory;
use crate::recording::{Buffer, Recording};
use crate::shape::Element;

/// Frequencies of one kind of head.
#[derive(Clone, Debug)]
pub(crate) struct Rope {
    /// `[head_dim / 2]`
    frequency: Buffer,
    /// Axis of the position for each frequency, `[head_dim / 2]`.
    axis: Buffer,
    head_dim: usize,
}

impl Rope {
    /// One position for each token.
    pub(crate) fn plain(memory: &mut dyn Memory, head_dim: usize, theta: f64) -> Result<Rope> {
        let half = head_dim / 2;
        let frequency = (0..half).map(|j| inverse(theta, 2 * j, head_dim)).collect();
        Rope::new(memory, head_dim, frequency, vec![0; half])
    }

    /// Three positions (time, height, width), interleaved: frequency j turns with height where j mod 3 is 1, with width where
    /// it is 2, each up to its section, and with time elsewhere.
    pub(crate) fn mrope(
        memory: &mut dyn Memory,
        head_dim: usize,
        theta: f64,
        section: [usize; 3],
    ) -> Result<Rope> {
        let half = head_dim / 2;
        let frequency = (0..half).map(|j| inverse(theta, 2 * j, head_dim)).collect();
        let axis = (0..half)
            .map(|j| match j % 3 {
                1 if j < 3 * section[1] => 1,
                2 if j < 3 * section[2] => 2,
                _ => 0,
            })
            .collect();
        Rope::new(memory, head_dim, frequency, axis)
    }

    /// Two positions (row, column) of a picture's patch: the first half of the frequencies turns with the row.
    pub(crate) fn picture(memory: &mut dyn Memory, head_dim: usize) -> Result<Rope> {
        let (half, quarter) = (head_dim / 2, head_dim / 4);
        let frequency = (0..half).map(|j| inverse(10_000.0, 2 * (j % quarter), half)).collect();
        Rope::new(memory, head_dim, frequency, (0..half).map(|j| u32::from(j >= quarter)).collect())
    }

    fn new(memory: &mut dyn Memory, head_dim: usize, frequency: Vec<f32>, axis: Vec<u32>) -> Result<Rope> {
        let half = frequency.len();
        let rope = Rope {
            frequency: memory.allocate([half].into(), Element::F32)?,
            axis: memory.allocate([half].into(), Element::U32)?,
            head_dim,
        };
        memory.write_f32(rope.frequency, &frequency)?;
        memory.write_u32(rope.axis, &axis)?;
        Ok(rope)
    }

    /// Cosines and sines `[rows, head_dim]` for `positions` `[axes, rows]`.
    pub(crate) fn table(&self, rec: &mut Recording, positions: Buffer) -> Result<Buffer> {
        rope_table::record(rec, positions, self.frequency, self.axis)
    }

    /// Turns each head of `x` `[rows, heads · head_dim]`.
    pub(crate) fn turn(&self, rec: &mut Recording, x: Buffer, table: Buffer) -> Result<Buffer> {
        rope::record(rec, x, table, self.head_dim)
    }
}

fn inverse(theta: f64, exponent: usize, dim: usize) -> f32 {
    (1.0 / theta.powf(exponent as f64 / dim as f64)) as f32
}
