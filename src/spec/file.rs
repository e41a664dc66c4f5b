//! The path and the mode of a file in the volume.

use std::{fmt, str::FromStr};

/// A path below the volume's root that the driver accepts: relative, clean, and without `..`.
///
/// The driver checks paths only after all reads (`secrets-store-csi-driver`, `pkg/util/fileutil/atomic_writer.go`), so
/// the provider checks them first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelativePath(String);

impl RelativePath {
    /// Parses a path after removing `.` elements, double slashes and a trailing slash from `text`.
    ///
    /// # Errors
    /// The cleaned text is not a valid path.
    pub fn cleaned(text: &str) -> Result<Self, InvalidPath> {
        if text.starts_with('/') {
            return Err(InvalidPath::Absolute);
        }
        let elements: Vec<&str> = text.split('/').filter(|element| !matches!(*element, "" | ".")).collect();
        if elements.is_empty() { Err(InvalidPath::Unclean) } else { elements.join("/").parse() }
    }

    /// Returns the path of the file for a key of a value, in `directory` or in the volume's root. In the file's name,
    /// `_` takes the place of each byte outside `A-Za-z0-9._-`, of the name `.`, and of an empty name; `__` takes the
    /// place of `..`.
    ///
    /// # Errors
    /// The path becomes too long.
    pub fn of_key(directory: Option<&Self>, key: &str) -> Result<Self, InvalidPath> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let name: String =
            key.bytes().map(|byte| if allowed(byte) { char::from(byte) } else { '_' }).collect();
        let name = match name.as_str() {
            "" | "." => "_".to_owned(),
            _ => name.replace("..", "__"),
        };
        match directory {
            Some(directory) => format!("{directory}/{name}").parse(),
            None => name.parse(),
        }
    }

    /// Returns the path for the driver, with `/` between its elements.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path of the history's version `index`: a file in a directory with this path.
    pub fn version(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }

    /// Returns the path with `suffix` behind the file name: `.crt` and `.key` of a certificate.
    ///
    /// # Errors
    /// The name becomes too long.
    pub fn with_suffix(&self, suffix: &str) -> Result<Self, InvalidPath> {
        format!("{}{suffix}", self.0).parse()
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not a path in a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// The text is empty.
    #[error("must not be empty")]
    Empty,
    /// The path starts with `/`.
    #[error("must be relative, without a leading \"/\"")]
    Absolute,
    /// The path contains `..`.
    #[error("must not contain \"..\"")]
    Climbs,
    /// The path contains `.`, an empty element or a trailing slash.
    #[error("must be clean: without \".\" elements, double slashes or a trailing slash")]
    Unclean,
    /// An element exceeds the limit of file names, or the path exceeds the limit of paths.
    #[error("is too long: at most 255 bytes an element, and 2048 in all")]
    TooLong,
    /// The path contains a NUL or another control character.
    #[error("must not contain control characters")]
    Control,
}

impl FromStr for RelativePath {
    type Err = InvalidPath;

    fn from_str(path: &str) -> Result<Self, InvalidPath> {
        if path.is_empty() {
            return Err(InvalidPath::Empty);
        }
        if path.starts_with('/') {
            return Err(InvalidPath::Absolute);
        }
        // Compat: ".." is refused anywhere, also inside a name such as "a..b".
        if path.contains("..") {
            return Err(InvalidPath::Climbs);
        }
        if path.chars().any(char::is_control) {
            return Err(InvalidPath::Control);
        }
        for element in path.split('/') {
            if element.is_empty() || element == "." {
                return Err(InvalidPath::Unclean);
            }
            if element.len() > 255 {
                return Err(InvalidPath::TooLong);
            }
        }
        // A path of PATH_MAX bytes must also hold the directory in which kubelet mounts the volume.
        if path.len() > 2048 {
            return Err(InvalidPath::TooLong);
        }
        Ok(Self(path.to_owned()))
    }
}

/// A file's permission bits, 0 to 0o777: the driver drops all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileMode(u16);

/// A text or number is not a file mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an octal number from 0 to 0777")]
pub struct InvalidMode;

impl FileMode {
    /// Creates a mode with these permission bits.
    ///
    /// # Errors
    /// A bit above 0o777 is set.
    pub fn from_bits(bits: u32) -> Result<Self, InvalidMode> {
        match u16::try_from(bits) {
            Ok(bits) if bits <= 0o777 => Ok(Self(bits)),
            _ => Err(InvalidMode),
        }
    }

    /// Returns the permission bits.
    pub fn bits(self) -> i32 {
        i32::from(self.0)
    }
}

impl FromStr for FileMode {
    type Err = InvalidMode;

    /// Parses octal digits with any number of leading zeros, or with the prefix `0o` of YAML 1.2 and Rust.
    fn from_str(text: &str) -> Result<Self, InvalidMode> {
        let digits = text.strip_prefix("0o").unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| (b'0'..=b'7').contains(&b)) {
            return Err(InvalidMode);
        }
        u32::from_str_radix(digits, 8).map_err(|_| InvalidMode).and_then(Self::from_bits)
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_clean_descending_paths_are_paths() {
        let long = "x".repeat(255);
        let longer = "x".repeat(256);
        for (path, expected) in [
            ("a", Ok(())),
            (".hidden", Ok(())),
            ("sub/dir/file.txt", Ok(())),
            ("a b", Ok(())),
            (long.as_str(), Ok(())),
            ("", Err(InvalidPath::Empty)),
            ("/etc/passwd", Err(InvalidPath::Absolute)),
            ("..", Err(InvalidPath::Climbs)),
            ("a/../b", Err(InvalidPath::Climbs)),
            ("..data", Err(InvalidPath::Climbs)),
            ("a..b", Err(InvalidPath::Climbs)),
            (".", Err(InvalidPath::Unclean)),
            ("./x", Err(InvalidPath::Unclean)),
            ("a//b", Err(InvalidPath::Unclean)),
            ("a/", Err(InvalidPath::Unclean)),
            ("a/./b", Err(InvalidPath::Unclean)),
            (longer.as_str(), Err(InvalidPath::TooLong)),
            ("a\0b", Err(InvalidPath::Control)),
            ("a\nb", Err(InvalidPath::Control)),
        ] {
            assert_eq!(path.parse::<RelativePath>().map(drop), expected, "{path:?}");
        }
    }

    #[test]
    fn the_path_of_a_history_is_cleaned() {
        for (text, expected) in [
            ("certs", Ok("certs")),
            ("certs/", Ok("certs")),
            ("./certs", Ok("certs")),
            ("a//b/./c", Ok("a/b/c")),
            (".", Err(InvalidPath::Unclean)),
            ("", Err(InvalidPath::Unclean)),
            ("/certs", Err(InvalidPath::Absolute)),
            ("a/../b", Err(InvalidPath::Climbs)),
        ] {
            let cleaned = RelativePath::cleaned(text);
            assert_eq!(cleaned.as_ref().map(RelativePath::as_str), expected.as_ref().copied(), "{text}");
        }
    }

    #[test]
    fn a_key_becomes_a_file_name() {
        for (key, expected) in [
            ("DB_HOST", "DB_HOST"),
            ("b.c-d", "b.c-d"),
            ("", "_"),
            (".", "_"),
            ("..", "__"),
            ("...", "__."),
            ("a..b", "a__b"),
            ("a/b c", "a_b_c"),
            ("é", "__"),
            ("\n", "_"),
        ] {
            assert_eq!(RelativePath::of_key(None, key).unwrap().as_str(), expected, "{key:?}");
            let directory: RelativePath = "app/env".parse().unwrap();
            let path = RelativePath::of_key(Some(&directory), key).unwrap();
            assert_eq!(path.as_str(), format!("app/env/{expected}"), "{key:?}");
        }
        assert!(RelativePath::of_key(None, &"x".repeat(255)).is_ok());
        assert_eq!(RelativePath::of_key(None, &"x".repeat(256)), Err(InvalidPath::TooLong));
    }

    #[test]
    fn modes_are_octal_and_hold_permission_bits_only() {
        for (text, expected) in [
            ("0644", Some(0o644)),
            ("00644", Some(0o644)),
            ("644", Some(0o644)),
            ("0o600", Some(0o600)),
            ("0", Some(0)),
            ("0777", Some(0o777)),
            ("01000", None),
            ("4755", None),
            ("-1", None),
            ("+644", None),
            ("0688", None),
            ("rw-r--r--", None),
            ("0o", None),
            ("", None),
            ("777777777777777", None),
        ] {
            assert_eq!(text.parse::<FileMode>().ok().map(FileMode::bits), expected, "{text:?}");
        }
    }

    #[test]
    fn a_displayed_mode_parses_back() {
        for bits in 0..=0o777 {
            let mode = FileMode::from_bits(bits).unwrap();
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert_eq!(FileMode::from_bits(0o1000), Err(InvalidMode));
    }
}
