//! A stretch of the conversation, ready to be read: token ids with placeholders repeated, positions, and where media rows go.

use crate::error::{Error, Result};
use crate::model::config::TokenIds;
use crate::model::positions::{Grid, MediaIds, Walk, weave_order};
use crate::model::thinker::Insert;
use crate::recording::Buffer;

/// Rows of the encoders for one clip, picture or video.
#[derive(Clone, Debug)]
pub(crate) enum Encoded {
    Audio(Buffer),
    Image { rows: Buffer, deepstack: Vec<Buffer>, grid: Grid },
    Video { rows: Buffer, deepstack: Vec<Buffer>, grid: Grid, audio: Option<Buffer> },
}

impl Encoded {
    /// Every buffer that it holds.
    pub(crate) fn buffers(&self) -> Vec<Buffer> {
        match self {
            Encoded::Audio(rows) => vec![*rows],
            Encoded::Image { rows, deepstack, .. } => deepstack.iter().chain([rows]).copied().collect(),
            Encoded::Video { rows, deepstack, audio, .. } => {
                deepstack.iter().chain([rows]).chain(audio).copied().collect()
            }
        }
    }
}

/// Media rows and the tokens that they stand for.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    /// Indices into the prompt's ids, ascending.
    pub(crate) at: Vec<u32>,
    /// `[count, hidden]`
    pub(crate) rows: Buffer,
    /// `[count, hidden]` each.
    pub(crate) deepstack: Vec<Buffer>,
    /// How a picture's or video's rows are spread; none for sound.
    grid: Option<Grid>,
}

/// A stretch of tokens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prompt {
    pub(crate) ids: Vec<u32>,
    /// Time, height and width of each token.
    pub(crate) positions: Vec<[f32; 3]>,
    pub(crate) media: Vec<Placed>,
    /// Where the walk stands after it.
    pub(crate) end: Walk,
}

impl Prompt {
    /// `ids` as they are.
    pub(crate) fn text(ids: Vec<u32>) -> Prompt {
        Prompt { ids, ..Prompt::default() }
    }

    /// `rows` of speech alone.
    pub(crate) fn speech(audio_id: u32, rows: Buffer) -> Prompt {
        let count = rows.rows() as u32;
        let media = vec![Placed { at: (0..count).collect(), rows, deepstack: Vec::new(), grid: None }];
        Prompt { ids: vec![audio_id; rows.rows()], media, ..Prompt::default() }
    }

    /// Tokens of a rendered template, where each clip, picture and video has one placeholder, which takes the next of `media`.
    ///
    /// # Errors
    /// `Error::Input` where placeholders and media do not agree: the user's text holds a placeholder's name.
    pub(crate) fn expand(ids: &[u32], tokens: &TokenIds, media: &[Encoded]) -> Result<Prompt> {
        let mut prompt = Prompt::default();
        let mut left = media.iter();
        for &id in ids {
            if ![tokens.audio, tokens.image, tokens.video].contains(&id) {
                prompt.ids.push(id);
                continue;
            }
            match left.next() {
                Some(Encoded::Audio(rows)) if id == tokens.audio => prompt.push_rows(id, *rows, &[], None),
                Some(Encoded::Image { rows, deepstack, grid }) if id == tokens.image => {
                    prompt.push_rows(id, *rows, deepstack, Some(*grid));
                }
                Some(Encoded::Video { rows, deepstack, grid, audio }) if id == tokens.video => match audio {
                    Some(audio) => prompt.weave(tokens, (*rows, deepstack), *grid, *audio),
                    None => prompt.push_rows(id, *rows, deepstack, Some(*grid)),
                },
                _ => return Err(placeholder_in_text()),
            }
        }
        match left.next() {
            None => Ok(prompt),
            Some(_) => Err(placeholder_in_text()),
        }
    }

    fn push_rows(&mut self, id: u32, rows: Buffer, deepstack: &[Buffer], grid: Option<Grid>) {
        let start = self.ids.len() as u32;
        let at = (start..start + rows.rows() as u32).collect();
        self.ids.extend(std::iter::repeat_n(id, rows.rows()));
        self.media.push(Placed { at, rows, deepstack: deepstack.to_vec(), grid });
    }

    /// A video with its sound: both in the order of time.
    fn weave(
        &mut self,
        tokens: &TokenIds,
        (rows, deepstack): (Buffer, &[Buffer]),
        grid: Grid,
        audio: Buffer,
    ) {
        self.ids.push(tokens.audio_start);
        let (mut seen, mut heard) = (Vec::new(), Vec::new());
        for video in weave_order(grid, audio.rows()) {
            let at = self.ids.len() as u32;
            if video {
                seen.push(at);
                self.ids.push(tokens.video);
            } else {
                heard.push(at);
                self.ids.push(tokens.audio);
            }
        }
        self.ids.push(tokens.audio_end);
        self.media.push(Placed { at: seen, rows, deepstack: deepstack.to_vec(), grid: Some(grid) });
        self.media.push(Placed { at: heard, rows: audio, deepstack: Vec::new(), grid: None });
    }

    /// Gives every token its position, from where `walk` stands.
    pub(crate) fn place(&mut self, mut walk: Walk, ids: MediaIds) {
        self.positions = walk.walk(&self.ids, ids, self.media.iter().filter_map(|m| m.grid));
        self.end = walk;
    }

    /// Puts tokens before the others.
    pub(crate) fn prepend(&mut self, ids: &[u32]) {
        self.ids.splice(0..0, ids.iter().copied());
        let by = ids.len() as u32;
        self.media.iter_mut().flat_map(|m| &mut m.at).for_each(|at| *at += by);
    }

    /// Which tokens belong to user turns, which the talker reads too. `in_user` says so of the turn at hand, and goes on with it.
    pub(crate) fn user_tokens(&self, tokens: &TokenIds, in_user: &mut bool) -> Vec<bool> {
        let turn = |(i, &id): (usize, &u32)| {
            if id == tokens.im_start {
                *in_user = self.ids.get(i + 1) == Some(&tokens.user);
            }
            *in_user
        };
        self.ids.iter().enumerate().map(turn).collect()
    }

    /// Positions that the tokens for which `keep` is true have in a sequence of their own, which `walk` goes on with. A block of
    /// media is kept whole or not at all.
    pub(crate) fn walk_kept(&self, keep: &[bool], walk: &mut Walk, media: MediaIds) -> Vec<[f32; 3]> {
        let ids: Vec<u32> = self.ids.iter().zip(keep).filter(|(_, keep)| **keep).map(|(id, _)| *id).collect();
        let is_kept = |m: &&Placed| m.at.first().is_some_and(|&at| keep[at as usize]);
        walk.walk(&ids, media, self.media.iter().filter(is_kept).filter_map(|m| m.grid))
    }

    /// The media rows whose tokens lie in `start..end`, with indices from `start` on.
    pub(crate) fn inserts(&self, start: usize, end: usize) -> Vec<Insert> {
        let mut inserts = Vec::new();
        for placed in &self.media {
            let first = placed.at.partition_point(|&at| (at as usize) < start);
            let last = placed.at.partition_point(|&at| (at as usize) < end);
            if first < last {
                inserts.push(Insert {
                    at: placed.at[first..last].iter().map(|&at| at - start as u32).collect(),
                    rows: placed.rows.slice_rows(first, last - first),
                    deepstack: placed.deepstack.iter().map(|d| d.slice_rows(first, last - first)).collect(),
                });
            }
        }
        inserts
    }
}

fn placeholder_in_text() -> Error {
    Error::Input(
        "the text names a placeholder such as <|audio_pad|>, which only stands for sound or pictures; remove it".into(),
    )
}
