//! The windows of a 3×3 convolution with stride 2 and one pixel of zeros around, laid out as rows for a matrix product.
//!
//! Bindings: x `[images, height, width, channels]` f32 → out `[images·out_height·out_width, channels·9]` f32 with
//! `out = (len - 1) / 2 + 1` and column `channel·9 + y·3 + x`, as weights `[out, in, 3, 3]` are stored.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::{Dispatch, Lowering};

/// Records the windows of `x` `[images, height, width, channels]`: `[images·out_height·out_width, channels·9]`.
pub(crate) fn record(rec: &mut Recording, x: Buffer) -> Result<Buffer> {
    require::f32s("conv2d_columns", &[("x", x)])?;
    let &[images, height, width, channels] = x.shape.axes() else {
        return check(false, "conv2d_columns", || {
            format!("x must be [images, height, width, channels], found {}", x.shape)
        })
        .map(|()| x);
    };
    let rows = images * halved(height) * halved(width);
    let out = rec.f32([rows, channels * 9]);
    rec.push(Kernel::Conv2dColumns, &[x], &[out]);
    Ok(out)
}

/// Outputs along an axis of so many inputs.
fn halved(len: usize) -> usize {
    len.div_ceil(2)
}

pub(crate) fn cpu(inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let x = inputs.f32(0);
    let axes = inputs.buffer(0).shape;
    let [height, width, channels] = [axes.axes()[1], axes.axes()[2], axes.axes()[3]];
    let (out_height, out_width) = (halved(height), halved(width));
    let zeros = vec![0.0; channels];
    threads::rows(outputs.one().f32(), channels * 9, channels * 9, |first, out| {
        for (i, out) in out.chunks_exact_mut(channels * 9).enumerate() {
            let i = first + i;
            let (image, oy, ox) = (i / (out_height * out_width), i / out_width % out_height, i % out_width);
            let taps: [&[f32]; 9] = std::array::from_fn(|tap| {
                let (y, x_) = ((2 * oy + tap / 3).wrapping_sub(1), (2 * ox + tap % 3).wrapping_sub(1));
                if y < height && x_ < width {
                    &x[((image * height + y) * width + x_) * channels..][..channels]
                } else {
                    &zeros
                }
            });
            // Sixteen channels at a time, so that nothing is checked within.
            let (blocks, tail) = out.as_chunks_mut::<144>();
            for (block, out) in blocks.iter_mut().enumerate() {
                let mut of_block = [&[0.0; 16]; 9];
                for (of_block, tap) in of_block.iter_mut().zip(&taps) {
                    *of_block = &tap.as_chunks().0[block];
                }
                for channel in 0..16 {
                    for (tap, of_block) in of_block.iter().enumerate() {
                        out[channel * 9 + tap] = of_block[channel];
                    }
                }
            }
            let first = blocks.len() * 16;
            for (channel, out) in tail.as_chunks_mut::<9>().0.iter_mut().enumerate() {
                *out = taps.map(|tap| tap[first + channel]);
            }
        }
    });
}

pub(crate) fn gpu(inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (x, out) = (inputs[0], outputs[0]);
    let axes = x.shape.axes();
    let dispatch = Dispatch::new("conv2d_columns")
        .read(x)
        .write(out)
        .size(out.shape.len())
        .size(axes[1])
        .size(axes[2])
        .size(axes[3])
        .size(halved(axes[1]))
        .size(halved(axes[2]))
        .size(x.offset)
        .size(out.offset)
        .elements(out.shape.len(), low.target());
    low.push(dispatch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{executors, random, run};

    #[test]
    fn columns_hold_the_window_of_each_output() {
        for (images, height, width, channels) in [(1, 1, 1, 1), (2, 5, 4, 3), (1, 8, 7, 2), (3, 2, 13, 17)] {
            let x = random(images * height * width * channels, 1);
            let mut rec = Recording::new();
            let bx = rec.constant_f32([images, height, width, channels], x.clone());
            let out = record(&mut rec, bx).unwrap();
            let (out_height, out_width) = ((height - 1) / 2 + 1, (width - 1) / 2 + 1);
            assert_eq!(out.shape.axes(), [images * out_height * out_width, channels * 9]);
            let [got, gpu] = executors().map(|mut executor| run(&mut executor, &rec, out));
            assert_eq!(got, gpu);
            for (i, got) in got.into_iter().enumerate() {
                let (row, column) = (i / (channels * 9), i % (channels * 9));
                let (image, oy, ox) =
                    (row / out_width / out_height, row / out_width % out_height, row % out_width);
                let (channel, ky, kx) = (column / 9, column / 3 % 3, column % 3);
                let (y, x_) = ((2 * oy + ky) as isize - 1, (2 * ox + kx) as isize - 1);
                let inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x_);
                let at = ((image * height) as isize + y) * width as isize + x_;
                let want = if inside { x[at as usize * channels + channel] } else { 0.0 };
                assert_eq!(got, want, "row {row} column {column}");
            }
        }
    }

    #[test]
    fn refuses_a_matrix() {
        let mut rec = Recording::new();
        let x = rec.f32([4, 4]);
        assert!(record(&mut rec, x).unwrap_err().to_string().contains("[4, 4]"));
    }
}
