//! What a template may take: each text and list that it makes has an end, all of them together have one, and so has its time.
//!
//! A template as [`super::guarded`] compiles it hands over here whatever it has made. What makes something long of short parts
//! is looked at before, as [`super::filters`] does.

use std::io;
use std::time::{Duration, Instant};

use minijinja::{Error, ErrorKind, State, Value, context, value::ValueKind};

/// Longest text that a template may make or give, in bytes: more than the tokenizer takes.
const MAX_BYTES: usize = 1 << 20;

/// Bytes that all texts and lists together may take that a template makes, whether it keeps them or not.
const MAX_MADE_BYTES: usize = 32 << 20;

/// How many times the length of the conversation may come on top, since templates take up each message again and again.
const MAX_MADE_TIMES: usize = 1024;

/// Longest that a rendering may take.
const MAX_TIME: Duration = Duration::from_secs(5);

/// Deepest that lists may lie in lists: the library goes down a level for each.
const MAX_DEPTH: usize = 100;

/// Bytes that a value takes beside its text.
pub(super) const VALUE_BYTES: usize = 24;

/// Bytes of text that a value in a list gives on top of what it says.
const PRINTED_BYTES: usize = 8;

/// Bytes of text that the longest number gives: one with a fraction is written without an exponent.
const FRACTION_BYTES: usize = 330;

/// What a template makes with an operator, a filter or a literal.
///
/// A view of another list becomes a list of its own, since views of views would go ever deeper.
pub(super) fn made(state: &mut State<'_, '_>, value: Value) -> Result<Value, Error> {
    charge(state, &value, 1)?;
    match value.kind() {
        ValueKind::Iterable => Ok(value.try_iter()?.collect()),
        _ => Ok(value),
    }
}

/// What a function gives a template, which may be a range, that takes nothing, or a namespace.
pub(super) fn given(state: &mut State<'_, '_>, value: Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Iterable => timed(state, value),
        _ => {
            charge(state, &value, 0)?;
            Ok(value)
        }
    }
}

/// What a template prints.
pub(super) fn printed(state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    charge(state, value, 0)
}

/// Anything, as long as there is time.
pub(super) fn timed(state: &mut State<'_, '_>, value: Value) -> Result<Value, Error> {
    in_time(state)?;
    Ok(value)
}

/// `left * right`, where one may be a text or a list.
pub(super) fn times(state: &mut State<'_, '_>, left: Value, right: Value) -> Result<Value, Error> {
    for (repeated, times) in [(&left, &right), (&right, &left)] {
        if repeated.as_str().is_some() || repeated.as_object().is_some() {
            check(Size::of(repeated, 0)?.printed().saturating_mul(times.as_usize().unwrap_or(0)))?;
        }
    }
    let product = state.env().compile_expression("left * right")?.eval(context! { left, right });
    // Without the line, which is that of the expression.
    let product =
        product.map_err(|e| Error::new(e.kind(), e.detail().map_or_else(|| e.to_string(), str::to_owned)))?;
    made(state, product)
}

/// What a macro keeps of where it was defined, until the end: so many bytes.
pub(super) fn kept(state: &mut State<'_, '_>, bytes: usize) -> Result<Value, Error> {
    take(state, bytes)?;
    Ok(Value::UNDEFINED)
}

/// What a rendering has left.
struct Allowance {
    bytes: usize,
    until: Instant,
}

fn allowance<'s>(state: &'s mut State<'_, '_>) -> &'s mut Allowance {
    let conversation = match state.get_extension::<Allowance>() {
        Some(_) => 0,
        None => ["messages", "tools"].iter().filter_map(|name| state.lookup(name)).map(|v| length(&v)).sum(),
    };
    state.get_or_insert_extension_with(|| Allowance {
        bytes: MAX_MADE_BYTES.saturating_add(conversation.saturating_mul(MAX_MADE_TIMES)),
        until: Instant::now() + MAX_TIME,
    })
}

/// Takes a value that lies in so many lists off what the rendering has left. Numbers and the like take nothing.
fn charge(state: &mut State<'_, '_>, value: &Value, depth: usize) -> Result<(), Error> {
    match value.as_str().is_some() || value.as_object().is_some() {
        true => take(state, Size::of(value, depth)?.taken()),
        false => in_time(state),
    }
}

pub(super) fn take(state: &mut State<'_, '_>, bytes: usize) -> Result<(), Error> {
    let allowance = allowance(state);
    let left = allowance.bytes.checked_sub(bytes);
    allowance.bytes = left.ok_or_else(|| refused("it makes too many texts and lists".into()))?;
    in_time(state)
}

pub(super) fn in_time(state: &mut State<'_, '_>) -> Result<(), Error> {
    match Instant::now() > allowance(state).until {
        true => Err(refused(format!("it takes more than {} seconds", MAX_TIME.as_secs()))),
        false => Ok(()),
    }
}

/// Size of a value with all its parts.
#[derive(Default)]
struct Size {
    text_bytes: usize,
    /// Values in lists and tables.
    items: usize,
}

impl Size {
    /// Refuses what is too long or goes too deep, and what may yet change where it lies in a list: that would not stay within
    /// its bounds.
    fn of(value: &Value, depth: usize) -> Result<Self, Error> {
        let mut size = Self::default();
        size.add(value, depth)?;
        Ok(size)
    }

    fn add(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if let Some(text) = value.as_str() {
            self.text_bytes += text.len();
        } else if let Some(object) = value.as_object() {
            let changes = ["::Namespace", "::Loop"].iter().any(|name| object.type_name().ends_with(name));
            if depth > MAX_DEPTH || (depth > 0 && changes) {
                return Err(refused(format!("{MAX_DEPTH} lists in one another, or a namespace in one")));
            }
            if value.kind() == ValueKind::Map {
                for (key, value) in object.try_iter_pairs().into_iter().flatten() {
                    self.add_item(&key, depth)?;
                    self.add_item(&value, depth)?;
                }
            } else {
                for item in object.try_iter().into_iter().flatten() {
                    self.add_item(&item, depth)?;
                }
            }
        } else if value.is_number() && !value.is_integer() {
            self.text_bytes += FRACTION_BYTES;
        }
        check(self.printed())
    }

    fn add_item(&mut self, item: &Value, depth: usize) -> Result<(), Error> {
        self.items += 1;
        self.add(item, depth + 1)
    }

    fn printed(&self) -> usize {
        self.text_bytes.saturating_add(self.items.saturating_mul(PRINTED_BYTES))
    }

    fn taken(&self) -> usize {
        self.text_bytes.saturating_add((self.items + 1).saturating_mul(VALUE_BYTES))
    }
}

/// Bytes of a value as a text.
pub(super) fn length(value: &Value) -> usize {
    value.as_str().map_or_else(|| value.to_string().len(), str::len)
}

/// A text that grows up to [`MAX_BYTES`].
pub(super) struct Text(pub(super) Vec<u8>);

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        check(self.0.len().saturating_add(bytes.len())).map_err(|e| io::Error::other(e.to_string()))?;
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Refuses a text of so many bytes where that is too long.
pub(super) fn check(bytes: usize) -> Result<(), Error> {
    match bytes > MAX_BYTES {
        true => Err(refused(format!("a text of more than {MAX_BYTES} bytes"))),
        false => Ok(()),
    }
}

fn refused(reason: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason)
}
