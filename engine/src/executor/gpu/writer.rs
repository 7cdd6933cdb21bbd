//! Fills a buffer on the device from its start on: straight in the memory where processor and adapter share it, otherwise by way of
//! blocks that are staged. Both on all threads of the processor.

use std::collections::VecDeque;

use rayon::prelude::*;

use super::context::Context;
use crate::error::{Error, Result};

/// Bytes of a block that is staged.
const STAGED_BYTES: usize = 32 << 20;

/// Bytes that may be on their way at once where processor and adapter do not share their memory.
const IN_FLIGHT: usize = 4 * STAGED_BYTES;

/// Bytes that a thread copies at a time.
const PIECE: usize = 256 << 10;

/// What was staged and may not have arrived: the driver frees it once it has.
#[derive(Default)]
pub(super) struct InFlight {
    /// Pieces of work, and the bytes that they bring.
    submitted: VecDeque<(wgpu::SubmissionIndex, usize)>,
    submitted_bytes: usize,
    /// Bytes that the next piece of work brings.
    pending: usize,
}

impl InFlight {
    /// Takes note of more, and waits for the oldest where that is too much.
    fn add(&mut self, context: &Context, bytes: usize) -> Result<()> {
        self.pending += bytes;
        if self.pending < STAGED_BYTES {
            return Ok(());
        }
        self.submitted.push_back((context.submit(None), self.pending));
        self.submitted_bytes += std::mem::take(&mut self.pending);
        while self.submitted_bytes > IN_FLIGHT
            && let Some((oldest, bytes)) = self.submitted.pop_front()
        {
            context.wait(Some(oldest))?;
            self.submitted_bytes -= bytes;
        }
        Ok(())
    }
}

/// A buffer that is being filled. What is not written stays zero.
pub(super) struct Writer<'a> {
    context: &'a Context,
    buffer: wgpu::Buffer,
    at: usize,
    way: Way<'a>,
}

enum Way<'a> {
    /// The buffer's own memory.
    Mapped(wgpu::BufferViewMut),
    /// A block that ends behind `at`, where one is begun, and the bytes of it that are written.
    Staged(&'a mut InFlight, Option<(wgpu::QueueWriteBufferView, usize)>),
}

impl<'a> Writer<'a> {
    /// For a weight of `size` bytes.
    pub(super) fn new(context: &'a Context, in_flight: &'a mut InFlight, size: u64) -> Result<Writer<'a>> {
        let buffer = context.weight(size, true)?;
        let way = if context.mappable {
            Way::Mapped(buffer.get_mapped_range_mut(..).map_err(|error| {
                let words = format!("{} does not share a weight's memory: {error}", context.info.name);
                context.check().err().unwrap_or(Error::Device(words))
            })?)
        } else {
            Way::Staged(in_flight, None)
        };
        Ok(Writer { context, buffer, at: 0, way })
    }

    /// Appends `bytes`.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.push_all(&[bytes])
    }

    /// Appends `parts`, one behind the other.
    pub(super) fn push_all(&mut self, parts: &[&[u8]]) -> Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if (self.at + length) as u64 > self.buffer.size() {
            return Err(Error::Shape {
                kernel: "upload",
                reason: "a weight has more bytes than its shape".into(),
            });
        }
        match &mut self.way {
            Way::Mapped(view) => {
                copy(view.slice(self.at..self.at + length), parts);
                self.at += length;
            }
            Way::Staged(..) => parts.iter().try_for_each(|part| self.stage(part))?,
        }
        Ok(())
    }

    /// Appends bytes by way of blocks.
    fn stage(&mut self, mut bytes: &[u8]) -> Result<()> {
        let Way::Staged(in_flight, open) = &mut self.way else { return Ok(()) };
        while !bytes.is_empty() {
            let (block, written) = match open {
                Some((block, written)) => (block, written),
                None => {
                    let rest = self.buffer.size() - self.at as u64;
                    let size = wgpu::BufferSize::new(rest.min(STAGED_BYTES as u64));
                    let begun = size.and_then(|size| {
                        self.context.queue.write_buffer_with(&self.buffer, self.at as u64, size)
                    });
                    let Some(block) = begun else {
                        let refused = || Error::Device(format!("{} takes no weight", self.context.info.name));
                        return Err(self.context.check().err().unwrap_or_else(refused));
                    };
                    let (block, written) = open.insert((block, 0));
                    (block, written)
                }
            };
            let (now, later) = bytes.split_at(bytes.len().min(block.len() - *written));
            copy(block.slice(*written..*written + now.len()), &[now]);
            *written += now.len();
            self.at += now.len();
            bytes = later;
            if *written == block.len() {
                // It is sent when it is dropped.
                let bytes = block.len();
                *open = None;
                in_flight.add(self.context, bytes)?;
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
            Way::Staged(in_flight, Some((mut block, written))) => {
                let bytes = block.len();
                block.slice(written..).fill(0);
                drop(block);
                in_flight.add(self.context, bytes)?;
            }
            Way::Staged(_, None) => {}
        }
        Ok(self.buffer)
    }
}

/// Copies `from`, one behind the other, which are as long as `into`.
fn copy(into: wgpu::WriteOnly<'_, [u8]>, from: &[&[u8]]) {
    let (pieces, rest) = into.into_chunks::<PIECE>();
    let mut from = from.iter().copied();
    let mut left = from.next().unwrap_or_default();
    let mut take = |length: usize| {
        let (mut taken, mut more) = (Vec::new(), length);
        while more > 0 {
            let now;
            (now, left) = left.split_at(more.min(left.len()));
            more -= now.len();
            taken.push(now);
            if left.is_empty() {
                let Some(next) = from.next() else { break };
                left = next;
            }
        }
        taken
    };
    let pieces: Vec<_> = pieces.into_iter().map(|piece| (piece, take(PIECE))).collect();
    let last = take(rest.len());
    pieces.into_par_iter().for_each(|(piece, from)| copy_piece(piece.into(), &from));
    copy_piece(rest, &last);
}

fn copy_piece(mut into: wgpu::WriteOnly<'_, [u8]>, from: &[&[u8]]) {
    for part in from {
        let (mut now, later) = into.split_at(part.len());
        now.copy_from_slice(part);
        into = later;
    }
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
            let mut in_flight = InFlight::default();
            let mut writer = Writer::new(&context, &mut in_flight, length as u64).unwrap();
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
            let mut in_flight = InFlight::default();
            let mut writer = Writer::new(&context, &mut in_flight, 64).unwrap();
            writer.push(&[7; 10]).unwrap();
            let buffer = writer.finish().unwrap();
            let got = Readback::new(context.clone()).read(&buffer, 0, 64).unwrap();
            assert_eq!(got, [[7; 10].as_slice(), &[0; 54]].concat());

            let mut writer = Writer::new(&context, &mut in_flight, 64).unwrap();
            let refused = writer.push(&[7; 65]).and_then(|()| writer.finish().map(drop)).unwrap_err();
            assert!(refused.to_string().contains("more bytes than its shape"), "{refused}");
        }
    }
}
