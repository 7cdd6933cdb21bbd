//! In what type a matrix is held, and its way there from the type it is stored in, on all threads.

use std::sync::Arc;

use half::bf16;
use rayon::prelude::*;

use super::{DType, Tensor};
use crate::quant::Quant;
use crate::settings::Format;
use crate::shape::{Bytes, Element, OwnedBytes};

/// What becomes of a stored matrix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Held {
    /// Nothing: its bytes stay where they are.
    AsStored,
    /// It is widened or rounded, unless it is of that type.
    As(DType),
    /// It is quantised.
    Quantised(Quant),
}

impl From<Format> for Held {
    fn from(format: Format) -> Held {
        match format {
            Format::Bf16 => Held::As(DType::Bf16),
            Format::F32 => Held::As(DType::F32),
            Format::Q8_0 => Held::Quantised(Quant::Q8_0),
            Format::Q4 => Held::Quantised(Quant::Q4),
        }
    }
}

impl Held {
    /// With eight bits where it would be fewer.
    pub(super) fn finer(self) -> Held {
        if self == Held::Quantised(Quant::Q4) { Held::Quantised(Quant::Q8_0) } else { self }
    }

    /// What the elements of a matrix stored as `stored` become.
    pub(super) fn element(self, stored: DType) -> Element {
        match self {
            Held::AsStored => stored.into(),
            Held::As(dtype) => dtype.into(),
            Held::Quantised(quant) => quant.into(),
        }
    }

    /// What another program's code becomes where it would be held as `stored` without a format.
    pub(super) fn element_of_coded(self, stored: Element) -> Element {
        match self {
            Held::AsStored => stored,
            Held::As(dtype) => dtype.into(),
            Held::Quantised(quant) => quant.into(),
        }
    }

    /// The parts of a matrix, or of a stack of them, with rows of `row`.
    pub(super) fn parts(self, tensor: Tensor, row: usize) -> (Element, Vec<Bytes>) {
        let (stored, element) = (tensor.dtype, self.element(tensor.dtype));
        let count = |part: &[u8]| part.len() / stored.size();
        let parts = match self {
            Held::Quantised(quant) => tensor
                .parts()
                .map(|part| {
                    let mut held = OwnedBytes::zeros(quant.bytes(count(part) / row, row));
                    quant.encode(row, held.as_mut(), |i, values| stored.widen(part, i * row, values));
                    Arc::new(held) as Bytes
                })
                .collect(),
            Held::As(dtype) if dtype != stored => {
                tensor.parts().map(|part| Arc::new(converted(stored, part, dtype)) as Bytes).collect()
            }
            Held::AsStored | Held::As(_) => tensor.into_parts(),
        };
        (element, parts)
    }
}

/// A part in another type.
pub(crate) fn converted(from: DType, part: &[u8], to: DType) -> OwnedBytes {
    /// Elements that a thread takes at a time.
    const PIECE: usize = 1 << 16;
    let mut held = OwnedBytes::zeros(part.len() / from.size() * to.size());
    held.as_mut().par_chunks_mut(PIECE * to.size()).enumerate().for_each(|(piece, held)| {
        let mut values = vec![0.0; held.len() / to.size()];
        from.widen(part, piece * PIECE, &mut values);
        match to {
            DType::F32 => held.copy_from_slice(bytemuck::cast_slice(&values)),
            DType::Bf16 => {
                let rounded: Vec<bf16> = values.into_iter().map(bf16::from_f32).collect();
                held.copy_from_slice(bytemuck::cast_slice(&rounded));
            }
            DType::F16 => {
                let rounded: Vec<half::f16> = values.into_iter().map(half::f16::from_f32).collect();
                held.copy_from_slice(bytemuck::cast_slice(&rounded));
            }
        }
    });
    held
}

impl From<DType> for Element {
    fn from(dtype: DType) -> Element {
        match dtype {
            DType::F32 => Element::F32,
            DType::F16 => Element::F16,
            DType::Bf16 => Element::Bf16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows of 40 whose values BF16 does not hold.
    fn tensor() -> Tensor {
        let values = (0..80).map(|i| (i as f32 * 0.7).sin() * 0.31 + 1e-4).collect();
        Tensor::from_f32("w", &[2, 40], values).unwrap()
    }

    #[test]
    fn what_is_of_the_wanted_type_keeps_its_bytes() {
        for held in [Held::AsStored, Held::As(DType::F32)] {
            let stored = tensor().parts().next().unwrap().to_vec();
            let (element, parts) = held.parts(tensor(), 40);
            assert_eq!((element, (*parts[0]).as_ref()), (Element::F32, &stored[..]));
        }
    }

    #[test]
    fn f32_is_rounded_to_bf16_and_comes_back_widened() {
        let rounded: Vec<bf16> = tensor().to_f32().into_iter().map(bf16::from_f32).collect();
        let (element, parts) = Held::As(DType::Bf16).parts(tensor(), 40);
        assert_eq!(element, Element::Bf16);
        assert_eq!((*parts[0]).as_ref(), bytemuck::cast_slice::<_, u8>(&rounded));
        let narrow = Tensor::from_bf16("w", &[2, 40], rounded.clone()).unwrap();
        let (_, parts) = Held::As(DType::F32).parts(narrow, 40);
        let wide: &[f32] = bytemuck::cast_slice((*parts[0]).as_ref());
        assert_eq!(wide, rounded.iter().map(|v| v.to_f32()).collect::<Vec<_>>());
    }

    #[test]
    fn each_matrix_of_a_stack_is_quantised_by_itself_from_the_stored_type() {
        for quant in [Quant::Q8_0, Quant::Q4] {
            let rounded = tensor().to_f32().into_iter().map(bf16::from_f32).collect();
            let narrow = Tensor::from_bf16("w", &[2, 40], rounded).unwrap();
            let stack = Tensor::stack(&[narrow.clone(), narrow.clone()]).unwrap();
            let (element, parts) = Held::Quantised(quant).parts(stack, 40);
            assert_eq!((element, parts.len()), (quant.into(), 2));
            let values = narrow.to_f32();
            let mut want = vec![0; quant.bytes(2, 40)];
            quant.encode(40, &mut want, |i, row| row.copy_from_slice(&values[i * 40..][..40]));
            assert!(parts.iter().all(|part| (**part).as_ref() == want));
        }
    }
}
