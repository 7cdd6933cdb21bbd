//! Takes numbers and strings off the front of a file, never more than there is.

/// What is left of a file.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Types of metadata, by the numbers that files use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A number of so many bytes: unsigned, signed or floating.
    Unsigned(usize),
    Signed(usize),
    Float(usize),
    Bool,
    Text,
    List,
}

impl Kind {
    pub(super) fn from_number(number: u32) -> Option<Kind> {
        Some(match number {
            0 => Kind::Unsigned(1),
            1 => Kind::Signed(1),
            2 => Kind::Unsigned(2),
            3 => Kind::Signed(2),
            4 => Kind::Unsigned(4),
            5 => Kind::Signed(4),
            6 => Kind::Float(4),
            7 => Kind::Bool,
            8 => Kind::Text,
            9 => Kind::List,
            10 => Kind::Unsigned(8),
            11 => Kind::Signed(8),
            12 => Kind::Float(8),
            _ => return None,
        })
    }
}

/// Lists in lists in lists: more is no model.
const MOST_DEPTH: usize = 4;

/// Bytes of an element that is taken off without being looked at.
fn fixed_bytes(kind: Kind) -> Option<usize> {
    match kind {
        Kind::Unsigned(bytes) | Kind::Signed(bytes) | Kind::Float(bytes) => Some(bytes),
        Kind::Bool => Some(1),
        Kind::Text | Kind::List => None,
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    /// How far it is in the file.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Bytes that are left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(bytes).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or_else(|| {
            format!(
                "{bytes} bytes at {} where the file has {} more; the file is cut short",
                self.at,
                self.left()
            )
        })?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| "a number that is cut".to_owned())
    }

    pub(super) fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count of things of at least `least` bytes each, which therefore must be in the file.
    pub(super) fn count(&mut self, of: &str, least: usize) -> Result<usize, String> {
        let at = self.at;
        let stated = self.u64()?;
        let most = self.left() / least.max(1);
        usize::try_from(stated).ok().filter(|&count| count <= most).ok_or_else(|| {
            format!("{stated} {of} at {at} where the rest of the file has room for {most} at most")
        })
    }

    /// A string of at most `most` bytes.
    pub(super) fn text(&mut self, of: &str, most: usize) -> Result<&'a str, String> {
        let at = self.at;
        let length = self.count("bytes of text", 1)?;
        if length > most {
            return Err(format!("{of} of {length} bytes at {at} where {most} are the most"));
        }
        std::str::from_utf8(self.take(length)?).map_err(|_| format!("{of} at {at} that is no UTF-8 text"))
    }

    pub(super) fn kind(&mut self) -> Result<Kind, String> {
        let at = self.at;
        let number = self.u32()?;
        Kind::from_number(number)
            .ok_or_else(|| format!("metadata of the unknown type {} at {at}", number.cast_signed()))
    }

    /// Goes over a list's elements, which it checks.
    pub(super) fn skip_list(&mut self, depth: usize) -> Result<(), String> {
        if depth == MOST_DEPTH {
            return Err(format!("lists in lists at {}, more than {MOST_DEPTH} deep", self.at));
        }
        let kind = self.kind()?;
        let least = fixed_bytes(kind).unwrap_or(if kind == Kind::Text { 8 } else { 12 });
        let count = self.count("elements of a list", least)?;
        match kind {
            Kind::Text => {
                for _ in 0..count {
                    self.text("a string", usize::MAX)?;
                }
            }
            Kind::List => {
                for _ in 0..count {
                    self.skip_list(depth + 1)?;
                }
            }
            // There is room for all of them.
            _ => drop(self.take(count * least)?),
        }
        Ok(())
    }

    /// A number of this type.
    pub(super) fn number(&mut self, kind: Kind) -> Result<f64, String> {
        Ok(match kind {
            Kind::Unsigned(1) | Kind::Bool => f64::from(self.array::<1>()?[0]),
            Kind::Signed(1) => f64::from(i8::from_le_bytes(self.array()?)),
            Kind::Unsigned(2) => f64::from(u16::from_le_bytes(self.array()?)),
            Kind::Signed(2) => f64::from(i16::from_le_bytes(self.array()?)),
            Kind::Unsigned(4) => f64::from(self.u32()?),
            Kind::Signed(4) => f64::from(self.u32()?.cast_signed()),
            Kind::Float(4) => f64::from(f32::from_le_bytes(self.array()?)),
            Kind::Float(_) => f64::from_le_bytes(self.array()?),
            Kind::Unsigned(_) => self.u64()? as f64,
            Kind::Signed(_) => self.u64()?.cast_signed() as f64,
            Kind::Text | Kind::List => return Err("a number where there is none".into()),
        })
    }
}
