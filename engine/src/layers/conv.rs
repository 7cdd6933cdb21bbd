//! Convolutions over time, frame by frame: each keeps what it still needs of the past, so that any split of the input gives the
//! same samples. A whole clip is one step from a fresh state.

use crate::error::Result;
use crate::kernels::linear::{Activation, Epilogue};
use crate::kernels::{causal_columns, depthwise_conv, overlap_add, push_history};
use crate::layers::linear::Linear;
use crate::memory::Memory;
use crate::recording::{Buffer, Recording};
use crate::shape::Element;
use crate::weights::Loader;

/// Causal convolution `[time, in]` → `[time, out]`.
#[derive(Clone, Debug)]
pub(crate) struct CausalConv {
    /// `[out, in · kernel]`
    linear: Linear,
    kernel: usize,
    dilation: usize,
    /// The last `(kernel - 1) · dilation` inputs; none where the kernel is 1.
    history: Option<Buffer>,
}

impl CausalConv {
    /// `{name}.weight` `[out, in, kernel]` and `{name}.bias` `[out]`.
    pub(crate) fn load(
        loader: &mut Loader<'_>,
        name: &str,
        [out, input, kernel]: [usize; 3],
        dilation: usize,
    ) -> Result<CausalConv> {
        let mut scope = loader.at(name);
        let weight = scope.kept_matrix_of("weight", &[out, input, kernel], [out, input * kernel])?;
        let bias = Some(scope.vector("bias", out)?);
        let history = match (kernel - 1) * dilation {
            0 => None,
            rows => Some(scope.memory().allocate([rows, input].into(), Element::F32)?),
        };
        Ok(CausalConv { linear: Linear { weight, bias }, kernel, dilation, history })
    }

    /// The next inputs `x` `[time, in]`; `residual` `[time, out]` is added.
    pub(crate) fn step(
        &self,
        rec: &mut Recording,
        x: Buffer,
        activation: Activation,
        residual: Option<Buffer>,
    ) -> Result<Buffer> {
        let columns = match self.history {
            Some(history) => {
                let columns = causal_columns::record(rec, x, history, self.kernel, self.dilation)?;
                push_history::record(rec, x, history)?;
                columns
            }
            None => x,
        };
        self.linear.record_with(rec, columns, Epilogue { activation, residual, ..Epilogue::default() })
    }

    /// Forgets the past: silence.
    pub(crate) fn reset(&self, memory: &mut dyn Memory) -> Result<()> {
        self.history.map_or(Ok(()), |history| zero(memory, history))
    }
}

/// Causal convolution of each channel by itself.
#[derive(Clone, Debug)]
pub(crate) struct DepthwiseConv {
    /// `[channels, kernel]`
    weight: Buffer,
    bias: Buffer,
    history: Buffer,
}

impl DepthwiseConv {
    /// `{name}.weight` `[channels, 1, kernel]` and `{name}.bias`.
    pub(crate) fn load(
        loader: &mut Loader<'_>,
        name: &str,
        channels: usize,
        kernel: usize,
    ) -> Result<DepthwiseConv> {
        let mut scope = loader.at(name);
        Ok(DepthwiseConv {
            weight: scope.vector_of("weight", &[channels, 1, kernel])?.reshape([channels, kernel]),
            bias: scope.vector("bias", channels)?,
            history: scope.memory().allocate([kernel - 1, channels].into(), Element::F32)?,
        })
    }

    /// The next inputs `[time, channels]`.
    pub(crate) fn step(&self, rec: &mut Recording, x: Buffer) -> Result<Buffer> {
        let out = depthwise_conv::record(rec, x, self.history, self.weight, self.bias)?;
        push_history::record(rec, x, self.history)?;
        Ok(out)
    }

    /// Forgets the past: silence.
    pub(crate) fn reset(&self, memory: &mut dyn Memory) -> Result<()> {
        zero(memory, self.history)
    }
}

/// Transposed convolution that makes `stride` outputs of each input.
#[derive(Clone, Debug)]
pub(crate) struct UpsampleConv {
    /// `[kernel · out, in]`: tap by tap.
    weight: Buffer,
    /// `[out]`; repeated for each tap where the kernel is one stride long.
    bias: Buffer,
    stride: usize,
    out: usize,
    /// Where the kernel spans two strides: the half that waits for the next input, `[stride, out]`.
    carry: Option<Buffer>,
}

impl UpsampleConv {
    /// `{name}.weight` `[in, out, kernel]` and `{name}.bias`. The kernel is one stride long (nothing trimmed) or two (one stride
    /// trimmed at both ends).
    pub(crate) fn load(
        loader: &mut Loader<'_>,
        name: &str,
        [input, out, kernel]: [usize; 3],
        stride: usize,
    ) -> Result<UpsampleConv> {
        debug_assert!(kernel == stride || kernel == 2 * stride, "kernel {kernel}, stride {stride}");
        let mut scope = loader.at(name);
        let weight = scope.transposed("weight", [input, out, kernel])?;
        let (bias, carry) = if kernel == stride {
            (scope.vector_repeated("bias", out, stride)?, None)
        } else {
            let carry = scope.memory().allocate([stride, out].into(), Element::F32)?;
            (scope.vector("bias", out)?, Some(carry))
        };
        Ok(UpsampleConv { weight, bias, stride, out, carry })
    }

    /// The next inputs `[time, in]` → outputs that are final, `[time · stride, out]`, one block of `stride` fewer on the `first`
    /// call where the kernel spans two strides; `None` when there are none yet.
    pub(crate) fn step(&self, rec: &mut Recording, x: Buffer, first: bool) -> Result<Option<Buffer>> {
        match self.carry {
            Some(carry) => {
                let taps = Linear { weight: self.weight, bias: None }.record(rec, x)?;
                overlap_add::record(rec, taps, self.bias, carry, self.stride, first)
            }
            None => {
                let taps = Linear { weight: self.weight, bias: Some(self.bias) }.record(rec, x)?;
                Ok(Some(taps.reshape([x.rows() * self.stride, self.out])))
            }
        }
    }
}

fn zero(memory: &mut dyn Memory, buffer: Buffer) -> Result<()> {
    memory.write_f32(buffer, &vec![0.0; buffer.shape.len()])
}
