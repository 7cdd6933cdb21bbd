//! The little language around WGSL: `#import "file"`, `#variants A B -`, `#ifdef A`, `#ifndef A`, `#else`, `#endif`, each on a line of
//! its own.
//!
//! `#variants` names alternatives of which exactly one is defined; `-` is none of them. Several such lines multiply. The build
//! script checks every combination, so that a shader which the engine asks for at run time has been seen to be valid.

/// Puts imported files in place of their `#import` lines; each file once, where it is named first.
pub(crate) fn import(text: &str, read: &impl Fn(&str) -> Result<String, String>) -> Result<String, String> {
    let mut done = Vec::new();
    import_into(text, read, &mut done)
}

fn import_into(
    text: &str,
    read: &impl Fn(&str) -> Result<String, String>,
    done: &mut Vec<String>,
) -> Result<String, String> {
    let mut out = String::new();
    for line in text.lines() {
        match line.strip_prefix("#import ") {
            None => {
                out.push_str(line);
                out.push('\n');
            }
            Some(name) => {
                let name = name.trim().trim_matches('"').to_owned();
                if !done.contains(&name) {
                    let imported = read(&name)?;
                    done.push(name);
                    out.push_str(&import_into(&imported, read, done)?);
                }
            }
        }
    }
    Ok(out)
}

/// Every combination of the `#variants` lines: the names that are defined in it.
pub(crate) fn variants(text: &str) -> Vec<Vec<&str>> {
    let mut all = vec![Vec::new()];
    for line in text.lines().filter_map(|line| line.strip_prefix("#variants ")) {
        let names: Vec<&str> = line.split_whitespace().collect();
        all = all
            .into_iter()
            .flat_map(|defines: Vec<&str>| {
                names.iter().map(move |&name| {
                    let mut defines = defines.clone();
                    defines.extend((name != "-").then_some(name));
                    defines
                })
            })
            .collect();
    }
    all
}

/// The text with `defines` defined and nothing else.
pub(crate) fn select(text: &str, defines: &[&str]) -> Result<String, String> {
    let mut out = String::new();
    // For each open condition: whether it holds, and whether all outer ones do.
    let mut open: Vec<(bool, bool)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line_error = |what: &str| format!("line {}: {what}", number + 1);
        let live = open.last().is_none_or(|&(holds, outer)| holds && outer);
        if let Some(name) = line.strip_prefix("#ifdef ") {
            open.push((defines.contains(&name.trim()), live));
        } else if let Some(name) = line.strip_prefix("#ifndef ") {
            open.push((!defines.contains(&name.trim()), live));
        } else if line.starts_with("#else") {
            let last = open.last_mut().ok_or_else(|| line_error("#else without #ifdef"))?;
            last.0 = !last.0;
        } else if line.starts_with("#endif") {
            open.pop().ok_or_else(|| line_error("#endif without #ifdef"))?;
        } else if line.starts_with("#variants ") {
        } else if line.starts_with('#') {
            return Err(line_error(&format!("unknown directive {line}")));
        } else if live {
            out.push_str(line);
            out.push('\n');
        }
    }
    if open.is_empty() { Ok(out) } else { Err("#ifdef without #endif".into()) }
}
