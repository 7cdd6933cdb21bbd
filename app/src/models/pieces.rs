//! How much of a file is there: pieces that are fetched in any order, each from its start on.

use serde::{Deserialize, Serialize};

/// Most pieces of a file.
const MOST_PIECES: u64 = 1 << 16;

/// The pieces of one file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Pieces {
    /// Bytes of the file.
    size: u64,
    /// Bytes of each piece; the last has the rest.
    each: u64,
    /// Bytes of each piece that are there.
    done: Vec<u64>,
}

impl Pieces {
    /// Of a file of which nothing is there. Pieces have `each` bytes, and more where there would be too many.
    pub(super) fn new(size: u64, each: u64) -> Pieces {
        let each = each.max(size.div_ceil(MOST_PIECES)).clamp(1, size.max(1));
        let count = usize::try_from(size.div_ceil(each)).unwrap_or(usize::MAX);
        Pieces { size, each, done: vec![0; count] }
    }

    /// Whether these can be the pieces of a file of `size` bytes.
    pub(super) fn fits(&self, size: u64) -> bool {
        let count = self.each > 0 && self.size.div_ceil(self.each) == self.done.len() as u64;
        count && self.size == size && (0..self.done.len()).all(|piece| self.done[piece] <= self.length(piece))
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.done.len()
    }

    fn length(&self, piece: usize) -> u64 {
        self.each.min(self.size - self.each * piece as u64)
    }

    /// The bytes of the file that `piece` still lacks, from the first to the one behind the last.
    pub(super) fn missing(&self, piece: usize) -> (u64, u64) {
        let start = self.each * piece as u64;
        (start + self.done[piece], start + self.length(piece))
    }

    /// More of `piece` is there.
    pub(super) fn advance(&mut self, piece: usize, bytes: u64) {
        self.done[piece] = (self.done[piece] + bytes).min(self.length(piece));
    }

    /// Nothing of `piece` is there.
    pub(super) fn forget(&mut self, piece: usize) {
        self.done[piece] = 0;
    }

    /// Bytes of the file that are there.
    pub(super) fn bytes(&self) -> u64 {
        self.done.iter().sum()
    }

    /// Whether the whole file is.
    pub(super) fn is_whole(&self) -> bool {
        self.bytes() == self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_a_file_without_a_gap() {
        for (size, each) in [(0, 4), (1, 4), (4, 4), (5, 4), (12, 5), (3, 100)] {
            let pieces = Pieces::new(size, each);
            assert!(pieces.fits(size));
            let mut at = 0;
            for piece in 0..pieces.count() {
                let (start, end) = pieces.missing(piece);
                assert_eq!(start, at, "{size} in {each}");
                at = end;
            }
            assert_eq!(at, size);
        }
    }

    #[test]
    fn a_piece_goes_on_where_it_stood() {
        let mut pieces = Pieces::new(10, 4);
        pieces.advance(1, 3);
        pieces.advance(2, 9);
        assert_eq!((pieces.missing(1), pieces.missing(2), pieces.bytes()), ((7, 8), (10, 10), 5));
        pieces.forget(1);
        assert_eq!((pieces.missing(1), pieces.is_whole()), ((4, 8), false));
    }

    #[test]
    fn pieces_of_another_file_are_not_believed() {
        let pieces = |text| serde_json::from_str::<Pieces>(text).unwrap();
        assert!(!Pieces::new(10, 4).fits(11));
        assert!(Pieces::new(u64::MAX, 1).count() <= MOST_PIECES as usize);
        assert!(!pieces(r#"{"size":10,"each":0,"done":[]}"#).fits(10));
        assert!(!pieces(r#"{"size":10,"each":4,"done":[4,4]}"#).fits(10));
        assert!(!pieces(r#"{"size":10,"each":4,"done":[4,4,3]}"#).fits(10));
    }
}
