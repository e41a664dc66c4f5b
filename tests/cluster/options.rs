//! The command line.

use std::path::PathBuf;

use thiserror::Error;

/// What to run, and with which images and charts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) provider_image: String,
    pub(crate) emulator_image: String,
    /// An image with `cat`, `ls` and `sleep`.
    pub(crate) app_image: String,
    pub(crate) driver: Chart,
    pub(crate) provider_azure: Chart,
    /// A command that restarts the kubelet of the cluster's node, if there is one.
    pub(crate) restart_kubelet: Option<String>,
    /// A command that leads the nodes' 169.254.169.254:80 to the address in `IMDS_ADDRESS`, if there is one.
    pub(crate) lead_imds: Option<String>,
    /// Leaves everything installed.
    pub(crate) keep: bool,
}

/// A chart of another project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chart {
    /// A directory or archive instead of the project's repository of charts.
    pub(crate) path: Option<PathBuf>,
    /// More values, for instance the names of images.
    pub(crate) values: Option<PathBuf>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Run(Box<Options>),
    Help,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum OptionsError {
    #[error("unknown argument '{0}'; --help lists them")]
    Unknown(String),
    #[error("{0} needs a value")]
    NoValue(&'static str),
}

impl Command {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, OptionsError> {
        let mut arguments = arguments.into_iter();
        let mut options = Options::default();
        while let Some(argument) = arguments.next() {
            let (name, inline) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            match name {
                "--help" | "-h" => return Ok(Self::Help),
                "--keep" => {
                    options.keep = true;
                    continue;
                }
                _ => {}
            }
            let flag = FLAGS.iter().map(|(flag, ..)| *flag).find(|flag| *flag == name);
            let flag = flag.ok_or_else(|| OptionsError::Unknown(name.to_owned()))?;
            let value = inline.or_else(|| arguments.next()).ok_or(OptionsError::NoValue(flag))?;
            match flag {
                "--provider-image" => options.provider_image = value,
                "--emulator-image" => options.emulator_image = value,
                "--app-image" => options.app_image = value,
                "--driver-chart" => options.driver.path = Some(value.into()),
                "--driver-values" => options.driver.values = Some(value.into()),
                "--provider-azure-chart" => options.provider_azure.path = Some(value.into()),
                "--provider-azure-values" => options.provider_azure.values = Some(value.into()),
                "--lead-imds" => options.lead_imds = Some(value).filter(|command| !command.is_empty()),
                _ => options.restart_kubelet = Some(value).filter(|command| !command.is_empty()),
            }
        }
        Ok(Self::Run(Box::new(options)))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            provider_image: concat!("akv-provider:", env!("CARGO_PKG_VERSION")).to_owned(),
            emulator_image: concat!("akv-emulator:", env!("CARGO_PKG_VERSION")).to_owned(),
            app_image: "busybox:1.37".to_owned(),
            driver: Chart::default(),
            provider_azure: Chart::default(),
            restart_kubelet: None,
            lead_imds: None,
            keep: false,
        }
    }
}

pub(crate) fn help() -> String {
    let mut text =
        "cluster-acceptance runs the acceptance against the cluster of the kubeconfig.\n\n".to_owned();
    for (flag, value, meaning) in FLAGS.iter().chain(&[("--keep", "", "leave everything installed")]) {
        text.push_str(&format!("  {:<30} {meaning}\n", format!("{flag} {value}")));
    }
    text
}

/// Flag, placeholder of its value, meaning.
const FLAGS: &[(&str, &str, &str)] = &[
    (
        "--provider-image",
        "NAME:TAG",
        "the provider's image; default akv-provider with the version of the sources",
    ),
    ("--emulator-image", "NAME:TAG", "the emulator's image; default akv-emulator with that version"),
    ("--app-image", "NAME:TAG", "an image with cat, ls and sleep; default busybox:1.37"),
    ("--driver-chart", "PATH", "the driver's chart; default the newest of its repository"),
    ("--driver-values", "FILE", "more values for it, for instance names of images"),
    ("--provider-azure-chart", "PATH", "provider-azure's chart; default the newest of its repository"),
    ("--provider-azure-values", "FILE", "more values for it"),
    (
        "--restart-kubelet",
        "COMMAND",
        "a shell command that restarts the node's kubelet; without it, no restart",
    ),
    (
        "--lead-imds",
        "COMMAND",
        "a shell command that leads the nodes' 169.254.169.254:80 to the emulator at $IMDS_ADDRESS",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Command, OptionsError> {
        Command::parse(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    #[test]
    fn flags_change_the_defaults() {
        let expected = Options {
            app_image: "registry:5000/app:1".to_owned(),
            driver: Chart { path: Some("charts/driver".into()), values: None },
            keep: true,
            ..Options::default()
        };
        let arguments = ["--app-image", "registry:5000/app:1", "--driver-chart=charts/driver", "--keep"];
        assert_eq!(parse(&arguments), Ok(Command::Run(Box::new(expected))));
    }

    #[test]
    fn an_empty_command_is_none() {
        assert_eq!(parse(&["--restart-kubelet=", "--lead-imds="]), Ok(Command::Run(Box::default())));
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(parse(&["--app"]), Err(OptionsError::Unknown("--app".to_owned())));
        assert_eq!(parse(&["--app-image"]), Err(OptionsError::NoValue("--app-image")));
    }
}
