//! A weight as the checkpoint stores it: shape, element type and bytes, which are shared with the mapped file.

use std::{fmt, ops::Range, sync::Arc};

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use memmap2::Mmap;

use crate::error::{Error, Result};
use crate::shape::{Bytes, OwnedBytes};

/// Element type of a stored tensor, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DType {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of a single.
    Bf16,
}

impl DType {
    /// Bytes of one element.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// Widens the elements of `bytes`, which are aligned for the type, from `start` on.
    pub(crate) fn widen(self, bytes: &[u8], start: usize, values: &mut [f32]) {
        let which = start..start + values.len();
        match self {
            Self::F32 => values.copy_from_slice(&bytemuck::cast_slice(bytes)[which]),
            Self::F16 => bytemuck::cast_slice::<_, f16>(bytes)[which].convert_to_f32_slice(values),
            Self::Bf16 => bytemuck::cast_slice::<_, bf16>(bytes)[which].convert_to_f32_slice(values),
        }
    }

    /// The type with this name in a safetensors header.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "F32" => Some(Self::F32),
            "F16" => Some(Self::F16),
            "BF16" => Some(Self::Bf16),
            _ => None,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
        })
    }
}

/// Bytes of a tensor or of a run of its rows, aligned for the element type.
#[derive(Clone)]
pub(crate) enum Part {
    /// A range of a mapped shard.
    Mapped(Arc<Mmap>, Range<usize>),
    /// Bytes of our own.
    Owned(Arc<OwnedBytes>),
}

impl Part {
    /// A range inside a mapped shard; copied when it is not aligned for elements of `size` bytes.
    pub(super) fn mapped(map: &Arc<Mmap>, range: Range<usize>, size: usize) -> Self {
        let bytes = &map[range.clone()];
        if bytes.as_ptr().addr().is_multiple_of(size) {
            Self::Mapped(map.clone(), range)
        } else {
            Self::owned(bytes)
        }
    }

    fn owned(bytes: &[u8]) -> Self {
        Self::Owned(Arc::new(bytes.into()))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(map, range) => &map[range.clone()],
            Self::Owned(bytes) => (**bytes).as_ref(),
        }
    }

    /// Takes the bytes `range` out of this process's memory, where they lie in a file: they are read again if they are asked for again.
    pub(super) fn forget(&self, range: Range<usize>) {
        if let Self::Mapped(map, place) = self {
            forget(map, place.start + range.start..place.start + range.end);
        }
    }
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

/// So many equal pieces of a range of a mapped shard, each aligned for elements of `size` bytes.
pub(super) fn pieces(
    map: &Arc<Mmap>,
    range: Range<usize>,
    count: usize,
    size: usize,
) -> impl Iterator<Item = Part> {
    let each = range.len() / count.max(1);
    (0..count).map(move |i| {
        let start = range.start + i * each;
        Part::mapped(map, start..start + each, size)
    })
}

/// Blocks of a matrix or of `count` matrices in one, a part for each.
pub(super) fn blocks(map: &Arc<Mmap>, range: Range<usize>, count: usize) -> Vec<Bytes> {
    pieces(map, range, count, size_of::<f16>()).map(|part| Arc::new(part) as Bytes).collect()
}

/// A named weight. The clone is cheap: it shares the bytes.
///
/// The values are row-major in one or more parts, consecutive along the first axis: one part as a rule, one part
/// per expert for stacked experts.
#[derive(Clone)]
pub(crate) struct Tensor {
    /// Full name in the checkpoint; of stacked tensors, the first one's.
    pub(crate) name: String,
    /// Sizes of the axes, outermost first.
    pub(crate) shape: Vec<usize>,
    /// Type of the stored elements.
    pub(crate) dtype: DType,
    parts: Vec<Part>,
}

impl Tensor {
    /// A tensor over a range of a mapped shard, in `count` parts. The shard's reader has checked that the range holds the shape.
    pub(super) fn from_map(
        name: &str,
        shape: &[usize],
        dtype: DType,
        map: &Arc<Mmap>,
        range: Range<usize>,
        count: usize,
    ) -> Self {
        let parts = pieces(map, range, count, dtype.size()).collect();
        Self { name: name.to_owned(), shape: shape.to_vec(), dtype, parts }
    }

    /// Tensors of one shape and type as one of shape `[tensors, ...shape]`. `None` where they differ or there are none.
    pub(super) fn stack(tensors: &[Self]) -> Option<Self> {
        let first = tensors.first()?;
        if tensors.iter().any(|t| t.shape != first.shape || t.dtype != first.dtype) {
            return None;
        }
        let (name, dtype) = (first.name.clone(), first.dtype);
        let shape = std::iter::once(tensors.len()).chain(first.shape.iter().copied()).collect();
        Some(Self { name, shape, dtype, parts: tensors.iter().flat_map(|t| t.parts.clone()).collect() })
    }

    /// A tensor of our own values.
    ///
    /// # Errors
    /// `Error::Shape` where their count does not fit the shape.
    pub(crate) fn from_f32(name: &str, shape: &[usize], values: Vec<f32>) -> Result<Self> {
        Self::from_values(name, shape, DType::F32, &values)
    }

    /// A tensor of our own values. Errors as [`Tensor::from_f32`].
    pub(crate) fn from_bf16(name: &str, shape: &[usize], values: Vec<bf16>) -> Result<Self> {
        Self::from_values(name, shape, DType::Bf16, &values)
    }

    fn from_values<T: bytemuck::NoUninit>(
        name: &str,
        shape: &[usize],
        dtype: DType,
        values: &[T],
    ) -> Result<Self> {
        if checked_numel(shape) != Some(values.len()) {
            let reason = format!("{name}: expected values for shape {shape:?}, found {}", values.len());
            return Err(Error::Shape { kernel: "tensor", reason });
        }
        let parts = vec![Part::owned(bytemuck::cast_slice(values))];
        Ok(Self { name: name.to_owned(), shape: shape.to_vec(), dtype, parts })
    }

    /// The stored bytes in order. Each part is aligned for the element type, so that `bytemuck::try_cast_slice` to
    /// `f32`, `u16`, `half::f16` or `half::bf16` succeeds.
    pub(crate) fn parts(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.parts.iter().map(Part::bytes)
    }

    /// Takes the bytes `range` of part `part` out of this process's memory, as [`Part::forget`] does.
    pub(crate) fn forget(&self, part: usize, range: Range<usize>) {
        if let Some(part) = self.parts.get(part) {
            part.forget(range);
        }
    }

    /// Has the system read the bytes `range` of part `part`, as far as there are so many, before they are asked for.
    pub(crate) fn prepare(&self, part: usize, range: Range<usize>) {
        if let Some(Part::Mapped(map, place)) = self.parts.get(part) {
            let (start, end) = (place.start + range.start, (place.start + range.end).min(place.end));
            #[cfg(unix)]
            if start < end {
                // Advice that is not taken costs nothing but time.
                let _ = map.advise_range(memmap2::Advice::WillNeed, start, end - start);
            }
        }
    }

    /// Its only part; `None` where there are more.
    pub(super) fn into_part(mut self) -> Option<Part> {
        self.parts.pop().filter(|_| self.parts.is_empty())
    }

    /// The parts themselves, for an executor's memory.
    pub(crate) fn into_parts(self) -> Vec<Bytes> {
        self.parts.into_iter().map(|part| Arc::new(part) as Bytes).collect()
    }

    /// All values, converted and joined.
    pub(crate) fn to_f32(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.numel()];
        let mut rest = &mut values[..];
        for part in self.parts() {
            let these = rest.split_off_mut(..part.len() / self.dtype.size()).unwrap_or_default();
            self.dtype.widen(part, 0, these);
        }
        values
    }

    /// Number of elements.
    pub(crate) fn numel(&self) -> usize {
        self.shape.iter().product()
    }

    /// Stored size in bytes.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.numel() * self.dtype.size()
    }

    /// Whether every part still lies in the mapped file, so that it costs no memory of our own.
    #[cfg(test)]
    pub(crate) fn is_mapped(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Mapped(..)))
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?} in {} part(s)", self.name, self.dtype, self.shape, self.parts.len())
    }
}

/// Drops the pages of a range of a file; those at its ends may be another tensor's, which reads them again.
pub(super) fn forget(map: &Mmap, range: Range<usize>) {
    #[cfg(unix)]
    if !range.is_empty() {
        // SAFETY: the map is shared with a file and never written to, so that a dropped page comes back from there with the same bytes.
        let dropped = unsafe {
            map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, range.start, range.len())
        };
        // Pages that stay cost memory, no more.
        let _ = dropped;
    }
}

/// Number of elements of a shape, or `None` where it does not fit a `usize`.
pub(super) fn checked_numel(shape: &[usize]) -> Option<usize> {
    // A zero anywhere makes the product zero, even where the other factors would overflow.
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size))
}
