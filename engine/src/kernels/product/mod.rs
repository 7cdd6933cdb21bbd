//! Products with weight matrices on a graphics processor: which shader suits how many rows.

mod matmul;
mod tile;

pub(super) use matmul::{gate_up, linear, projections};
