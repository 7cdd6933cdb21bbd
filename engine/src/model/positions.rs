//! Positions of tokens on three axes (time, height, width), walked from left to right.
//!
//! Text and speech move all axes by one a token. A picture's rows stand at the place where it begins, spread over height and
//! width; what follows goes on after the largest position of the block.

/// Where a conversation's next token stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Walk {
    pub(crate) next: f32,
}

/// What the walk must know of a picture or video.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Grid {
    /// Frame pairs, and rows and columns after merging.
    pub(crate) merged: [usize; 3],
    /// Positions between two frame pairs; 0 for a picture.
    pub(crate) step: f32,
    /// Whether the sound of the video is woven into its tokens.
    pub(crate) with_audio: bool,
}

/// The placeholder tokens that the walk must tell from text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MediaIds {
    pub(crate) audio: u32,
    pub(crate) image: u32,
    pub(crate) video: u32,
}

impl MediaIds {
    /// Whether `id` is one of them.
    pub(crate) fn contains(self, id: u32) -> bool {
        [self.audio, self.image, self.video].contains(&id)
    }
}

impl Walk {
    /// Positions of `ids`, which take their pictures and videos from `grids` in order. Goes on where the last call ended; a
    /// block of media must not be cut between two calls.
    pub(crate) fn walk(
        &mut self,
        ids: &[u32],
        media: MediaIds,
        mut grids: impl Iterator<Item = Grid>,
    ) -> Vec<[f32; 3]> {
        let mut out = Vec::with_capacity(ids.len());
        while let Some(&id) = ids.get(out.len()) {
            let grid = if id == media.image || id == media.video { grids.next() } else { None };
            let Some(grid) = grid else {
                out.push([self.next; 3]);
                self.next += 1.0;
                continue;
            };
            let start = self.next;
            let [t, h, w] = grid.merged;
            let cells = (0..t * h * w).map(|i| {
                let (frame, row, col) = (i / (h * w), i / w % h, i % w);
                [start + frame as f32 * grid.step, start + row as f32, start + col as f32]
            });
            if grid.with_audio {
                self.weave(&mut out, ids, media, cells);
            } else {
                let begin = out.len();
                out.extend(cells.take(ids.len() - begin));
                self.next = out[begin..].iter().flatten().fold(start, |m, &v| m.max(v)) + 1.0;
            }
        }
        out
    }

    /// Tokens of a video and of its sound, in the order in which they stand; both count from the same start. What follows goes
    /// on after the last token, not after the largest position.
    fn weave(
        &mut self,
        out: &mut Vec<[f32; 3]>,
        ids: &[u32],
        media: MediaIds,
        mut cells: impl Iterator<Item = [f32; 3]>,
    ) {
        let start = self.next;
        let mut heard = 0.0;
        while let Some(&id) = ids.get(out.len()) {
            let position = if id == media.audio {
                heard += 1.0;
                [start + heard - 1.0; 3]
            } else if id == media.video {
                cells.next().unwrap_or([start; 3])
            } else {
                break;
            };
            out.push(position);
            self.next = position.iter().fold(f32::MIN, |m, &v| m.max(v)) + 1.0;
        }
    }
}

/// The order of a video's tokens and its sound's: by time, video first on ties. `true` is a token of the video.
pub(crate) fn weave_order(grid: Grid, audio_tokens: usize) -> Vec<bool> {
    let [t, h, w] = grid.merged;
    let (mut seen, mut heard) = (0, 0);
    let mut order = Vec::with_capacity(t * h * w + audio_tokens);
    while seen < t * h * w || heard < audio_tokens {
        let time = (seen / (h * w)) as f32 * grid.step;
        let video = seen < t * h * w && (heard == audio_tokens || time <= heard as f32);
        order.push(video);
        if video { seen += 1 } else { heard += 1 }
    }
    order
}
