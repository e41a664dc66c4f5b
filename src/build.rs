//! Which build of the provider this is.

use std::fmt;

/// What `--version`, `Version` and the metrics tell of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Build {
    /// The release.
    pub version: &'static str,
    /// The commit, where the build knew it.
    pub commit: &'static str,
    /// The compiler.
    pub rustc: &'static str,
    /// Operating system and architecture.
    pub platform: &'static str,
}

impl Build {
    /// The build that runs.
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
    /// As JSON.
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
        let told: serde_json::Value = serde_json::from_str(&Build::this().to_string()).unwrap();
        assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
        assert!(told["platform"].as_str().unwrap().contains('/'));
        assert!(told["rustc"].as_str().unwrap().starts_with("rustc "));
    }
}
