//! The command line of the benchmark.

use std::path::{Path, PathBuf};

pub(crate) const USAGE: &str = "\
cargo bench --bench mount -- [options] [filter...]

  --peer NAME=BINARY  run the same work through this provider too, and print its figures in proportion to
                      ours; may be repeated
  --quick             fewer runs, and only a round trip of 10 ms
  --json FILE         write the figures as JSON to FILE; default target/bench/mount.json
  --list              print the names of the scenarios
  --help              print this

A filter selects the scenarios whose names contain it.
";

/// The name of the binary of this crate.
pub(crate) const OURS: &str = "akv-provider";

/// The command that the command line asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Run(Arguments),
    List,
    Help,
}

#[derive(Debug)]
pub(crate) struct Arguments {
    /// Names and binaries.
    pub(crate) peers: Vec<(String, PathBuf)>,
    pub(crate) quick: bool,
    pub(crate) json: PathBuf,
    filters: Vec<String>,
}

impl Command {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let json = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench").join("mount.json");
        let mut parsed = Arguments { peers: Vec::new(), quick: false, json, filters: Vec::new() };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let (flag, inline) = match argument.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => (flag, Some(value.to_owned())),
                _ => (argument.as_str(), None),
            };
            let mut value =
                || inline.clone().or_else(|| arguments.next()).ok_or_else(|| format!("{flag} needs a value"));
            match flag {
                // Cargo passes this to every benchmark.
                "--bench" => {}
                "--peer" => {
                    let (name, binary) = peer(&value()?)?;
                    if name == OURS || parsed.peers.iter().any(|(known, _)| *known == name) {
                        return Err(format!("the name {name} is taken"));
                    }
                    parsed.peers.push((name, binary));
                }
                "--quick" => parsed.quick = true,
                "--json" => parsed.json = value()?.into(),
                "--list" => return Ok(Self::List),
                "--help" | "-h" => return Ok(Self::Help),
                unknown if unknown.starts_with('-') => return Err(format!("unknown argument {unknown}")),
                _ => parsed.filters.push(argument),
            }
        }
        Ok(Self::Run(parsed))
    }
}

impl Arguments {
    pub(crate) fn picks(&self, scenario: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| scenario.contains(filter.as_str()))
    }
}

fn peer(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, binary)) if !name.is_empty() && !binary.is_empty() => {
            Ok((name.to_owned(), binary.into()))
        }
        _ => Err(format!("--peer takes NAME=BINARY, not {text}")),
    }
}
