//! Steps by which a template makes a long text of short ones, each with an end: repeated a few times they would fill the memory.
//!
//! Not here: `~` and `+`, of which the library tells nobody. They at most double a text, so that it takes some twenty steps of a
//! template made for that, and not a few by mistake.

use std::fmt::Write;

use minijinja::{
    Error, ErrorKind, State, Value, filters,
    value::{Kwargs, Rest, StringInput, ValueOrKwargs},
};
use minijinja_contrib::pycompat;

/// Longest text that a template may make or give, in bytes: more than the tokenizer takes.
pub(super) const MAX_BYTES: usize = 1 << 20;

/// The filter `join`.
pub(super) fn join(
    value: &Value,
    between: Option<&str>,
    attribute: Option<&str>,
    options: Kwargs,
) -> Result<String, Error> {
    let between = between.or(options.get("d")?).unwrap_or_default();
    let attribute: Option<&str> = attribute.or(options.get("attribute")?);
    options.assert_all_used()?;
    match value.as_str() {
        Some(text) => joined(text.chars().map(|c| Ok(Value::from(c.to_string()))), between),
        None => {
            let items = value.try_iter()?;
            joined(items.map(|item| attribute.map_or(Ok(item.clone()), |name| item.get_attr(name))), between)
        }
    }
}

fn joined(items: impl Iterator<Item = Result<Value, Error>>, between: &str) -> Result<String, Error> {
    let mut text = String::new();
    for (i, item) in items.enumerate() {
        if i > 0 {
            text.push_str(between);
        }
        let item = item?;
        match item.as_str() {
            Some(part) => text.push_str(part),
            None => write!(text, "{item}")?,
        }
        check(text.len())?;
    }
    Ok(text)
}

/// The filter `replace`.
pub(super) fn replace(text: &str, from: &str, to: &str) -> Result<String, Error> {
    check_replaced(text, from, to)?;
    Ok(text.replace(from, to))
}

fn check_replaced(text: &str, from: &str, to: &str) -> Result<(), Error> {
    check(text.len().saturating_add(text.matches(from).count().saturating_mul(to.len())))
}

/// The filter `format`, as Python's `%`.
pub(super) fn format(
    state: &mut State<'_, '_>,
    pattern: &Value,
    values: Rest<ValueOrKwargs>,
) -> Result<Value, Error> {
    check_filled(pattern, &values.iter().map(|value| value.clone().into_value()).collect::<Vec<_>>())?;
    filters::format(state, pattern, values)
}

/// No more than every hole filled with the longest value, or as wide as it says.
fn check_filled(pattern: &Value, values: &[Value]) -> Result<(), Error> {
    let pattern = pattern.as_str().unwrap_or_default();
    let holes = pattern.matches(['{', '%']).count();
    let width = |digits: &str| if digits.is_empty() { 0 } else { digits.parse().unwrap_or(usize::MAX) };
    let widest = pattern.split(|c: char| !c.is_ascii_digit()).map(width).max().unwrap_or(0);
    let longest = values.iter().map(length).max().unwrap_or(0).max(widest);
    check(pattern.len().saturating_add(holes.saturating_mul(longest)))
}

/// Bytes of a value as a text.
fn length(value: &Value) -> usize {
    value.as_str().map_or_else(|| value.to_string().len(), str::len)
}

/// The filter `indent`.
pub(super) fn indent(
    text: StringInput<'_>,
    width: Option<usize>,
    first: Option<bool>,
    blank: Option<bool>,
    options: Kwargs,
) -> Result<Value, Error> {
    // Four is the filter's own default.
    let wide = width.or(options.get("width")?).unwrap_or(4);
    let lines = text.as_str().matches('\n').count() + 1;
    check(text.as_str().len().saturating_add(wide.saturating_mul(lines)))?;
    filters::indent(text, width, first, blank, options)
}

/// Methods of Python's texts and tables.
pub(super) fn method(
    state: &mut State<'_, '_>,
    value: &Value,
    name: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    match (value.as_str(), name, arguments) {
        (Some(between), "join", [items]) => joined(items.try_iter()?.map(Ok), between).map(Value::from),
        (Some(text), "replace", [from, to, ..]) => {
            check_replaced(text, from.as_str().unwrap_or_default(), to.as_str().unwrap_or_default())?;
            pycompat::unknown_method_callback(state, value, name, arguments)
        }
        (Some(_), "format", _) => {
            check_filled(value, arguments)?;
            pycompat::unknown_method_callback(state, value, name, arguments)
        }
        _ => pycompat::unknown_method_callback(state, value, name, arguments),
    }
}

/// Refuses a text of so many bytes where that is too long.
fn check(bytes: usize) -> Result<(), Error> {
    match bytes > MAX_BYTES {
        true => {
            Err(Error::new(ErrorKind::InvalidOperation, format!("a text of more than {MAX_BYTES} bytes")))
        }
        false => Ok(()),
    }
}
