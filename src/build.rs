//! The version of the provider and how it was built.

use std::fmt;

/// A description of a build, as `--version`, `Version` and the metrics show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Build {
    /// The release, from Cargo.toml.
    pub version: &'static str,
    /// The commit; empty if the build did not know it.
    pub commit: &'static str,
    /// The compiler, as `rustc --version` prints it.
    pub rustc: &'static str,
    /// Operating system and architecture, with a slash between them.
    pub platform: &'static str,
}

impl Build {
    /// Returns the running build.
    pub const fn this() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            commit: env!("AKV_COMMIT"),
            rustc: env!("AKV_RUSTC"),
            platform: env!("AKV_PLATFORM"),
        }
    }
}

impl fmt::Display for Build {
    /// Formats the build as a JSON object.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, commit, rustc, platform } = self;
        let json = serde_json::json!({
            "version": version, "commit": commit, "rustc": rustc, "platform": platform,
        });
        json.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_tells_of_itself_in_json() {
        let shown: serde_json::Value = serde_json::from_str(&Build::this().to_string()).unwrap();
        assert_eq!(shown["version"], env!("CARGO_PKG_VERSION"));
        assert!(shown["platform"].as_str().unwrap().contains('/'));
        assert!(shown["rustc"].as_str().unwrap().starts_with("rustc "));
    }
}
