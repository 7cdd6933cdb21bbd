//! An executor that runs nothing: it notes which pipelines a graphics processor would make for what it is given to run.

use super::lowered::Lowered;
use crate::error::Result;
use crate::memory::Memory;
use crate::recording::{Buffer, Place, Recording};
use crate::shader::{Target, Variant};
use crate::shape::{Bytes, Element, Shape};

/// What was given to it so far. Its memory takes no room, and every value read from it is zero.
pub(crate) struct Outline {
    target: Target,
    places: u32,
    variants: Vec<Variant>,
}

impl Outline {
    /// As on an adapter that can do so much.
    pub(crate) fn new(target: Target) -> Outline {
        Outline { target, places: 0, variants: Vec::new() }
    }

    /// The variants of shaders that were needed so far, in the order of their first use.
    pub(crate) fn into_variants(self) -> Vec<Variant> {
        self.variants
    }

    /// Notes what running `recording` takes.
    ///
    /// # Errors
    /// `Error::Shape` where sizes are beyond what the shaders take.
    pub(crate) fn prepare(&mut self, recording: &Recording) -> Result<()> {
        for dispatch in Lowered::new(&self.target, recording)?.dispatches {
            if !self.variants.contains(&dispatch.variant) {
                self.variants.push(dispatch.variant);
            }
        }
        Ok(())
    }

    fn place(&mut self, shape: Shape, element: Element) -> Buffer {
        self.places += 1;
        Buffer { place: Place::Resident(self.places), offset: 0, shape, element }
    }
}

impl Memory for Outline {
    fn upload(&mut self, shape: Shape, element: Element, _: Vec<Bytes>) -> Result<Buffer> {
        Ok(self.place(shape, element))
    }

    fn allocate(&mut self, shape: Shape, element: Element) -> Result<Buffer> {
        Ok(self.place(shape, element))
    }

    fn free(&mut self, _: Buffer) {}

    fn write_f32(&mut self, _: Buffer, _: &[f32]) -> Result<()> {
        Ok(())
    }

    fn write_u32(&mut self, _: Buffer, _: &[u32]) -> Result<()> {
        Ok(())
    }

    fn read_f32(&mut self, buffer: Buffer) -> Result<Vec<f32>> {
        Ok(vec![0.0; buffer.shape.len()])
    }

    fn read_u32(&mut self, buffer: Buffer) -> Result<Vec<u32>> {
        Ok(vec![0; buffer.shape.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::rms_norm;

    fn target(subgroup: Option<(u32, u32)>) -> Target {
        Target {
            subgroup,
            f16: false,
            coop: None,
            int8: true,
            workgroup_bytes: 16_384,
            workgroup_size: 256,
            groups: 65_535,
        }
    }

    fn variants(subgroup: Option<(u32, u32)>) -> Vec<Variant> {
        let mut outline = Outline::new(target(subgroup));
        let weight = outline.allocate([64].into(), Element::F32).unwrap();
        for rows in [1, 7] {
            let mut rec = Recording::new();
            let x = rec.f32([rows, 64]);
            rms_norm::record(&mut rec, x, weight, 1e-6).unwrap();
            outline.prepare(&rec).unwrap();
        }
        outline.into_variants()
    }

    #[test]
    fn a_pipeline_is_listed_once_and_as_the_adapter_takes_it() {
        let [plain] = variants(None).try_into().unwrap();
        let [grouped] = variants(Some((8, 8))).try_into().unwrap();
        assert_eq!((plain.shader, grouped.shader), ("rms_norm", "rms_norm"));
        assert_eq!((plain.defines, grouped.defines), (vec![], vec!["SUBGROUPS"]));
    }
}
