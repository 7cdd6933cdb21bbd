//! Each language says all that the program says, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

/// Texts that the source hands to `t!`, or to `words!` for later.
fn said() -> BTreeSet<String> {
    let mut said = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("language/tests.rs")
            {
                collect(&std::fs::read_to_string(path).unwrap(), &mut said);
            }
        }
    }
    said
}

/// Adds the texts of one file; each is a literal right behind the macro's bracket.
fn collect(source: &str, said: &mut BTreeSet<String>) {
    let code =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    for call in ["t!(", "words!("] {
        for (at, begin) in code.match_indices(call) {
            let before = code[..at].chars().next_back();
            let rest = code[at + begin.len()..].trim_start();
            if before.is_none_or(|c| !c.is_alphanumeric() && c != '_') && rest.starts_with('"') {
                said.insert(literal(&rest[1..]));
            }
        }
    }
}

/// The string literal that begins here, as the compiler reads it.
fn literal(source: &str) -> String {
    let mut text = String::new();
    let mut letters = source.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => match letters.next() {
                Some('n') => text.push('\n'),
                Some('\n') => while letters.next_if(|c| c.is_whitespace()).is_some() {},
                Some(other) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
    }
    text
}

fn places(text: &str) -> BTreeSet<&str> {
    text.split("%{").skip(1).filter_map(|rest| rest.split('}').next()).collect()
}

#[test]
fn every_language_has_every_text_with_the_same_places() {
    let said = said();
    assert!(said.contains("English") && said.len() > 1, "{said:?}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/languages");
    let mut languages = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let texts: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        let given: BTreeSet<_> = texts.keys().cloned().collect();
        let missing: Vec<_> = said.difference(&given).collect();
        let needless: Vec<_> = given.difference(&said).collect();
        assert!(
            missing.is_empty() && needless.is_empty(),
            "{path:?} lacks {missing:#?} and has for nothing {needless:#?}"
        );
        for (english, text) in &texts {
            let text = text.as_str().unwrap();
            assert_eq!(places(english), places(text), "{path:?}: {english:?} and {text:?}");
        }
        languages += 1;
    }
    assert_eq!(languages + 1, all().len());
}

#[test]
fn the_nearest_language_is_shown() {
    for (wanted, shown) in
        [("de", "de"), ("de-AT", "de"), ("de_DE.UTF-8", "de"), ("xx", "en"), ("", "en"), ("C", "en")]
    {
        assert_eq!(known(wanted), shown, "{wanted}");
    }
    assert_eq!((name("de"), name("en")), ("Deutsch".into(), "English".into()));
    assert_eq!(t!("Loading %{name}…", name = "x", locale = "de"), "x wird geladen…");
    assert_eq!(t!("Loading %{name}…", name = "x", locale = "en"), "Loading x…");
}
