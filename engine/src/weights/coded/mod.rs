//! Matrices in the code of another program, row by row in plain numbers or, where both hold just the same weights, in the
//! engine's own blocks.

mod ggml;
mod groups;

use std::ops::Range;
use std::path::{Path, PathBuf};

pub(crate) use ggml::Ggml;
pub(crate) use groups::{Groups, Layout, Zeros};

use super::tensor::{DType, Part, Tensor};
use crate::error::{Error, Result};
use crate::quant::Quant;
use crate::shape::Element;

/// A matrix, or a stack of them: a part for each.
#[derive(Clone)]
pub(crate) struct Coded {
    /// Full name in the checkpoint; of a stack, the first one's.
    pub(crate) name: String,
    /// The file that it lies in.
    pub(crate) path: PathBuf,
    /// Sizes of the axes, outermost first.
    pub(crate) shape: Vec<usize>,
    parts: Vec<Code>,
}

/// One matrix.
#[derive(Clone)]
pub(crate) enum Code {
    /// Blocks as llama.cpp writes them.
    Ggml(Ggml, Part),
    /// Four bits a weight in groups along a row.
    Groups(Groups),
    /// Plain rows in two halves: of each row's `run` numbers the first file part has those of the first frame, the second those of
    /// the second.
    Frames {
        /// Type of both halves.
        dtype: DType,
        /// Numbers in a row that follow each other in a half.
        run: usize,
        /// Bytes of the halves.
        halves: [Part; 2],
    },
}

impl Coded {
    pub(super) fn new(name: &str, path: &Path, shape: &[usize], parts: Vec<Code>) -> Coded {
        Coded { name: name.to_owned(), path: path.to_owned(), shape: shape.to_vec(), parts }
    }

    /// Weights `[out, colours, 2, height, width]` of two halves `[out, colours, height, width]`. `None` where there are not two in one
    /// part each.
    pub(super) fn frames(
        name: &str,
        path: &Path,
        shape: &[usize],
        run: usize,
        halves: Vec<Tensor>,
    ) -> Option<Coded> {
        let dtype = halves.first()?.dtype;
        let halves: Vec<Part> = halves.into_iter().map(Tensor::into_part).collect::<Option<_>>()?;
        let halves = halves.try_into().ok()?;
        Some(Coded::new(name, path, shape, vec![Code::Frames { dtype, run, halves }]))
    }

    /// Matrices of one shape as one of shape `[matrices, ...shape]`. `None` where they differ in shape or there are none.
    pub(super) fn stack(all: Vec<Coded>) -> Option<Coded> {
        let Coded { name, path, shape, .. } = all.first()?.clone();
        if all.iter().any(|coded| coded.shape != shape) {
            return None;
        }
        let shape = std::iter::once(all.len()).chain(shape).collect();
        Some(Coded { name, path, shape, parts: all.into_iter().flat_map(|coded| coded.parts).collect() })
    }

    /// What it is held as where no format is asked for.
    pub(crate) fn stored(&self) -> Element {
        match self.parts.first() {
            Some(Code::Ggml(ggml, _)) => ggml.same().map_or(Element::Bf16, Element::from),
            Some(Code::Frames { dtype, .. }) => (*dtype).into(),
            Some(Code::Groups(_)) | None => Element::Bf16,
        }
    }

    /// Elements of a row, and rows of a part.
    pub(crate) fn rows(&self) -> [usize; 2] {
        // The axes behind the first one are a row of a convolution.
        let matrix = if self.shape.len() == 3 { &self.shape[1..] } else { &self.shape[..] };
        [matrix.iter().skip(1).product(), matrix.first().copied().unwrap_or(1)]
    }

    /// The matrices.
    pub(crate) fn parts(&self) -> &[Code] {
        &self.parts
    }

    /// An error about it, with what was found and what to do.
    pub(crate) fn fault(&self, found: String) -> Error {
        let expected = match self.parts.first() {
            Some(Code::Groups(groups)) => groups.describe(),
            Some(Code::Ggml(ggml, _)) => format!("{ggml} blocks as llama.cpp writes them"),
            Some(Code::Frames { .. }) | None => "plain numbers".into(),
        };
        Error::Tensor { name: self.name.clone(), path: self.path.clone(), expected, found }
    }
}

impl Code {
    /// Whether the blocks of `quant` hold just the same weights.
    pub(crate) fn keeps(&self, quant: Quant) -> bool {
        match self {
            Code::Ggml(ggml, _) => ggml.same() == Some(quant),
            Code::Groups(_) => quant == Quant::Q4,
            Code::Frames { .. } => false,
        }
    }

    /// The elements of row `row`.
    pub(crate) fn decode(&self, row: usize, values: &mut [f32]) {
        match self {
            Code::Ggml(ggml, part) => ggml.decode(ggml_row(*ggml, part, row, values.len()), values),
            Code::Groups(groups) => groups.decode(row, values),
            Code::Frames { dtype, run, halves } => {
                let half = values.len() / 2;
                for (i, values) in values.chunks_exact_mut(*run).enumerate() {
                    dtype.widen(halves[i % 2].bytes(), row * half + i / 2 * run, values);
                }
            }
        }
    }

    /// Row `row` of `length` elements in blocks that [`Code::keeps`].
    ///
    /// # Errors
    /// What these blocks cannot hold.
    pub(crate) fn repack(
        &self,
        row: usize,
        length: usize,
        quants: &mut [u8],
        scales: &mut [u8],
    ) -> Result<(), String> {
        match self {
            Code::Ggml(ggml, part) => ggml.repack(ggml_row(*ggml, part, row, length), quants, scales),
            Code::Groups(groups) => groups.repack(row, quants, scales),
            Code::Frames { .. } => Err("plain numbers".into()),
        }
    }

    /// Takes rows out of this process's memory: they are read again if they are asked for again. Those of matrices that are stored
    /// column by column go with the last row.
    pub(crate) fn forget(&self, rows: Range<usize>, length: usize, count: usize) {
        match self {
            Code::Ggml(ggml, part) => {
                let bytes = length / ggml.weights() * ggml.bytes();
                part.forget(rows.start * bytes..rows.end * bytes);
            }
            Code::Groups(groups) if rows.end == count => groups.forget(),
            Code::Frames { halves, .. } if rows.end == count => {
                halves.iter().for_each(|half| half.forget(0..half.bytes().len()));
            }
            Code::Groups(_) | Code::Frames { .. } => (),
        }
    }
}

fn ggml_row(ggml: Ggml, part: &Part, row: usize, length: usize) -> &[u8] {
    let bytes = length / ggml.weights() * ggml.bytes();
    &part.bytes()[row * bytes..][..bytes]
}
