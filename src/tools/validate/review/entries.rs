//! Fields of entries that have no effect, or that open a file or show a password to more people than necessary.

use crate::{
    parameters::ENTRY_FIELDS,
    spec::{file::FileMode, misspelling::nearest},
    tools::{
        class::{Class, node::Node},
        validate::locate::{Locator, Place},
    },
};

use super::{Finding, Rule};

pub(super) fn review(class: &Class, locator: &Locator<'_>, findings: &mut Vec<Finding>) {
    for (index, entry) in locator.entries().iter().enumerate() {
        let name = ["objectName", "objectAlias"].iter().find_map(|field| entry.node.get(field)?.scalar());
        let mut review = Review { class, entry, name, findings };
        let path = format!("objects[{index}]");
        review.unknown_fields(&path);
        review.values(&entry.node, &path);
    }
}

struct Review<'a> {
    class: &'a Class,
    entry: &'a Place,
    name: Option<&'a str>,
    findings: &'a mut Vec<Finding>,
}

impl Review<'_> {
    fn unknown_fields(&mut self, path: &str) {
        for (key, _) in self.entry.node.entries() {
            let Some(field) = key.scalar().filter(|field| !ENTRY_FIELDS.contains(field)) else { continue };
            let message = match nearest(field, ENTRY_FIELDS.iter().copied()) {
                Some(known) => format!("is unknown, and has no effect; did you mean {known}?"),
                None => "is unknown, and has no effect".to_owned(),
            };
            self.add(Rule::UnknownField, key, &format!("{path}.{field}"), message);
        }
    }

    /// Reviews the values of a map and of all maps in it.
    fn values(&mut self, node: &Node, path: &str) {
        for (index, item) in node.items().iter().enumerate() {
            self.values(item, &format!("{path}[{index}]"));
        }
        for (key, value) in node.entries() {
            let Some(field) = key.scalar() else { continue };
            let path = format!("{path}.{field}");
            match (field, value.scalar()) {
                ("filePermission", Some(text)) => self.mode(value, text, &path),
                ("default", Some(text)) if looks_secret(text, self.name) => {
                    let message = "looks like a password, and a SecretProviderClass is plain text; store it in the vault";
                    self.add(Rule::SecretDefault, value, &path, message);
                }
                _ => self.values(value, &path),
            }
        }
    }

    fn mode(&mut self, value: &Node, text: &str, path: &str) {
        let Ok(mode) = text.trim().parse::<FileMode>() else { return };
        if mode.bits() & !WIDEST != 0 {
            let message =
                format!("{mode} lets more than the owner write, or execute; 0644 or less is enough to read");
            self.add(Rule::WideFileMode, value, path, message);
        }
    }

    fn add(&mut self, rule: Rule, node: &Node, path: &str, message: impl Into<String>) {
        let path = match self.name {
            Some(name) => format!("{path} ({name})"),
            None => path.to_owned(),
        };
        self.findings.push(Finding::about(self.class, rule, self.entry.offset_of(node), path, message));
    }
}

/// The mode that the driver uses where none is given.
const WIDEST: i32 = 0o644;

/// Returns whether a default may be a real password: it is long and mixed, or its object's name says so.
fn looks_secret(text: &str, name: Option<&str>) -> bool {
    const WORDS: [&str; 6] = ["password", "passwd", "secret", "token", "apikey", "api-key"];
    const PLACEHOLDERS: [&str; 6] = ["changeme", "none", "null", "disabled", "unset", "n/a"];
    let is_named = name.is_some_and(|name| {
        let name = name.to_ascii_lowercase();
        WORDS.iter().any(|word| name.contains(word))
    });
    let kinds = [
        text.bytes().any(|byte| byte.is_ascii_lowercase()),
        text.bytes().any(|byte| byte.is_ascii_uppercase()),
        text.bytes().any(|byte| byte.is_ascii_digit()),
        text.bytes().any(|byte| byte.is_ascii_punctuation()),
    ];
    let is_word = text.contains(char::is_whitespace) || text.contains("://");
    let is_mixed = text.len() >= 12 && !is_word && kinds.iter().filter(|kind| **kind).count() >= 3;
    let is_placeholder = PLACEHOLDERS.iter().any(|word| text.eq_ignore_ascii_case(word));
    is_mixed || (is_named && !text.is_empty() && !is_placeholder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_that_look_like_passwords_are_found() {
        for (text, name, expected) in [
            ("", Some("db-password"), false),
            ("changeme", Some("db-password"), false),
            ("hunter2", Some("db-password"), true),
            ("hunter2", Some("feature"), false),
            ("false", Some("feature"), false),
            ("xK9#mQ2vLp8!", None, true),
            ("https://Example.com/a1", None, false),
            ("The 3 quick Brown-foxes", None, false),
        ] {
            assert_eq!(looks_secret(text, name), expected, "{text:?} {name:?}");
        }
    }
}
