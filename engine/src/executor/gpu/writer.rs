//! Fills a buffer on the device from its start on: straight in the memory where processor and adapter share it, otherwise by way of
//! blocks that are staged.

use super::context::Context;
use crate::error::{Error, Result};

/// Bytes on their way at once where processor and adapter do not share their memory.
const STAGED_BYTES: usize = 32 << 20;

/// A buffer that is being filled. What is not written stays zero.
pub(super) struct Writer<'a> {
    context: &'a Context,
    buffer: wgpu::Buffer,
    at: usize,
    way: Way,
}

enum Way {
    /// The buffer's own memory.
    Mapped(wgpu::BufferViewMut),
    /// Bytes that go behind `at` together.
    Staged(Vec<u8>),
}

impl<'a> Writer<'a> {
    /// For a weight of `size` bytes.
    pub(super) fn new(context: &'a Context, size: u64) -> Result<Writer<'a>> {
        let buffer = context.weight(size, true)?;
        let way = if context.mappable {
            Way::Mapped(buffer.get_mapped_range_mut(..).map_err(|error| {
                let words = format!("{} does not share a weight's memory: {error}", context.info.name);
                context.check().err().unwrap_or(Error::Device(words))
            })?)
        } else {
            Way::Staged(Vec::new())
        };
        Ok(Writer { context, buffer, at: 0, way })
    }

    /// Appends `bytes`.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<()> {
        let staged = match &mut self.way {
            Way::Mapped(view) => {
                let end = self.at + bytes.len();
                if end > view.len() {
                    return Err(too_long());
                }
                view.slice(self.at..end).copy_from_slice(bytes);
                self.at = end;
                return Ok(());
            }
            Way::Staged(staged) => staged,
        };
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(STAGED_BYTES - staged.len()));
            staged.extend_from_slice(now);
            bytes = later;
            if staged.len() == STAGED_BYTES {
                self.at = flush(self.context, &self.buffer, self.at, staged)?;
                // Bounds what is staged: the driver frees it once it has been copied.
                let submission = self.context.submit(None);
                self.context.wait(Some(submission))?;
            }
        }
        Ok(())
    }

    /// Appends `count` zeros.
    pub(super) fn pad(&mut self, count: usize) -> Result<()> {
        self.push(&vec![0; count])
    }

    /// The buffer, ready to be used.
    pub(super) fn finish(self) -> Result<wgpu::Buffer> {
        match self.way {
            Way::Mapped(view) => {
                drop(view);
                self.buffer.unmap();
            }
            Way::Staged(mut staged) => {
                flush(self.context, &self.buffer, self.at, &mut staged)?;
            }
        }
        Ok(self.buffer)
    }
}

/// Sends what is staged to the buffer's bytes from `at` on. Returns where they end.
fn flush(context: &Context, buffer: &wgpu::Buffer, at: usize, staged: &mut Vec<u8>) -> Result<usize> {
    staged.resize(staged.len().next_multiple_of(4), 0);
    let end = at + staged.len();
    if end as u64 > buffer.size() {
        return Err(too_long());
    }
    context.queue.write_buffer(buffer, at as u64, staged);
    staged.clear();
    Ok(end)
}

fn too_long() -> Error {
    Error::Shape { kernel: "upload", reason: "a weight has more bytes than its shape".into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::gpu::adapter;
    use crate::executor::gpu::readback::Readback;
    use std::io::Write;
    use std::sync::Arc;

    /// Both ways, or the one that there is where processor and adapter have memories of their own.
    fn contexts() -> Vec<Arc<Context>> {
        let open = || Context::open(true, None).expect("a Vulkan driver, such as Mesa's lavapipe");
        let (mapped, staged) = (open(), Arc::new(open().without_mapping()));
        if !adapter::is_unified(&mapped.info) {
            // Past the test harness, which keeps the words of tests that pass to itself.
            writeln!(
                std::io::stderr(),
                "skipped: straight writes: {} has a memory of its own",
                mapped.description()
            )
            .unwrap();
            return vec![staged];
        }
        assert!(mapped.mappable, "the driver shares its memory and does not say so");
        vec![Arc::new(mapped), staged]
    }

    #[test]
    fn both_ways_write_the_same_bytes_behind_each_other() {
        // Odd lengths, and one that is staged in three blocks.
        let pieces = [3, 0, 2 * STAGED_BYTES + 5, 16, 1].map(|len| {
            let byte = |i: usize| (i.wrapping_mul(2_654_435_761) >> 13) as u8;
            (len..2 * len).map(byte).collect::<Vec<_>>()
        });
        let length = pieces.iter().map(|piece| piece.len() + 2).sum::<usize>();
        let want: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied().chain([0; 2])).collect();
        for context in contexts() {
            let mut writer = Writer::new(&context, length as u64).unwrap();
            for piece in &pieces {
                writer.push(piece).unwrap();
                writer.pad(2).unwrap();
            }
            let buffer = writer.finish().unwrap();
            let got = Readback::new(context.clone()).read(&buffer, 0, length).unwrap();
            assert!(got == want, "mapped: {}", context.mappable);
            context.check().unwrap();
        }
    }

    #[test]
    fn what_is_not_written_is_zero_and_more_than_fits_is_refused() {
        for context in contexts() {
            let mut writer = Writer::new(&context, 64).unwrap();
            writer.push(&[7; 10]).unwrap();
            let buffer = writer.finish().unwrap();
            let got = Readback::new(context.clone()).read(&buffer, 0, 64).unwrap();
            assert_eq!(got, [[7; 10].as_slice(), &[0; 54]].concat());

            let mut writer = Writer::new(&context, 64).unwrap();
            let refused = writer.push(&[7; 65]).and_then(|()| writer.finish().map(drop)).unwrap_err();
            assert!(refused.to_string().contains("more bytes than its shape"), "{refused}");
        }
    }
}
