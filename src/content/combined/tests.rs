//! Tests of the formats by their text. The end-to-end tests read the files with a shell, Python and Java.

use super::*;

fn text(format: CombineFormat, pairs: &[Pair<'_>]) -> String {
    String::from_utf8(write(format, pairs).into_exposed()).unwrap()
}

#[test]
fn each_format_quotes_what_is_special_in_it() {
    let pairs = [("A", "it's $5 \"now\"\n\\"), ("B", "ä😀\u{2028}"), ("C", "")];
    for (format, expected) in [
        (CombineFormat::Dotenv, "A=\"it's \\$5 \\\"now\\\"\n\\\\\"\nB='ä😀\u{2028}'\nC=''\n"),
        (CombineFormat::Properties, "A=it's $5 \"now\"\\n\\\\\nB=\\u00E4\\uD83D\\uDE00\\u2028\nC=\n"),
        (CombineFormat::Json, "{\"A\":\"it's $5 \\\"now\\\"\\n\\\\\",\"B\":\"ä😀\\u2028\",\"C\":\"\"}"),
        (CombineFormat::Yaml, "\"A\": \"it's $5 \\\"now\\\"\\n\\\\\"\n\"B\": \"ä😀\\u2028\"\n\"C\": \"\"\n"),
    ] {
        assert_eq!(text(format, &pairs), expected, "{format:?}");
    }
}

#[test]
fn no_pair_is_an_empty_file_or_an_empty_map() {
    for (format, expected) in [
        (CombineFormat::Dotenv, ""),
        (CombineFormat::Properties, ""),
        (CombineFormat::Json, "{}"),
        (CombineFormat::Yaml, "{}"),
    ] {
        assert_eq!(text(format, &[]), expected, "{format:?}");
    }
}

#[test]
fn keys_and_blanks_of_properties_keep_their_place() {
    let pairs = [("a b=c:d#e!f", "  x  "), ("#k", "\tv")];
    let expected = "a\\ b\\=c\\:d\\#e\\!f=\\  x  \n\\#k=\\tv\n";
    assert_eq!(text(CombineFormat::Properties, &pairs), expected);
}

#[test]
fn only_a_shell_refuses_a_nul() {
    assert_eq!(check(CombineFormat::Dotenv, "a\0b"), Err(CombineError::NulInVariable));
    for format in [CombineFormat::Properties, CombineFormat::Json, CombineFormat::Yaml] {
        assert_eq!(check(format, "a\0b"), Ok(()), "{format:?}");
    }
}

#[test]
fn the_length_is_known_before_anything_is_written() {
    let every: String = (0..0x3000).filter_map(char::from_u32).collect();
    for format in [CombineFormat::Dotenv, CombineFormat::Properties, CombineFormat::Json, CombineFormat::Yaml]
    {
        let pairs = [("KEY", every.as_str()), ("OTHER", "'")];
        let written = write(format, &pairs).into_exposed();
        assert_eq!(
            (written.len(), written.capacity()),
            (length(format, &pairs), written.len()),
            "{format:?}"
        );
    }
}

#[test]
fn json_and_yaml_parse_back() {
    let every: String = (0..0x3000).chain(0xf000..0x1_0010).filter_map(char::from_u32).collect();
    for format in [CombineFormat::Json, CombineFormat::Yaml] {
        let written = text(format, &[("key", &every), ("a: b", "yes")]);
        let parsed: std::collections::BTreeMap<String, String> = match format {
            CombineFormat::Json => serde_json::from_str(&written).unwrap(),
            _ => serde_saphyr::from_str(&written).unwrap(),
        };
        assert_eq!(parsed["key"], every, "{format:?}");
        assert_eq!(parsed["a: b"], "yes");
    }
}
