//! Keys of structured values.

use akv_provider::{
    content::structured::Document,
    spec::{
        file::RelativePath,
        key_path::{KeyPath, MAX_KEY_PATH, MAX_STEPS},
        syntax::Syntax,
    },
};

/// A syntax, and a value in it.
pub fn structured(input: &[u8]) {
    let [syntax, text @ ..] = input else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let syntax = [Syntax::Json, Syntax::Yaml, Syntax::Dotenv][usize::from(*syntax) % 3];
    match Document::parse(text, syntax) {
        Ok(document) => {
            let mut keys = 0;
            for (key, value) in document.entries().into_iter().flatten() {
                let shown = document.text(value);
                assert!(shown.expose().len() <= (8 << 20), "{} bytes", shown.expose().len());
                if let Ok(path) = RelativePath::of_key(None, key) {
                    assert!(path.as_str().bytes().all(|byte| byte.is_ascii_graphic()), "{path}");
                    assert!(!path.as_str().contains(".."), "{path}");
                }
                keys += 1;
            }
            assert!(keys <= 1_000, "{keys} keys");
        }
        Err(error) => assert!(error.to_string().len() < 100, "{error}"),
    }
}

/// The path of a key.
pub fn key_path(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match text.parse::<KeyPath>() {
        Ok(path) => {
            assert!(text.len() <= MAX_KEY_PATH && (1..=MAX_STEPS).contains(&path.steps().len()));
            assert_eq!(path.as_str().parse().as_ref(), Ok(&path), "a path parses to itself");
            for syntax in [Syntax::Json, Syntax::Yaml] {
                let document = Document::parse(r#"{"a":[{"b":1}]}"#, syntax).expect("a document");
                if let Some(value) = document.get(&path) {
                    assert!(document.text(value).expose().len() <= 9);
                }
            }
        }
        Err(error) => assert!(error.to_string().len() < 120, "{error}"),
    }
}
