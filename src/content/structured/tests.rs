use super::*;

fn document(text: &str, syntax: Syntax) -> Document {
    Document::parse(text, syntax).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn get(document: &Document, path: &str) -> Option<String> {
    let value = document.get(&path.parse().unwrap())?;
    Some(document.text(value).expose().clone())
}

/// Returns the keys and texts of the top level.
fn all(text: &str, syntax: Syntax) -> Vec<(String, String)> {
    let document = document(text, syntax);
    let entries = document.entries().expect("a map");
    entries.map(|(key, value)| (key.to_owned(), document.text(value).expose().clone())).collect()
}

#[test]
fn a_key_of_json_is_its_text_or_its_json_as_written() {
    let json = document(
        r#"{"s":"a\"\u00e9\n","n":1.10,"big":12345678901234567890123,"t":true,"l":["a" , {"m":-0.5e3}],
            "o":{"k" : [ ]},"null":null,"":"empty","a.b":{"c d":1}}"#,
        Syntax::Json,
    );
    for (path, expected) in [
        ("s", Some("a\"é\n")),
        ("n", Some("1.10")),
        ("big", Some("12345678901234567890123")),
        ("t", Some("true")),
        ("l", Some(r#"["a" , {"m":-0.5e3}]"#)),
        ("l[0]", Some("a")),
        ("l[1].m", Some("-0.5e3")),
        ("l[-1].m", Some("-0.5e3")),
        ("l[-2]", Some("a")),
        ("l[2]", None),
        ("l[-3]", None),
        ("l.a", None),
        ("o", Some(r#"{"k" : [ ]}"#)),
        ("o[0]", None),
        ("o.k[0]", None),
        ("s.x", None),
        ("s[0]", None),
        ("null", None),
        ("null.x", None),
        (r#""""#, Some("empty")),
        (r#""a.b"."c d""#, Some("1")),
        ("a.b", None),
        ("absent", None),
    ] {
        assert_eq!(get(&json, path).as_deref(), expected, "{path}");
    }
    let list = document(r#" [{"a":"b"}] "#, Syntax::Json);
    assert_eq!(get(&list, "[0].a").as_deref(), Some("b"));
    assert_eq!(get(&list, "[0]").as_deref(), Some(r#"{"a":"b"}"#));
    assert!(list.entries().is_none());
    assert_eq!(get(&document("\"text\"", Syntax::Json), "a"), None);
}

#[test]
fn a_key_of_yaml_follows_the_core_schema() {
    let yaml = document(
        "host: db\nport: 5432\nratio: 1.10\nyes: yes\non: True\nnone: ~\nempty:\nhex: 0x1F\noct: 0123\ninf: .inf\n\
         date: 2001-01-01\nq: \"0123\"\nnotes: |\n  one\n  two\nfold: >-\n  a\n  b\n1: number\n\
         map: {a: 1, b: [x, true, null, 0x1F, \"q\\\"\\n\"], 'c d': 1.50}\n<<: {merge: no}\n\
         base: &base {x: 1}\ncopy: *base\ntext: !!str 5\nplain: ! 6\n",
        Syntax::Yaml,
    );
    for (path, expected) in [
        ("host", Some("db")),
        ("port", Some("5432")),
        ("ratio", Some("1.10")),
        ("yes", Some("yes")),
        ("on", Some("true")),
        ("none", None),
        ("empty", None),
        ("hex", Some("0x1F")),
        ("oct", Some("0123")),
        ("inf", Some(".inf")),
        ("date", Some("2001-01-01")),
        ("q", Some("0123")),
        ("notes", Some("one\ntwo\n")),
        ("fold", Some("a b")),
        ("1", Some("number")),
        ("map", Some(r#"{"a":1,"b":["x",true,null,"0x1F","q\"\n"],"c d":1.50}"#)),
        ("map.b[0]", Some("x")),
        (r#""<<".merge"#, None),
        ("merge", None),
        ("copy", Some(r#"{"x":1}"#)),
        ("copy.x", Some("1")),
        ("text", Some("5")),
        ("plain", Some("6")),
    ] {
        // A plain name may not hold "<".
        assert_eq!(
            get(&yaml, path).as_deref(),
            expected.or((path == r#""<<".merge"#).then_some("no")),
            "{path}"
        );
    }
}

#[test]
fn dotenv_is_read_as_a_shell_reads_assignments() {
    let text = "# comment\n\nexport A=1\nexport\tB = 2\n";
    assert!(Document::parse(text, Syntax::Dotenv).is_err(), "a blank before the sign");
    let text = "# comment\n \n\texport A=1\nB= two words  \nC='a $b \\n'\nD=\"x\\n\\r\\t\\\\\\\"\\$y\"\nE=\nF=''\n\
                G=a#b\nH=a #b\nI= # b\nJ=#b\nK='q' # c\nL=\"q\"\nM=p://h/d?x='1'\nN=a=b\n_1=ü\r\nexported=yes\n";
    let expected = [
        ("A", "1"),
        ("B", "two words"),
        ("C", "a $b \\n"),
        ("D", "x\n\r\t\\\"$y"),
        ("E", ""),
        ("F", ""),
        ("G", "a#b"),
        ("H", "a"),
        ("I", ""),
        ("J", "#b"),
        ("K", "q"),
        ("L", "q"),
        ("M", "p://h/d?x='1'"),
        ("N", "a=b"),
        ("_1", "ü"),
        ("exported", "yes"),
    ];
    assert_eq!(all(text, Syntax::Dotenv), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert_eq!(all("A=1", Syntax::Dotenv), [("A".to_owned(), "1".to_owned())]);
    assert_eq!(all("", Syntax::Dotenv), []);
}

#[test]
fn text_that_is_not_in_the_syntax_is_refused_with_its_line() {
    for (syntax, text, line) in [
        (Syntax::Json, "pa55w0rd", 1),
        (Syntax::Json, "", 1),
        (Syntax::Json, "{\"a\":1}\n{}", 2),
        (Syntax::Json, "{\"a\":1,\n\"b\":}", 2),
        (Syntax::Json, "{\"a\":\n\"\\ud800\"}", 2),
        (Syntax::Json, "{'a':1}", 1),
        (Syntax::Json, "{\"a\":01}", 1),
        (Syntax::Json, "\u{feff}{}", 1),
        (Syntax::Yaml, "a: 1\nb: [", 2),
        (Syntax::Yaml, "a: 1\n---\nb: 2\n", 2),
        (Syntax::Yaml, "a: 1\n? [x]\n: 2\n", 2),
        (Syntax::Yaml, "a: 1\nb: !binary x\n", 2),
        (Syntax::Yaml, "a: 1\nb: !!int x\n", 2),
        (Syntax::Yaml, "a: 1\n~: 2\nb: *none\n", 3),
        (Syntax::Yaml, "a: &a [*a]\n", 1),
        (Syntax::Dotenv, "A=1\nwords\n", 2),
        (Syntax::Dotenv, "A=1\n1A=2\n", 2),
        (Syntax::Dotenv, "A-B=1", 1),
        (Syntax::Dotenv, "=1", 1),
        (Syntax::Dotenv, "export A", 1),
        (Syntax::Dotenv, "A='x", 1),
        (Syntax::Dotenv, "A=\"x\ny\"", 1),
        (Syntax::Dotenv, "A=\"\\x\"", 1),
        (Syntax::Dotenv, "A=\"x\"y", 1),
        (Syntax::Dotenv, "A='x'#y", 1),
    ] {
        match Document::parse(text, syntax).map(drop) {
            Err(StructureError::Syntax { line: found, .. }) => assert_eq!(found, line, "{text:?}"),
            other => panic!("{text:?}: {other:?}"),
        }
    }
}

#[test]
fn equal_keys_are_refused_at_any_depth() {
    for (syntax, text) in [
        (Syntax::Json, r#"{"a":1,"a":2}"#),
        (Syntax::Json, r#"{"a":1,"\u0061":2}"#),
        (Syntax::Json, r#"{"x":[{"a":1,"a":1}]}"#),
        (Syntax::Yaml, "a: 1\na: 2\n"),
        (Syntax::Yaml, "1: a\n\"1\": b\n"),
        (Syntax::Dotenv, "A=1\nexport A=1\n"),
    ] {
        assert_eq!(Document::parse(text, syntax).map(drop), Err(StructureError::DuplicateKey), "{text}");
    }
}

#[test]
fn a_value_is_bounded_in_depth_keys_values_and_bytes() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let json_keys = |count: usize| {
        let keys: Vec<_> = (0..count).map(|index| format!("\"k{index}\":1")).collect();
        format!("{{{}}}", keys.join(","))
    };
    let lines = |count: usize, between: &str| {
        (0..count).fold(String::new(), |all, index| all + &format!("k{index}{between}1\n"))
    };
    let items = |count: usize| format!("[{}]", vec!["1"; count].join(","));
    for (syntax, good, bad, bound) in [
        (Syntax::Json, nested(32), nested(33), Bound::Depth),
        (Syntax::Yaml, nested(32), nested(33), Bound::Depth),
        (Syntax::Json, json_keys(1_000), json_keys(1_001), Bound::Keys),
        (Syntax::Yaml, lines(1_000, ": "), lines(1_001, ": "), Bound::Keys),
        (Syntax::Dotenv, lines(1_000, "="), lines(1_001, "="), Bound::Keys),
        (Syntax::Json, items(24_999), items(25_000), Bound::Values),
        (Syntax::Yaml, items(24_999), items(25_000), Bound::Values),
        (
            Syntax::Dotenv,
            format!("A={}", "x".repeat((1 << 20) - 1)),
            format!("A={}", "x".repeat(1 << 20)),
            Bound::Bytes,
        ),
    ] {
        assert!(Document::parse(&good, syntax).is_ok(), "{bound}");
        assert_eq!(Document::parse(&bad, syntax).map(drop), Err(StructureError::TooMuch(bound)), "{bound}");
    }
    assert_eq!(
        Document::parse(&"[".repeat(1 << 20), Syntax::Yaml).map(drop).map_err(|_| ()),
        Err(()),
        "a million brackets"
    );
}

#[test]
fn a_bomb_of_aliases_is_refused() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (this, before) in ('b'..='i').zip('a'..='h') {
        let aliases = vec![format!("*{before}"); 9].join(", ");
        bomb += &format!("{this}: &{this} [{aliases}]\n");
    }
    assert_eq!(Document::parse(&bomb, Syntax::Yaml).map(drop), Err(StructureError::TooMuch(Bound::Values)));
    let deep =
        format!("a: &a {}1{}\nb: {}*a{}\n", "[".repeat(20), "]".repeat(20), "[".repeat(20), "]".repeat(20));
    assert_eq!(Document::parse(&deep, Syntax::Yaml).map(drop), Err(StructureError::TooMuch(Bound::Depth)));
}

/// Each anchor once kept a copy of all that it holds, and each alias was another one.
#[test]
fn aliases_of_a_small_text_take_little_memory() {
    let ones = vec!["1"; 5_950].join(",");
    let opened: String = (0..28).map(|depth| format!("&a{depth} [")).collect();
    let nested = format!("{opened}[&x [{ones}],*x,*x,*x]{}", "]".repeat(28));
    let wide = format!("a: &x [{}]\nb: [{}]\n", vec!["1"; 100].join(","), vec!["*x"; 230].join(","));
    for (name, text) in [("nested", nested), ("wide", wide)] {
        let document = Document::parse(&text, Syntax::Yaml).unwrap();
        // A value of two bytes has at most a place of its own, and a block for its text.
        let most = (text.len() / 2 + 100) * 2 * (size_of::<Value>() + 40);
        assert!(document.bytes() < most, "{name}: {} bytes of {}", document.bytes(), text.len());
    }
    let document = Document::parse("&r {a: &a [&b 1, *b], *b : *a}", Syntax::Yaml).unwrap();
    let texts: Vec<_> = document.entries().unwrap().map(|(key, value)| (key, document.text(value))).collect();
    let texts: Vec<_> = texts.iter().map(|(key, text)| (*key, text.expose().as_str())).collect();
    assert_eq!(texts, [("a", "[1,1]"), ("1", "[1,1]")]);
    let path = "a[1]".parse().unwrap();
    assert_eq!(document.get(&path).map(|value| document.text(value)), Some(Sensitive::new("1".to_owned())));
}

/// A control character has six bytes in JSON. Room for that was once taken for each character.
#[test]
fn a_text_takes_no_more_memory_than_its_length() {
    let yaml =
        r#"{a: "\x01\x1f\x7f\n\r\t\"\\é", b: [], c: {}, d: [1, ~, [true, x]], "\x02": {e: &s "\0", f: *s}}"#;
    let json = r#"{"a":"\u0001","b":[ ],"c":{ "d" : 1.0 }}"#;
    for (text, syntax) in [(yaml, Syntax::Yaml), (json, Syntax::Json), ("A=1\nB='\"'", Syntax::Dotenv)] {
        let document = document(text, syntax);
        let values = document.entries().unwrap().map(|(_, value)| value).chain([&document.root]);
        for value in values {
            let text = document.text(value);
            let (length, capacity) = (text.expose().len(), text.expose().capacity());
            assert_eq!((value.text_bytes(), capacity), (length, length));
        }
    }
}

#[test]
fn an_error_and_a_parsed_value_show_nothing_of_the_text() {
    for syntax in [Syntax::Json, Syntax::Yaml, Syntax::Dotenv] {
        for text in
            ["{\"canary\": \"canary\"}", "canary: \"canary\"", "CANARY=\"canary\"", "canary: [", "canary"]
        {
            let shown = match Document::parse(text, syntax) {
                Ok(document) => format!("{document:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!shown.to_lowercase().contains("canary"), "{shown}");
        }
    }
}

/// The witness is the shell of the machine that runs the test.
#[test]
fn a_posix_shell_gives_the_same_variables() {
    let text = "# comment\n\nexport A=1\nB='a $b \\n \"'\nC=\"q\\\"q \\\\ \\$d\"\nD=\nE=a#b\nF=x #c\nG=a=b\n  H='ü' # d\n";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let script = "set -a; . \"$1\"; exec env -0";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(file.path()).env_clear().env("PATH", "/usr/bin:/bin");
    let Ok(output) = shell.output() else {
        println!("skipped: there is no shell");
        return;
    };
    let environment = String::from_utf8(output.stdout).unwrap();
    let variables: Vec<&str> = environment.split('\0').collect();
    for (key, value) in all(text, Syntax::Dotenv) {
        let variable = format!("{key}={value}");
        assert!(variables.contains(&variable.as_str()), "no {variable}: {environment:?}");
    }
}
