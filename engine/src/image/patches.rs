//! Resized frames to the rows that the vision encoder reads.

use rayon::prelude::*;

use super::{Image, ImageConfig};
use crate::{Error, Result};

/// Normalised patches of a picture or a video.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Patches {
    /// Values `[patches, 3 · temporal_patch_size · patch_size²]`. Rows: time, then merge blocks row by row, then the
    /// patches of a block row by row. A row: channel, time, y, x.
    pub pixel_values: Vec<f32>,
    /// Patches in time, height and width.
    pub grid: [usize; 3],
}

/// Cuts frames of one size into patches. The last frame is repeated until they fill the patches in time, so one
/// picture is doubled.
///
/// # Errors
/// [`Error::Input`] when there is no frame, the frames differ in size, or a side is no multiple of
/// [`ImageConfig::factor`]; resize them first.
pub(crate) fn patches(frames: &[Image], config: &ImageConfig) -> Result<Patches> {
    let &ImageConfig { patch_size: side, temporal_patch_size: depth, merge_size: merge, .. } = config;
    if side == 0 || depth == 0 || merge == 0 {
        return Err(Error::Input(format!(
            "the picture processor's numbers do not fit: patch_size {side}, temporal_patch_size {depth}, merge_size \
             {merge}; each must be 1 or more"
        )));
    }
    let Some(first) = frames.first() else {
        return Err(Error::Input("the video has no frames; choose one with at least one picture".into()));
    };
    let (height, width) = (first.height, first.width);
    for (number, frame) in frames.iter().enumerate() {
        frame.check()?;
        if (frame.height, frame.width) != (height, width) {
            return Err(Error::Input(format!(
                "frame {number} has {} x {} pixels, but the first has {width} x {height}; give all frames one size",
                frame.width, frame.height
            )));
        }
    }
    if !height.is_multiple_of(config.factor()) || !width.is_multiple_of(config.factor()) {
        return Err(Error::Input(format!(
            "a frame of {width} x {height} pixels cannot be cut into patches: its sides must be multiples of {}",
            config.factor()
        )));
    }

    let grid = [frames.len().div_ceil(depth), height / side, width / side];
    let tables = std::array::from_fn(|c| table(config.mean[c], config.std[c]));
    let order = merge_order(grid[1], grid[2], merge);
    let row = 3 * depth * side * side;
    let mut pixel_values = vec![0.0; grid.iter().product::<usize>() * row];
    pixel_values.par_chunks_exact_mut(row).enumerate().for_each(|(patch, values)| {
        let (time, (y, x)) = (patch / order.len(), order[patch % order.len()]);
        for (i, line) in values.chunks_exact_mut(side).enumerate() {
            let (channel, t, dy) = (i / (depth * side), i / side % depth, i % side);
            let frame = &frames[(time * depth + t).min(frames.len() - 1)];
            let start = ((y * side + dy) * width + x * side) * 3;
            fill(line, &frame.rgb[start..start + side * 3], channel, &tables);
        }
    });
    Ok(Patches { pixel_values, grid })
}

/// Row and column of each patch of a frame, in the order of the rows.
fn merge_order(rows: usize, columns: usize, merge: usize) -> Vec<(usize, usize)> {
    let mut order = Vec::with_capacity(rows * columns);
    for top in (0..rows).step_by(merge) {
        for left in (0..columns).step_by(merge) {
            for y in top..top + merge {
                order.extend((left..left + merge).map(|x| (y, x)));
            }
        }
    }
    order
}

/// What each of the 256 values of a channel is after scaling to 0 to 1 and normalising.
fn table(mean: f32, std: f32) -> [f32; 256] {
    std::array::from_fn(|value| (value as f32 - mean * 255.0) / (std * 255.0))
}

fn fill(line: &mut [f32], pixels: &[u8], channel: usize, tables: &[[f32; 256]; 3]) {
    for (value, pixel) in line.iter_mut().zip(pixels.chunks_exact(3)) {
        *value = tables[channel][usize::from(pixel[channel])];
    }
}
