//! Filters, tests and methods that make something long of short parts, or something short again and again, within [`bounds`].

use std::fmt::Write;

use minijinja::{
    Environment, Error, State, Value, filters, tests,
    value::{Kwargs, Rest, StringInput, ValueOrKwargs},
};
use minijinja_contrib::pycompat;

use super::bounds::{VALUE_BYTES, check, in_time, length, made, take};

/// Puts them in place of the library's own.
pub(super) fn add(environment: &mut Environment<'_>) {
    environment.add_filter("map", map);
    environment.add_filter("sort", sort);
    environment.add_filter("batch", batch);
    environment.add_filter("slice", slice);
    environment.add_filter("join", join);
    environment.add_filter("replace", replace);
    environment.add_filter("format", format);
    environment.add_filter("indent", indent);
    environment.add_test("in", is_in);
    environment.set_unknown_method_callback(method);
    // These lay lists upon lists, and print whatever there is. Jinja itself has none of them.
    environment.remove_filter("chain");
    environment.remove_filter("zip");
    environment.remove_global("debug");
}

/// The filter `map`, which runs another one again and again.
fn map(state: &mut State<'_, '_>, value: Value, arguments: Rest<ValueOrKwargs>) -> Result<Vec<Value>, Error> {
    // Of nothing, to refuse what is no filter even then.
    let mut mapped = filters::map(state, Value::from_iter([(); 0]), Rest(arguments.0.clone()))?;
    for item in value.try_iter()? {
        for item in filters::map(state, Value::from(vec![item]), Rest(arguments.0.clone()))? {
            mapped.push(made(state, item)?);
        }
    }
    Ok(mapped)
}

/// The test `in`, which `select` and `reject` run again and again.
fn is_in(state: &mut State<'_, '_>, value: &Value, list: &Value) -> Result<bool, Error> {
    in_time(state)?;
    tests::is_in(state, value, list)
}

/// The filter `sort`, which takes up every item by every one of its keys.
fn sort(state: &State<'_, '_>, value: Value, options: Kwargs) -> Result<Value, Error> {
    let keys = options.get::<Option<&str>>("attribute")?.map_or(1, |keys| keys.split(',').count());
    check(keys.saturating_mul(value.len().unwrap_or(0)))?;
    filters::sort(state, value, options)
}

/// The filter `batch`, which fills up the last list.
fn batch(state: &mut State<'_, '_>, value: Value, count: usize, fill: Option<Value>) -> Result<Value, Error> {
    take(state, count.saturating_mul(VALUE_BYTES))?;
    filters::batch(state, value, count, fill)
}

/// The filter `slice`, which gives as many lists as it is told.
fn slice(state: &mut State<'_, '_>, value: Value, count: usize, fill: Option<Value>) -> Result<Value, Error> {
    take(state, count.saturating_mul(VALUE_BYTES))?;
    filters::slice(state, value, count, fill)
}

/// The filter `join`.
fn join(
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
fn replace(text: &str, from: &str, to: &str) -> Result<String, Error> {
    check_replaced(text, from, to)?;
    Ok(text.replace(from, to))
}

fn check_replaced(text: &str, from: &str, to: &str) -> Result<(), Error> {
    check(text.len().saturating_add(text.matches(from).count().saturating_mul(to.len())))
}

/// The filter `format`, as Python's `%`.
fn format(state: &mut State<'_, '_>, pattern: &Value, values: Rest<ValueOrKwargs>) -> Result<Value, Error> {
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

/// The filter `indent`.
fn indent(
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
fn method(state: &mut State<'_, '_>, value: &Value, name: &str, arguments: &[Value]) -> Result<Value, Error> {
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
