use super::*;
use crate::state::{Answer, Attachment, End, Spoken};

/// A spoken question about a picture that is gone, and a typed one whose answer was stopped.
fn exchanges() -> Vec<Exchange> {
    let thumbnail = Some(image::RgbaImage::new(1, 1).into());
    let answer = |text: &str, end| Answer { text: text.into(), end: Some(end), ..Answer::default() };
    vec![
        Exchange {
            turn: 4,
            attachments: vec![Attachment { path: "gone.png".into(), thumbnail }],
            spoken: Some(Spoken::default()),
            text: None,
            answer: answer("A **red** disc.", End::Complete),
            kept: false,
            recorded: false,
        },
        Exchange {
            turn: 6,
            text: Some("And now?".into()),
            answer: Answer {
                reasoning: "Hm.\n".into(),
                calls: vec!["{\"name\":\"look\"}".into()],
                ..answer("It", End::Stopped)
            },
            ..Exchange::default()
        },
    ]
}

fn has(turn: u64, side: Side) -> bool {
    matches!((turn, side), (4, Side::Question) | (6, Side::Answer))
}

#[test]
fn a_page_says_who_said_what_and_where_the_sound_is() {
    let exchanges = exchanges();
    let text = markdown::text("pocket", &pages(&exchanges, has));
    let expected = "# Conversation\n\nModel: pocket\n\n## 1\n\n**Question**\n\ngone.png (the file is gone)\n\n\
                    [spoken question](001-question.wav)\n\n**Answer**\n\nA **red** disc.\n\n## 2\n\n\
                    **Question**\n\nAnd now?\n\n**Answer**\n\n<details><summary>Reasoning</summary>\n\n\
                    Hm.\n\n</details>\n\nIt\n\n```json\n{\"name\":\"look\"}\n```\n\n\
                    [spoken answer](002-answer.wav)\n\n*stopped*\n";
    assert_eq!(text, expected);
}

#[test]
fn the_data_hold_the_same() {
    let exchanges = exchanges();
    let text = json::text("pocket", &pages(&exchanges, has)).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let [first, second] = &value["exchanges"].as_array().unwrap()[..] else { panic!("{text}") };
    assert_eq!(first["question"]["sound"], "001-question.wav");
    assert_eq!(first["question"]["attachments"][0]["kind"], "picture");
    assert!(first["question"]["attachments"][0]["file"].is_null() && first["answer"]["sound"].is_null());
    assert_eq!(second["answer"]["calls"][0]["name"], "look");
    assert_eq!(
        (&second["answer"]["end"], &second["question"]["text"]),
        (&"stopped".into(), &"And now?".into())
    );
}

#[test]
fn a_conversation_is_written_whole_beside_an_earlier_one() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("p.png");
    image::RgbaImage::new(2, 2).save(&picture).unwrap();
    let mut exchanges = exchanges();
    exchanges[0].attachments[0].path = picture;
    let clips = Clips::default();
    clips.push(4, Side::Question, 16_000, &[0.5; 160]);
    let written = write(folder.path(), "pocket", &exchanges, &clips).unwrap();
    assert_eq!(written, folder.path().join("conversation-1"));
    let mut names: Vec<_> = std::fs::read_dir(&written)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["001-1-p.png", "001-question.wav", "conversation.json", "conversation.md"]);
    let page = std::fs::read_to_string(written.join("conversation.md")).unwrap();
    assert!(page.contains("![p.png](<001-1-p.png>)"), "{page}");
    write(folder.path(), "pocket", &exchanges, &clips).unwrap();
    assert!(folder.path().join("conversation-2/conversation.md").is_file());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is left beside");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let error = write(Path::new("no/such/folder"), "", &[], &Clips::default()).unwrap_err();
    assert!(error.to_string().contains("no/such/folder"));
}
