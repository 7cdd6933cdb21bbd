//! Checkpoints that were quantised to four bits and published so: a matrix is several tensors there.

mod scheme;

use std::path::Path;

pub(super) use scheme::Scheme;

use super::coded::{Code, Coded, Groups, Layout, Zeros};
use super::shard::{Encoding, Shard, ShardTensor};
use super::tensor::{DType, Part};
use crate::error::{Error, Result};
use crate::quant::BLOCK;

/// Quants of a word.
const IN_WORD: usize = 8;

/// Bytes of a word.
const WORD: usize = 4;

/// What a matrix called `….weight` is made of.
pub(super) struct Matrix<'a> {
    scheme: Scheme,
    /// The name of the matrix.
    name: &'a str,
    /// The tensors that there are, by their endings.
    found: Vec<(&'static str, &'a Shard, &'a ShardTensor)>,
}

/// Endings of the tensors that a matrix may be made of; the first one has the quants.
fn endings(scheme: Scheme) -> &'static [&'static str] {
    match scheme {
        Scheme::CompressedTensors => {
            &["weight_packed", "weight_scale", "weight_zero_point", "weight_shape", "weight_g_idx"]
        }
        Scheme::Awq => &["qweight", "scales", "qzeros"],
        Scheme::Gptq { .. } => &["qweight", "scales", "qzeros", "g_idx"],
    }
}

impl<'a> Matrix<'a> {
    /// The tensors that the matrix `name` is made of, as `find` gives them; `None` where it is no quantised one.
    pub(super) fn find(
        scheme: Scheme,
        name: &'a str,
        find: impl Fn(&str) -> Option<(&'a Shard, &'a ShardTensor)>,
    ) -> Option<Matrix<'a>> {
        let stem = name.strip_suffix("weight")?;
        let found = endings(scheme).iter().filter_map(|&ending| {
            let (shard, tensor) = find(&format!("{stem}{ending}"))?;
            Some((ending, shard, tensor))
        });
        let found: Vec<_> = found.collect();
        found.first().is_some_and(|(ending, ..)| *ending == endings(scheme)[0]).then_some(())?;
        Some(Matrix { scheme, name, found })
    }

    /// The matrix of this shape, whose contents are looked at only as far as that is needed to know their order.
    ///
    /// # Errors
    /// `Error::Tensor` for what the engine does not read, and what does not fit the shape.
    pub(super) fn coded(&self, shape: &[usize]) -> Result<Coded> {
        let [out, input] = *shape else {
            return Err(self.fault(0, format!("shape {shape:?}"), "a matrix in words".into()));
        };
        let layout = match self.scheme {
            Scheme::CompressedTensors => Layout::Rows,
            Scheme::Gptq { .. } => Layout::Columns,
            Scheme::Awq => Layout::Shuffled,
        };
        let packed = match layout {
            Layout::Rows => [out, input.div_ceil(IN_WORD)],
            Layout::Columns => [input.div_ceil(IN_WORD), out],
            Layout::Shuffled => [input, out.div_ceil(IN_WORD)],
        };
        let whole = match layout {
            Layout::Rows => input.is_multiple_of(IN_WORD),
            Layout::Columns | Layout::Shuffled => (input * out).is_multiple_of(IN_WORD * IN_WORD),
        };
        if self.shape(0) != packed || !whole {
            let expected = format!("words {packed:?}, four bits a weight of {out} × {input}");
            return Err(self.fault(
                0,
                expected,
                format!("{:?}; other bits are not read, {CURE}", self.shape(0)),
            ));
        }
        let words = self.words(0)?;
        let (group, scales, scale_type) = self.scales(out, input, layout)?;
        self.check_order(group)?;
        let groups = input / group;
        let zero_shape = match layout {
            Layout::Rows => [out.div_ceil(IN_WORD), groups],
            Layout::Columns | Layout::Shuffled => [groups, out / IN_WORD],
        };
        let zeros = match self.place("weight_zero_point").or_else(|| self.place("qzeros")) {
            None => Zeros::Middle,
            Some(i) if self.shape(i) == zero_shape => {
                let more = u8::from(self.scheme == Scheme::Gptq { less_one: true });
                Zeros::Stored(self.words(i)?, more)
            }
            Some(i) => {
                let expected = format!("words {zero_shape:?} with a zero point for each group");
                return Err(self.fault(i, expected, format!("{:?}; {CURE}", self.shape(i))));
            }
        };
        let code = Code::Groups(Groups { layout, out, input, group, words, scales, scale_type, zeros });
        Ok(Coded::new(self.name, self.path(0), shape, vec![code]))
    }

    /// Weights of a group, and their scales.
    fn scales(&self, out: usize, input: usize, layout: Layout) -> Result<(usize, Part, DType)> {
        let ending = endings(self.scheme)[1];
        let Some(i) = self.place(ending) else {
            return Err(self.fault(0, format!("{ending} beside it"), "no such tensor".into()));
        };
        let (_, shard, tensor) = &self.found[i];
        let (rows, groups) = match (self.shape(i), layout) {
            (&[rows, groups], Layout::Rows) | (&[groups, rows], _) => (rows, groups),
            (other, _) => {
                return Err(self.fault(i, "a scale for each group of each row".into(), format!("{other:?}")));
            }
        };
        let group = input.checked_div(groups).unwrap_or(0);
        if rows != out || group == 0 || group * groups != input || !group.is_multiple_of(BLOCK) {
            let expected =
                format!("scales for {out} rows and groups of 32, 64, 128 or another multiple of {BLOCK}");
            let found = format!("{:?}, groups of {group}; {CURE}", self.shape(i));
            return Err(self.fault(i, expected, found));
        }
        let Encoding::Plain(dtype) = tensor.encoding else {
            return Err(self.fault(i, "scales in F16, BF16 or F32".into(), tensor.encoding.to_string()));
        };
        Ok((group, Part::mapped(&shard.map, tensor.range.clone(), dtype.size()), dtype))
    }

    /// Refuses columns in another order than that of their groups.
    fn check_order(&self, group: usize) -> Result<()> {
        let Some(i) = self.place("g_idx").or_else(|| self.place("weight_g_idx")) else { return Ok(()) };
        let part = self.words(i)?;
        let order: &[u32] = bytemuck::cast_slice(part.bytes());
        let in_order = order.iter().enumerate().all(|(column, &stated)| stated as usize == column / group);
        part.forget(0..part.bytes().len());
        if in_order {
            return Ok(());
        }
        let expected = "columns in the order of their groups".into();
        let found =
            format!("another order (act order, desc_act), which the engine's blocks do not have; {CURE}");
        Err(self.fault(i, expected, found))
    }

    fn place(&self, ending: &str) -> Option<usize> {
        self.found.iter().position(|(found, ..)| *found == ending)
    }

    fn shape(&self, i: usize) -> &[usize] {
        &self.found[i].2.shape
    }

    fn path(&self, i: usize) -> &Path {
        &self.found[i].1.path
    }

    /// A tensor of words of four bytes.
    fn words(&self, i: usize) -> Result<Part> {
        let (_, shard, tensor) = &self.found[i];
        match tensor.encoding {
            Encoding::Words(WORD) => Ok(Part::mapped(&shard.map, tensor.range.clone(), WORD)),
            other => Err(self.fault(i, "words of type I32".into(), other.to_string())),
        }
    }

    fn fault(&self, i: usize, expected: String, found: String) -> Error {
        let (_, shard, tensor) = &self.found[i];
        Error::Tensor { name: tensor.name.clone(), path: shard.path.clone(), expected, found }
    }

    /// Full names of the tensors that it is made of.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.found.iter().map(|(_, _, tensor)| tensor.name.as_str())
    }
}

/// What to do about a checkpoint that is not read.
const CURE: &str =
    "take one of four bits in groups of 32, 64 or 128 without act order, or import the published one";
