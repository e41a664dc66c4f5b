//! Placeholders that a user did not replace by a value.

/// Returns whether a text looks like a placeholder: `<client id>`, `${CLIENT_ID}`, `##CLIENT_ID##`, `YOUR_CLIENT_ID`.
///
/// This is a guess, for the message about a text that is invalid anyway. Only the first 256 bytes count.
pub fn is_placeholder(text: &str) -> bool {
    let text = text[..text.floor_char_boundary(MAX_TEXT_BYTES)].trim();
    DELIMITERS.iter().any(|(open, close)| {
        let inside = text.split_once(open).and_then(|(_, rest)| rest.split_once(close));
        inside.is_some_and(|(name, _)| is_name(name))
    }) || WRAPPERS.iter().any(|(open, close)| {
        text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close)).is_some_and(is_name)
    }) || BRACKETS.iter().any(|(open, close)| {
        let inside = text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        inside.is_some_and(|name| is_name(name) && !has_syntax_of_json(name))
    }) || is_variable(text)
        || is_masked(text)
        || is_request(text)
}

/// Returns whether a text between delimiters may be a name and not a value.
fn is_name(text: &str) -> bool {
    text.contains(|c: char| c.is_alphabetic()) && !is_guid(text.trim())
}

/// Returns whether a text between brackets is a part of a list or map, as in `{"objectName": "a"}`.
fn has_syntax_of_json(text: &str) -> bool {
    text.contains(['{', '}', '[', ']', ':', ',', '"'])
}

/// Returns whether a text is the name of an environment variable: `CLIENT_ID`.
fn is_variable(text: &str) -> bool {
    text.contains('_')
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Returns whether a text is masked: `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, `***` or `...`.
fn is_masked(text: &str) -> bool {
    text.chars().filter(|c| *c != '-').count() > 2
        && (text.chars().all(|c| matches!(c, 'x' | 'X' | '-'))
            || text.chars().all(|c| matches!(c, '*' | '-'))
            || text.chars().all(|c| c == '.'))
        || text == "…"
}

/// Returns whether a text asks for a replacement: `your-client-id`, `CHANGE_ME`.
fn is_request(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let first = lower.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    first.starts_with("your")
        || matches!(first, "replace" | "replaceme" | "change" | "changeme" | "insert" | "enter")
        || matches!(lower.as_str(), "todo" | "tbd" | "fixme")
        || lower.contains("placeholder")
}

/// Returns whether a text is a GUID in its usual form: 8, 4, 4, 4 and 12 hexadecimal digits, in any case.
pub(super) fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Delimiters of names anywhere in a text, in the templates of Kubernetes' and Azure's tools.
const DELIMITERS: [(&str, &str); 9] = [
    ("<", ">"),
    ("${", "}"),
    ("$(", ")"),
    ("{{", "}}"),
    ("#{", "}"),
    ("##", "##"),
    ("__", "__"),
    ("@@", "@@"),
    ("[[", "]]"),
];

/// Delimiters of a name that is the whole text.
const WRAPPERS: [(&str, &str); 4] = [("$", ""), ("%", "%"), ("@", "@"), ("#", "#")];

/// Delimiters of a name that is the whole text, and of lists and maps in JSON and YAML.
const BRACKETS: [(&str, &str); 2] = [("[", "]"), ("{", "}")];

/// Longest text that is examined, in bytes.
const MAX_TEXT_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_of_every_template_language_are_recognised() {
        for text in [
            "<client id>",
            "<clientID>",
            "<no value>",
            "<%= client %>",
            "${CLIENT_ID}",
            "${{ secrets.CLIENT_ID }}",
            "$(CLIENT_ID)",
            "$CLIENT_ID",
            "%CLIENT_ID%",
            "{{ .Values.clientID }}",
            "{{clientID}}",
            "{clientID}",
            "[client id]",
            "[[clientID]]",
            "##CLIENT_ID##",
            "#{ClientId}#",
            "__CLIENT_ID__",
            "@CLIENT_ID@",
            "@@CLIENT_ID@@",
            "CLIENT_ID",
            "YOUR_CLIENT_ID",
            "your-client-id",
            "yourClientId",
            "REPLACE_ME",
            "replace-with-client-id",
            "change-me",
            "TODO",
            "client-id-placeholder",
            "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
            "XXXX",
            "********",
            "...",
            "…",
            "shop-${ENVIRONMENT}-vault",
            " <client id>\n",
        ] {
            assert!(is_placeholder(text), "{text:?}");
        }
    }

    #[test]
    fn names_and_values_are_not_placeholders() {
        for text in [
            "",
            "-",
            "x",
            "my-identity",
            "contoso.onmicrosoft.com",
            "cccccccc-0000-0000-0000-000000000002",
            "{cccccccc-0000-0000-0000-000000000002}",
            "<cccccccc-0000-0000-0000-000000000002>",
            "/subscriptions/1/resourcegroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app",
            "my_vault",
            "https://demo.vault.azure.net/",
            "a < b",
            "MOONCLOUD",
            "enterprise",
            "todo-app",
            r#"{"objectName": "s1", "objectType": "secret"}"#,
            r#"{"objectName": "s1", "objectType": "secret"}}"#,
            "{objectName: s1, objectType: secret}",
            r#"["s1"]"#,
            "[s1, s2]",
            "{s1}}",
        ] {
            assert!(!is_placeholder(text), "{text:?}");
        }
    }

    #[test]
    fn only_the_beginning_of_a_megabyte_is_examined() {
        assert!(!is_placeholder(&format!("{}<client id>", "é".repeat(1 << 20))));
    }
}
