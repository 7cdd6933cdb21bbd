//! Products with weight matrices on a graphics processor: which shader suits how many rows.

mod grouped;
mod matmul;
mod tile;

pub(super) use grouped::{down as expert_down, gate_up as expert_gate_up};
pub(super) use matmul::{gate_up, linear, projections};
