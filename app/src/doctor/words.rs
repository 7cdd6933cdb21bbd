//! What the examination says: English words with places, and what stands there. The command line and a saved report print them in
//! English, the window in the person's language.

use std::fmt::Display;

use serde::{Serialize, Serializer};

use crate::language::t;

/// A text in English that can be shown in other languages.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Words {
    /// With places such as `%{name}`.
    english: &'static str,
    /// Names of the places, and what stands there.
    places: Vec<(&'static str, String)>,
}

impl Words {
    /// For the macro `words`.
    pub(super) fn new(english: &'static str, places: Vec<(&'static str, String)>) -> Words {
        Words { english, places }
    }

    /// A name or a number, which is the same in every language.
    pub(super) fn plain(text: impl Display) -> Words {
        Words { english: "%{text}", places: vec![("text", text.to_string())] }
    }

    /// In English.
    pub(crate) fn english(&self) -> String {
        self.fill(self.english)
    }

    /// In the language of the window.
    pub(crate) fn shown(&self) -> String {
        self.fill(&t!(self.english))
    }

    fn fill(&self, words: &str) -> String {
        let mut text = String::new();
        let mut pieces = words.split("%{");
        text.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let (name, rest) = piece.split_once('}').unwrap_or((piece, ""));
            let value = self.places.iter().find(|(place, _)| *place == name);
            text.push_str(value.map_or("", |(_, value)| value));
            text.push_str(rest);
        }
        text
    }
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.english())
    }
}

/// A text that can be shown in other languages: `words!("%{n} threads", n = 16)`.
macro_rules! words {
    ($english:literal $(, $place:ident = $value:expr)* $(,)?) => {
        $crate::doctor::words::Words::new($english, vec![$((stringify!($place), $value.to_string())),*])
    };
}
pub(super) use words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_whatever_stands_in_them() {
        let words = Words::new("%{a} of %{b}", vec![("a", "%{b}".into()), ("b", "12".into())]);
        assert_eq!(words.english(), "%{b} of 12");
        assert_eq!(Words::plain("100 %{x}").english(), "100 %{x}");
        assert_eq!(serde_json::to_string(&words).unwrap(), "\"%{b} of 12\"");
    }
}
