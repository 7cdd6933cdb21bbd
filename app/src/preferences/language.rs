//! Languages that answers can be asked for.

use serde::{Deserialize, Serialize};

use super::Answering;

/// A language that the large model speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SpokenLanguage {
    English,
    Chinese,
    French,
    German,
    Italian,
    Japanese,
    Korean,
    Portuguese,
    Russian,
    Spanish,
}

impl SpokenLanguage {
    /// All of them.
    pub(crate) const ALL: [SpokenLanguage; 10] = {
        use SpokenLanguage::*;
        [English, Chinese, French, German, Italian, Japanese, Korean, Portuguese, Russian, Spanish]
    };

    /// What it calls itself.
    pub(crate) fn name(self) -> &'static str {
        match self {
            SpokenLanguage::English => "English",
            SpokenLanguage::Chinese => "中文",
            SpokenLanguage::French => "Français",
            SpokenLanguage::German => "Deutsch",
            SpokenLanguage::Italian => "Italiano",
            SpokenLanguage::Japanese => "日本語",
            SpokenLanguage::Korean => "한국어",
            SpokenLanguage::Portuguese => "Português",
            SpokenLanguage::Russian => "Русский",
            SpokenLanguage::Spanish => "Español",
        }
    }
}

impl Answering {
    /// What the assistant is told before the first question; the model's own words where `None`.
    pub(super) fn instructions(&self) -> Option<String> {
        let Some(language) = self.language else { return self.system.clone() };
        let hint = format!("Answer in {language:?}.");
        Some(self.system.as_ref().map_or_else(|| hint.clone(), |system| format!("{system}\n{hint}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_asked_for_behind_the_instructions() {
        let mut answer = Answering { language: Some(SpokenLanguage::German), ..Answering::default() };
        assert_eq!(answer.instructions().as_deref(), Some("Answer in German."));
        answer.system = Some("Be brief.".into());
        assert_eq!(answer.instructions().as_deref(), Some("Be brief.\nAnswer in German."));
        answer.language = None;
        assert_eq!(answer.instructions().as_deref(), Some("Be brief."));
    }
}
