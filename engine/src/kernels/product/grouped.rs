//! Products of many rows with the matrices of their experts. `group.wgsl` lists the rows by expert, so that each matrix is read for
//! all of its rows at once; `grouped.wgsl` multiplies as [`super::matmul`] does; `grouped_sum.wgsl` adds the experts of a token in
//! their order. How many rows an expert has is known on the device alone: workgroups without rows end at once.

use super::rows::Rows;
use super::tile::{Tile, Weight, read};
use crate::error::Result;
use crate::kernels::rms_norm::Norm;
use crate::recording::Buffer;
use crate::shader::{Dispatch, Lowering};
use crate::shape::Element;

/// Lowers [`crate::kernels::expert_gate_up`].
pub(super) fn gate_up(
    x: Buffer,
    norm: Option<Norm>,
    index: Buffer,
    gate: Buffer,
    up: Buffer,
    out: Buffer,
    low: &mut Lowering<'_>,
) -> Result<()> {
    let rows = Rows::new(x, norm, &[gate, up], low)?;
    let groups = Groups::new(&rows, index, gate.shape.axes()[0], low)?;
    let [gate, up] = Weight::pair(gate, up)?;
    let dispatch = groups
        .product(&rows, &[gate, up], out)
        .define("GATED")
        .size(up.row)
        .grid(groups.grid(out, 2))
        .costs(2 * out.shape.len() * rows.k);
    low.push(dispatch)
}

/// Lowers [`crate::kernels::expert_down`].
pub(super) fn down(
    mid: Buffer,
    index: Buffer,
    weight: Buffer,
    down: Buffer,
    residual: Option<Buffer>,
    out: Buffer,
    low: &mut Lowering<'_>,
) -> Result<()> {
    let rows = Rows::new(mid, None, &[down], low)?;
    let groups = Groups::new(&rows, index, down.shape.axes()[0], low)?;
    let products = low.scratch([index.shape.len(), out.row()], Element::F32);
    let dispatch = groups
        .product(&rows, &[Weight::new(down)?], products)
        .grid(groups.grid(products, 1))
        .costs(products.shape.len() * rows.k);
    low.push(dispatch)?;
    let dispatch = Dispatch::new("grouped_sum")
        .read(products)
        .read(weight)
        .read(residual.unwrap_or(products))
        .write(out)
        .size(out.rows())
        .size(index.row())
        .size(out.row())
        .size(usize::from(residual.is_some()))
        .size(weight.offset)
        .size(residual.map_or(0, |r| r.offset))
        .size(out.offset)
        .threads(out.shape.len(), 256, low.target());
    low.push(dispatch)
}

/// The rows of an index by expert.
struct Groups {
    tile: Tile,
    order: Buffer,
    /// Tiles of rows of one expert each; some are empty.
    tiles: Buffer,
}

impl Groups {
    fn new(x: &Rows, index: Buffer, experts: usize, low: &mut Lowering<'_>) -> Result<Groups> {
        let rows = index.shape.len();
        // Some experts have more than their share.
        let tile = x.tile((rows * 3).div_ceil(experts * 2));
        // A router's choice serves all of its experts' matrices.
        let [order, tiles] = low.derived(index, tile.rows, |low| {
            let order = low.scratch([rows], Element::U32);
            let tiles = low.scratch([rows / tile.rows + experts, 4], Element::U32);
            let dispatch = Dispatch::new("group")
                .read(index)
                .write(order)
                .write(tiles)
                .size(rows)
                .size(experts)
                .size(tile.rows)
                .size(index.offset)
                .grid([experts, 1, 1]);
            low.push(dispatch)?;
            Ok([order, tiles])
        })?;
        Ok(Groups { tile, order, tiles })
    }

    /// The product of the rows of `x` with their matrices of the stack, or of the two alike.
    fn product(&self, x: &Rows, stacks: &[Weight], out: Buffer) -> Dispatch {
        let weight = stacks[0];
        let dispatch = Dispatch::new(x.shader("grouped", "grouped_coop"))
            .read(x.buffer)
            .read(self.order)
            .read(self.tiles)
            .write(out);
        let dispatch = read(dispatch, stacks)
            .size(x.k)
            .size(out.row())
            .size(x.buffer.offset)
            .size(out.offset)
            .size(self.order.shape.len() / x.n.max(1))
            .size(weight.pitch)
            .size(weight.row);
        self.tile.variant(dispatch, weight)
    }

    /// Workgroups for `out`, each of whose elements takes so many products.
    fn grid(&self, out: Buffer, products: usize) -> [usize; 3] {
        [self.tiles.rows(), out.row().div_ceil(self.tile.columns / products), 1]
    }
}

#[cfg(test)]
mod tests;
