//! Tokenizer and chat template against what Hugging Face's libraries give for the small checkpoints.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::error::Result;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(name)
}

fn reference(name: &str) -> PathBuf {
    data("reference/open").join(name)
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn copy_of(set: &str, names: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in names {
        fs::copy(reference(set).join(name), dir.path().join(name)).unwrap();
    }
    dir
}

const PARTS: [&str; 3] = ["vocab.json", "merges.txt", "tokenizer_config.json"];

/// The small checkpoint's tokenizer from its one file, and from its parts.
fn both_tokenizers() -> [Tokenizer; 2] {
    let parts = copy_of("omni-bf16", &PARTS);
    [Tokenizer::load(&reference("omni-bf16")).unwrap(), Tokenizer::load(parts.path()).unwrap()]
}

#[test]
fn ids_and_texts_are_those_of_the_reference() {
    let golden = json_of(&reference("goldens/omni/manifest.json"));
    let wide = json_of(&data("text/tokenizer.json"));
    for tokenizer in both_tokenizers() {
        let cases = golden["tokenizer"].as_array().unwrap().iter().chain(wide.as_array().unwrap());
        let mut count = 0;
        for case in cases {
            let text = case["text"].as_str().unwrap();
            let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
            assert_eq!(tokenizer.encode(text).unwrap(), ids, "{text:?}");
            if let Some(decoded) = case["decoded"].as_str() {
                assert_eq!(tokenizer.decode(&ids), decoded);
            }
            count += 1;
        }
        assert!(count > 100);
        assert_eq!((tokenizer.id("<|im_start|>"), tokenizer.id("nonsense")), (Some(457), None));
    }
}

#[test]
fn a_character_comes_out_only_when_it_is_whole() {
    let [tokenizer, _] = both_tokenizers();
    let text = "naïve 世界 👩‍👩‍👧 ok";
    let mut decoder = tokenizer.decoder(false);
    let mut joined = String::new();
    for id in tokenizer.encode(text).unwrap() {
        let piece = decoder.push(id);
        assert!(!piece.contains(char::REPLACEMENT_CHARACTER), "{piece:?}");
        joined.push_str(&piece);
    }
    assert_eq!((joined.as_str(), decoder.finish().as_str()), (text, ""));

    let smile = tokenizer.encode("😀").unwrap();
    assert_eq!(smile.len(), 4, "the test needs a character of several tokens");
    let mut decoder = tokenizer.decoder(false);
    assert_eq!([decoder.push(smile[0]), decoder.push(smile[1])], ["", ""]);
    assert_eq!((decoder.finish(), decoder.finish()), ("\u{fffd}".into(), String::new()));
    // A character that breaks off is replaced once, and what follows is not lost.
    assert_eq!(decoder.push(smile[0]) + &decoder.push(tokenizer.id("a").unwrap()), "\u{fffd}a");
    assert_eq!(tokenizer.decode(&[smile[0], smile[1]]), "\u{fffd}");
    assert_eq!(tokenizer.decode(&smile[1..]), "\u{fffd}\u{fffd}\u{fffd}");
}

#[test]
fn special_tokens_are_hidden_on_request_and_unknown_ids_are_nothing() {
    let [tokenizer, _] = both_tokenizers();
    let ids = tokenizer.encode("<|im_start|>a<tool_call>b</tool_call><|im_end|>").unwrap();
    let text = |show_special| -> String {
        let mut decoder = tokenizer.decoder(show_special);
        ids.iter().chain(&[489, 495, u32::MAX]).map(|&id| decoder.push(id)).collect()
    };
    assert_eq!(text(true), "<|im_start|>a<tool_call>b</tool_call><|im_end|>");
    assert_eq!(text(false), "a<tool_call>b</tool_call>");
}

#[test]
fn text_that_could_exhaust_the_splitter_is_refused_or_exact() {
    let [tokenizer, _] = both_tokenizers();
    let blanks = " ".repeat(499_999) + "y";
    let ids = tokenizer.encode(&blanks).unwrap();
    let (blank, y) = (tokenizer.id("Ġ").unwrap(), tokenizer.encode(" y").unwrap());
    assert_eq!(ids[..499_998], vec![blank; 499_998]);
    assert_eq!(ids[499_998..], y);
    let message = tokenizer.encode(&" ".repeat(500_001)).unwrap_err().to_string();
    assert!(message.contains("500000") && message.contains("500001"), "{message}");
}

#[test]
fn ids_with_gaps_stay_as_stated() {
    let dir = copy_of("omni-bf16", &PARTS);
    let path = dir.path().join("tokenizer_config.json");
    let mut config = json_of(&path);
    let added = config["added_tokens_decoder"].as_object_mut().unwrap();
    let moved = added.remove("457").unwrap();
    added.insert("900".into(), moved);
    fs::write(&path, config.to_string()).unwrap();
    let tokenizer = Tokenizer::load(dir.path()).unwrap();
    assert_eq!(tokenizer.encode("<|im_start|><|im_end|>").unwrap(), [900, 458]);
    assert_eq!(tokenizer.decode(&[900, 457, 458]), "<|im_start|><|im_end|>");
}

#[test]
fn damaged_tokenizer_files_are_named() {
    let whole = fs::read_to_string(reference("omni-bf16/tokenizer.json")).unwrap();
    let cases: [(&str, &str); 16] = [
        ("tokenizer.json", ""),
        ("tokenizer.json", "{}"),
        ("tokenizer.json", "[1]"),
        ("tokenizer.json", &whole[..whole.len() / 2]),
        ("tokenizer.json", &whole.replace("\"id\": 457", "\"id\": \"x\"")),
        ("tokenizer.json", &whole.replace("(?!\\\\S)", "(?!\\\\S")),
        ("tokenizer.json", &whole.replace("\"Ġa\":", "\"Ġqq\":")),
        ("tokenizer.json", &whole.replace("\"type\": \"BPE\"", "\"type\": \"Other\"")),
        ("vocab.json", "[]"),
        ("vocab.json", "{\"a\": -1}"),
        ("vocab.json", "{\"a\": 4294967295}"),
        ("vocab.json", "{\"a\": 1, \"b\": 1}"),
        ("merges.txt", "a b c"),
        ("merges.txt", "nonsense"),
        ("tokenizer_config.json", "{}"),
        ("tokenizer_config.json", "{\"added_tokens_decoder\": {\"x\": {\"content\": \"y\"}}}"),
    ];
    for (name, text) in cases {
        assert_ne!(text, whole, "the damage to {name} does nothing");
        let dir = copy_of("omni-bf16", &PARTS);
        fs::write(dir.path().join(name), text).unwrap();
        if name == "vocab.json" {
            fs::write(dir.path().join("merges.txt"), "").unwrap();
        }
        let message = Tokenizer::load(dir.path()).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains(name) && message.contains("expected"), "{name} {text:.60}: {message}");
    }
    let nothing = tempfile::tempdir().unwrap();
    assert!(Tokenizer::load(nothing.path()).is_err());
}

#[test]
fn renderings_are_those_of_the_reference() {
    let golden = json_of(&reference("goldens/omni/manifest.json"));
    let file = json_of(&data("text/chat_template.json"));
    let omni = ChatTemplate::load(&reference("omni-bf16")).unwrap();
    let dense = ChatTemplate::load(&reference("qwen3-dense-bf16")).unwrap();
    for case in golden["chat_template"].as_array().unwrap() {
        let tools = Some(&case["tools"]).filter(|tools| !tools.is_null());
        for template in [&omni, &dense] {
            let rendered = template.render(&case["messages"], tools, true, None).unwrap();
            assert_eq!(rendered, case["rendered"].as_str().unwrap());
        }
    }
    let mut count = 0;
    for case in file["cases"].as_array().unwrap() {
        let source = file["templates"][case["template"].as_str().unwrap()].as_str();
        let template = match source {
            Some(source) => &with_template("chat_template.jinja", source).unwrap(),
            None => &dense,
        };
        let tools = Some(&case["tools"]).filter(|tools| !tools.is_null());
        let generate = case["add_generation_prompt"].as_bool().unwrap();
        let rendered = template.render(&case["messages"], tools, generate, case["enable_thinking"].as_bool());
        assert_eq!(
            rendered.unwrap(),
            case["rendered"].as_str().unwrap(),
            "{} {}",
            case["template"],
            case["messages"]
        );
        count += 1;
    }
    assert!(count > 90);
}

/// A template file beside the dense checkpoint's tokenizer config.
fn with_template(name: &str, text: &str) -> Result<ChatTemplate> {
    let dir = copy_of("qwen3-dense-bf16", &["tokenizer_config.json"]);
    fs::write(dir.path().join(name), text).unwrap();
    ChatTemplate::load(dir.path())
}

fn hello() -> Value {
    json!([{"role": "user", "content": "hello"}])
}

#[test]
fn the_first_template_found_is_used() {
    let render =
        |template: Result<ChatTemplate>| template.unwrap().render(&hello(), None, true, None).unwrap();
    assert_eq!(render(with_template("chat_template.jinja", "jinja")), "jinja");
    assert_eq!(render(with_template("chat_template.json", r#"{"chat_template": "json"}"#)), "json");
    let list = json!([{"name": "tool_use", "template": "no"}, {"name": "default", "template": "yes"}]);
    let list = json!({"chat_template": list}).to_string();
    assert_eq!(render(with_template("tokenizer_config.json", &list)), "yes");
    let named = r#"{"chat_template": [{"name": "other", "template": "no"}]}"#;
    for (name, text) in
        [("chat_template.json", "{}"), ("chat_template.json", "x"), ("tokenizer_config.json", named)]
    {
        let message = with_template(name, text).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains(name), "{message}");
    }
}

#[test]
fn a_checkpoint_without_template_gets_plain_chatml() {
    let template = with_template("tokenizer_config.json", "{}").unwrap();
    let messages = json!([
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "audio", "audio": "x"}, {"type": "image"}, {"type": "video"},
            {"type": "text", "text": "what?"}]},
    ]);
    let expected = "<|im_start|>system\nbe brief<|im_end|>\n<|im_start|>user\n\
        <|audio_start|><|audio_pad|><|audio_end|><|vision_start|><|image_pad|><|vision_end|>\
        <|vision_start|><|video_pad|><|vision_end|>what?<|im_end|>\n";
    assert_eq!(template.render(&messages, None, false, None).unwrap(), expected);
    let answer = template.render(&hello(), None, true, Some(false)).unwrap();
    assert!(answer.ends_with("<|im_start|>assistant\n<think>\n\n</think>\n\n"), "{answer}");
    let tools = template.render(&hello(), Some(&json!([{"name": "f"}])), true, None).unwrap_err().to_string();
    assert!(tools.contains("built-in") && tools.contains("tools"), "{tools}");
}

#[test]
fn a_fault_of_the_template_names_file_and_line() {
    let syntax = with_template("chat_template.jinja", "a\n{% if %}").map(|_| ()).unwrap_err().to_string();
    assert!(syntax.contains("chat_template.jinja") && syntax.contains("line 2"), "{syntax}");
    for (source, word) in [
        ("a\nb\n{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("\n\n{{ messages.x.y }}", "undefined"),
        ("\n\n{{ messages[0].content.nonsense() }}", "nonsense"),
        ("\n\n{{ unknown|tojson }}", "not defined"),
        ("\n\n{{ strftime_now('%!') }}", "%!"),
        ("\n\n{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "fuel"),
        ("\n\n{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
    ] {
        let template = with_template("chat_template.jinja", source).unwrap();
        let message = template.render(&hello(), None, true, None).unwrap_err().to_string();
        assert!(
            message.contains("chat_template.jinja: line 3") && message.contains(word),
            "{source}: {message}"
        );
    }
}

#[test]
fn a_template_that_makes_texts_without_end_is_stopped() {
    for source in [
        "{% for a in range(99999) %}{{ 'a' * 99 }}{% endfor %}",
        "{{ ('a' * 99999)|join('a' * 99) }}",
        "{{ ('a' * 99).join(range(99999)) }}",
        "{{ ('a' * 99999)|replace('a', 'a' * 99) }}",
        "{{ ('a' * 99999).replace('a', 'a' * 99) }}",
        "{{ ('%s' * 99)|format(*(['a' * 99999] * 99)) }}",
        "{{ ('{0}' * 99).format('a' * 99999) }}",
        "{{ '{:99999999999}'.format(1) }}",
        "{{ 'a'|indent(99999999) }}",
    ] {
        let template = with_template("chat_template.jinja", source).unwrap();
        let message = template.render(&hello(), None, true, None).unwrap_err().to_string();
        let words = ["chat_template.jinja", "more than 1048576 bytes"];
        assert!(words.iter().all(|word| message.contains(word)), "{source}: {message}");
    }
    let source = "{{ 'abc'|join('-') }} {{ [1, 'x']|join(', ') }} {{ messages|join('+', attribute='role') }} {{ 'aba'|replace('a', 'cc') }} \
                  {{ '-'.join(['a', 'b']) }} {{ 'aba'.replace('a', 'c', 1) }} {{ '%s=%d'|format('a', 1) }} {{ '{}={:3}'.format('a', 1) }} \
                  {{ 'a\nb'|indent(2) }}";
    let text =
        with_template("chat_template.jinja", source).unwrap().render(&hello(), None, true, None).unwrap();
    assert_eq!(text, "a-b-c 1, x user ccbcc a-b cba a=1 a=  1 a\n  b");
}

/// What a template's rendering is refused with.
fn refusal(source: &str) -> String {
    let rendered = with_template("chat_template.jinja", source)
        .and_then(|template| template.render(&hello(), None, true, None));
    rendered.map(|text| panic!("{source:.200}: {text:.200}")).unwrap_err().to_string()
}

#[test]
fn texts_and_lists_that_grow_without_end_are_refused() {
    let again = |step: &str| {
        format!(
            "{{% set ns = namespace(x='abc', y=[1], z={{}}) %}}{{% for i in range(999) %}}{step}{{% endfor %}}"
        )
    };
    for source in [
        again("{% set ns.x = ns.x ~ ns.x %}"),
        again("{% set ns.x = ns.x + ns.x %}"),
        again("{% set ns.x = ns.x * 3 %}"),
        again("{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}"),
        again("{% set ns.x %}{% filter upper %}{{ ns.x }}{{ ns.x }}{% endfilter %}{% endset %}"),
        again("{% macro m() %}{{ ns.x }}{{ ns.x }}{% endmacro %}{% set ns.x = m() %}"),
        again("{% set ns.y = ns.y + ns.y %}"),
        again("{% set ns.y = [ns.y, ns.y] %}"),
        again("{% set ns.y = (ns.y, ns.y) %}"),
        again("{% set ns.z = {'a': ns.z, 'b': ns.z} %}"),
        again("{% set ns.z = dict(a=ns.z, b=ns.z) %}"),
        "{{ 'text' * 474999 }}".into(),
        "{{ ('text' * 474999)|escape }}".into(),
        "{{ 474999 * ['text'] ~ '' }}".into(),
        "{% if (1 ~ 1) * 99999999 %}{% endif %}".into(),
        "{{ [[1] * 999] * 999 }}".into(),
        "{{ ['a', 'a']|map('replace', 'a', 'a' * 999999)|list }}".into(),
        "{{ range(99)|map('string')|map('tojson', indent=9)|list * 9999 }}".into(),
    ] {
        let message = refusal(&source);
        assert!(message.contains("a text of more than 1048576 bytes"), "{source}: {message}");
    }
}

#[test]
fn a_template_that_takes_too_much_in_all_is_refused() {
    let keep = "{% macro keep() %}{{ x }}{% endmacro %}";
    for (source, words) in [
        ("{% for i in range(9999) %}{% for j in range(9999) %}{% macro m() %}{{ j }}{% endmacro %}{% endfor %}{% endfor %}".into(), "too many"),
        (format!("{{% for i in range(99999) %}}{{% set x = 'a' * 999999 ~ i %}}{keep}{{% endfor %}}"), "too many"),
        ("{% set x %}{% for i in range(99999) %}{{ 'abc' * 999 }}{% endfor %}{% endset %}".into(), "too many"),
        (format!("{{% set x %}}{{% for i in range(99999) %}}{}{{% endfor %}}{{% endset %}}", "abc".repeat(999)), "too many"),
        ("{% do (range(99999)|list).count(*range(99999)|list, *range(99999)|list, *range(99999)|list) %}".repeat(99), "too many"),
        ("{{ [1]|slice(99999999999)|list }}".into(), "too many"),
        ("{{ ('a' * 99999)|map('batch', 999)|list }}".into(), "too many"),
        ("{{ ('a' * 9999)|map('sum', none, 'a' * 999999)|list|length }}".into(), "too many"),
        ("{{ range(99999)|list|sort(attribute='a,' * 99999) }}".into(), "more than 1048576"),
        ("{% set ns = namespace() %}{% set ns.ns = ns %}{{ ns }}".into(), "namespace"),
        ("{% set ns = namespace() %}{% set x = [ns] %}{% set ns.x = x %}{{ ns }}".into(), "namespace"),
        ("{% set ns = namespace(x=1) %}{% for i in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}".into(), "lists in one another"),
        ("{% set x = 'a' * 999999 %}{% for i in range(99999) %}{% if x is lower and x[3] %}{% endif %}{% endfor %}".into(), "more than 5 seconds"),
    ] {
        let message = refusal(&source);
        assert!(message.contains(words), "{source:.200}: {message}");
    }
}

#[test]
fn a_row_of_steps_in_one_tag_does_not_exhaust_the_stack() {
    for (step, tokens, [before, after]) in [
        ("a + ", 2, ["{{ ", "a }}"]),
        ("not ", 1, ["{{ ", "a }}"]),
        ("- ", 1, ["{{ ", "1 }}"]),
        ("|list", 2, ["{{ a", " }}"]),
        (".a", 2, ["{{ a", " }}"]),
        ("[0]", 3, ["{{ a", " }}"]),
        ("()", 2, ["{{ a", " }}"]),
        ("a if b else ", 4, ["{{ ", "a }}"]),
        ("a is b and ", 4, ["{{ ", "a }}"]),
        ("{% elif a %}", 4, ["{% if a %}", "{% endif %}"]),
    ] {
        let rows = |count: usize| format!("\n{before}{}{after}", step.repeat(count));
        let message = refusal(&rows(60_000));
        assert!(message.contains("too much in one tag, in line 2"), "{step}: {message}");
        // Shortly below the bound the stack is large enough, even if the template says nothing sensible.
        let template = with_template("chat_template.jinja", &rows(990 / tokens)).unwrap();
        template.render(&hello(), None, true, None).ok();
    }
    // Views of views of a list.
    let source = "{% set ns = namespace(x=[1, 2]) %}{% for i in range(99999) %}{% set ns.x = ns.x[0:]|reverse %}{% endfor %}\
                  {{ ns.x }}";
    let template = with_template("chat_template.jinja", source).unwrap();
    assert_eq!(template.render(&hello(), None, true, None).unwrap(), "[2, 1]");
}

#[test]
fn what_is_guarded_gives_what_it_always_did() {
    for (source, expected) in [
        (
            "{{ 1 + 2 * 3 - 4 // 3 }} {{ 7 % 4 }} {{ 2 ** 10 }} {{ 1.5 * 2 }} {{ -2 * -3 }} {{ (1 + 2) * 3 }}",
            "6 3 1024 3.0 6 9",
        ),
        ("{% for i in range(4) %}{{ loop.index0 % 2 }}{{ ',' if not loop.last }}{% endfor %}", "0,1,0,1"),
        (
            "{{ 'a' ~ 1 ~ none ~ true }} {{ 'a' + 'b' }} {{ 'ab' * 2 }} {{ 2 * 'ab' }} {{ [1] * 3 }}",
            "a1NoneTrue ab abab abab [1, 1, 1]",
        ),
        (
            "{% set all = messages + [{'role': 'x'}] %}{{ all|length }}{{ all[-1].role }}{{ all[1:][0]['role'] }}",
            "2xx",
        ),
        (
            "{% for m in (messages * 3)[1:] if m.role ~ 's' == 'users' %}{{ m.content[::-1] }}{% endfor %}",
            "olleholleh",
        ),
        ("{{ 'yes' if 'el' in messages[0].content and 1 < 1 + 1 < 3 else 'no' }}", "yes"),
        ("{% if x is not defined and messages[3] is undefined and not y %}ok{% endif %}", "ok"),
        (
            "{{ x|default('d' * 2) }}{{ messages[0].y|d('e') }}{{ (messages[0].nothing or 'f').upper() }}",
            "ddeF",
        ),
        ("{{ {'a' ~ 'b': 1 + 1, 'c': [1 + 2, 'x' * 2]}|tojson }}", r#"{"ab": 2, "c": [3, "xx"]}"#),
        (
            "{% macro m(a, b='c' ~ 'd') %}{{ a }}{{ b }}{{ caller() if caller }}{% endmacro %}{{ m('x' + 'y') }}{% call m(1) %}!{% endcall %}",
            "xycd1cd!",
        ),
        (
            "{% for a in [[1, [2]], [3]] recursive %}{% if a is sequence %}({{ loop(a) }}){% else %}{{ a }}{% endif %}{% endfor %}",
            "(1(2))(3)",
        ),
        (
            "{% set t %}a{{ 1 }}<{% endset %}{{ t }}{% set u | upper %}b{% endset %}{{ u }}{% filter upper|trim %} c {% endfilter %}",
            "a1<BC",
        ),
        (
            "{{ messages|map(attribute='role')|join(',') }} {{ messages|map('length')|list }} {{ messages|selectattr('role', 'in', ['user'])|list|length }}",
            "user [2] 1",
        ),
        (
            "{{ 'a b'.split(' ')[1] }}{{ ' x '.strip() ~ 'y'.upper() }}{{ 'ab'.startswith('a' ~ '') }}{{ '%s-%s'|format(*['a', 'b']) }}",
            "bxYTruea-b",
        ),
        (
            "{% set ns = namespace(n=0, l=[]) %}{% for i in [3, 1] %}{% set ns.n = ns.n + i %}{% set ns.l = ns.l + [i] %}{% endfor %}{{ ns.n }}{{ ns.l|sort }}",
            "4[1, 3]",
        ),
        (
            "{{ dict(a=1, **{'b': 2})|items|list }}{{ [1, 2, 3]|batch(2)|list }}{{ [3, 1]|sort(reverse=true) }}",
            "[('a', 1), ('b', 2)][[1, 2], [3]][3, 1]",
        ),
        (
            "{% autoescape true %}<{{ '<' }}{% endautoescape %}{{ '<'|e }}{% raw %}{{ x }}{% endraw %}",
            "<&lt;&lt;{{ x }}",
        ),
        ("{% block b %}{{ 'a' * 2 }}{% endblock %}{{ self.b() }}{% include 'x' ignore missing %}", "aaaa"),
    ] {
        let rendered =
            with_template("chat_template.jinja", source).and_then(|t| t.render(&hello(), None, true, None));
        assert_eq!(rendered.unwrap(), expected, "{source}");
    }
}

#[test]
fn today_can_be_told() {
    let template = with_template("chat_template.jinja", "{{ strftime_now('%Y-%m-%d %H %B %%') }}").unwrap();
    let text = template.render(&hello(), None, true, None).unwrap();
    let year: u32 = text[..4].parse().unwrap();
    assert!(year >= 2024 && text.ends_with('%') && text.as_bytes()[4] == b'-', "{text}");
}
