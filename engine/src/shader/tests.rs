use super::preprocess::{import, select, variants};

#[test]
fn imports_come_once_and_may_nest() {
    let read = |name: &str| match name {
        "a" => Ok("#import \"b\"\na".to_owned()),
        "b" => Ok("b".to_owned()),
        _ => Err(format!("no file {name}")),
    };
    assert_eq!(import("#import \"a\"\n#import \"b\"\nend", &read).unwrap(), "b\na\nend\n");
    assert_eq!(import("#import \"c\"", &read).unwrap_err(), "no file c");
}

#[test]
fn variants_multiply() {
    let all = variants("#variants A B -\ntext\n#variants S -\n");
    let want: [&[&str]; 6] = [&["A", "S"], &["A"], &["B", "S"], &["B"], &["S"], &[]];
    assert_eq!(all, want);
    assert_eq!(variants("no lines"), [Vec::<&str>::new()]);
}

#[test]
fn conditions_nest_and_must_close() {
    let text = "#variants A -\n#ifdef A\n1\n#ifndef B\n2\n#else\n3\n#endif\n#else\n4\n#endif\n5";
    assert_eq!(select(text, &["A"]).unwrap(), "1\n2\n5\n");
    assert_eq!(select(text, &["A", "B"]).unwrap(), "1\n3\n5\n");
    assert_eq!(select(text, &["B"]).unwrap(), "4\n5\n");
    assert!(select("#ifdef A", &[]).unwrap_err().contains("#endif"));
    assert!(select("#endif", &[]).unwrap_err().contains("line 1"));
    assert!(select("#include x", &[]).unwrap_err().contains("unknown directive"));
}
