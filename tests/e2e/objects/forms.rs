//! Files whose bytes are free as long as a reader of their format gets the right values.

use std::{collections::BTreeMap, io::Write as _, process::Command};

use serde_json::{Map, Value};

/// A format that leaves the bytes open.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Json,
    Yaml,
    /// As `java.util.Properties` reads it.
    Properties,
    /// The environment after `set -a; . file`.
    Shell,
}

impl Form {
    /// Compares a file with the expected values. Of the keys in `any`, only the presence counts.
    pub(super) fn check(self, contents: &[u8], expected: &Value, any: &[String]) -> Result<(), String> {
        let text = std::str::from_utf8(contents).map_err(|_| "not text".to_owned())?;
        let mut found = match self {
            Self::Json => serde_json::from_str(text).map_err(|error| error.to_string())?,
            Self::Yaml => serde_saphyr::from_str(text).map_err(|error| error.to_string())?,
            Self::Properties => strings(properties(text)?),
            Self::Shell => strings(environment(contents)?),
        };
        if let Value::Object(found) = &mut found {
            for key in any {
                found.remove(key).ok_or_else(|| format!("no {key}"))?;
            }
        }
        if found == *expected { Ok(()) } else { Err(format!("{found} instead of {expected}")) }
    }
}

fn strings(map: BTreeMap<String, String>) -> Value {
    Value::Object(map.into_iter().map(|(key, value)| (key, Value::String(value))).collect::<Map<_, _>>())
}

/// Returns what the file adds to an empty environment.
fn environment(contents: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let mut file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    file.write_all(contents).map_err(|error| error.to_string())?;
    let script = "set -a; . \"$1\" || exit 1; exec env -0";
    let output = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(file.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("the shell refuses it: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8(output.stdout).map_err(|error| error.to_string())?;
    // The shell's own variables.
    let own = ["PATH", "PWD", "OLDPWD", "SHLVL", "_"];
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    let pairs = pairs.filter(|(key, _)| !own.contains(key));
    Ok(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}

/// Reads properties by the rules of `java.util.Properties.load`.
fn properties(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    let mut lines = text.split(['\n', '\r']);
    while let Some(line) = lines.next() {
        let mut line = line.trim_start_matches([' ', '\t', '\u{c}']).to_owned();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        while line.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1 {
            line.pop();
            line += lines.next().unwrap_or_default().trim_start_matches([' ', '\t', '\u{c}']);
        }
        let mut characters = line.chars().peekable();
        let key = unescaped(&mut characters, |c| matches!(c, '=' | ':' | ' ' | '\t' | '\u{c}'))?;
        let mut separator = false;
        while let Some(c) = characters.peek().copied() {
            let is_separator = matches!(c, '=' | ':') && !separator;
            if !is_separator && !matches!(c, ' ' | '\t' | '\u{c}') {
                break;
            }
            separator |= is_separator;
            characters.next();
        }
        let value = unescaped(&mut characters, |_| false)?;
        found.insert(key, value);
    }
    Ok(found)
}

fn unescaped(
    characters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    ends: impl Fn(char) -> bool,
) -> Result<String, String> {
    let mut units = Vec::new();
    while let Some(c) = characters.next_if(|c| !ends(*c)) {
        let plain = match c {
            '\\' => match characters.next().unwrap_or_default() {
                'u' => {
                    let digits: String = characters.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&digits, 16).map_err(|error| error.to_string())?);
                    continue;
                }
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                'f' => '\u{c}',
                other => other,
            },
            other => other,
        };
        units.extend_from_slice(plain.encode_utf16(&mut [0; 2]));
    }
    String::from_utf16(&units).map_err(|error| error.to_string())
}
