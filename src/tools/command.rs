//! The subcommands and their options.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Azure Key Vault provider for the Kubernetes Secrets Store CSI driver.
///
/// Without a subcommand, akv-provider is the provider: it serves the driver on a socket, and `akv-provider --help`
/// lists its flags.
#[derive(Debug, Parser)]
#[command(name = "akv-provider", disable_version_flag = true, max_term_width = 100)]
pub(crate) struct CommandLine {
    /// The tool to run.
    #[command(subcommand)]
    pub(crate) tool: Tool,
}

/// A subcommand.
#[derive(Debug, Subcommand)]
pub(crate) enum Tool {
    /// Check SecretProviderClasses before they are applied.
    Validate(Validate),
    /// Mount one class, and show each step of it and the files, without their contents.
    Try(Try),
    /// Mount one class with this provider and another one, and show what differs.
    Compare(Compare),
    /// Print a JSON Schema of the parameters, or an admission policy.
    Schema(Schema),
    /// Tell in plain words what a class reads, and which roles it needs.
    Explain(Explain),
    /// Print a completion script for a shell.
    Completions(Completions),
    /// Write the manual pages.
    Man(Man),
}

/// Options of `validate`.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// Files or directories of YAML; "-" is standard input.
    #[arg(value_name = "FILE|DIR|-", default_value = "-")]
    pub(crate) inputs: Vec<PathBuf>,
    /// The provider whose classes are checked.
    #[arg(long, value_name = "NAME", default_value = "azure")]
    pub(crate) provider_name: String,
    /// The format of the findings.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: ReportFormat,
    /// Exit with 1 also for warnings.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Pods that mount each class at the same time, to estimate the calls.
    #[arg(long, value_name = "COUNT")]
    pub(crate) pods: Option<u32>,
    /// The driver's rotation interval, such as 2m, to estimate the calls.
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    pub(crate) interval: String,
}

/// A format of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// Lines as compilers print them.
    Text,
    /// A JSON list.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}

/// The class to mount, and the pod to mount it for.
#[derive(Debug, Args)]
pub(crate) struct ClassAndPod {
    /// The file with the class; "-" is standard input.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The class, if the file has several.
    #[arg(long, value_name = "NAME")]
    pub(crate) class: Option<String>,
    /// The provider whose classes are read.
    #[arg(long, value_name = "NAME", default_value = "azure")]
    pub(crate) provider_name: String,
    /// A file with the pod's service-account token; "-" is standard input. `kubectl create token` makes one. The file
    /// of the class may have it too, as a TokenRequest: `kubectl create token -o yaml` prints one. Classes with workload
    /// identity or identity binding need it.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The audience of the token; api://AKSIdentityBinding for a class with identity binding.
    #[arg(long, value_name = "AUDIENCE", default_value = "api://AzureADTokenExchange")]
    pub(crate) audience: String,
    /// The client id of a service principal: `clientid` in the Secret of nodePublishSecretRef.
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// A file with the client secret of the service principal; "-" is standard input.
    #[arg(long, value_name = "FILE", requires = "client_id")]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// The pod's namespace; by default the class's.
    #[arg(long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// The pod's service account; by default the token's.
    #[arg(long, value_name = "NAME")]
    pub(crate) service_account: Option<String>,
    /// Flags of the provider, such as --construct-pem-chain=false.
    #[arg(last = true, value_name = "PROVIDER FLAGS", allow_hyphen_values = true)]
    pub(crate) provider_flags: Vec<String>,
}

/// A format of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ResultFormat {
    /// Text for people.
    Text,
    /// One JSON object.
    Json,
}

/// Options of `try`.
#[derive(Debug, Args)]
pub(crate) struct Try {
    #[command(flatten)]
    pub(crate) mount: ClassAndPod,
    /// Write the files into this directory, which must be empty or new. Each gets mode 0600.
    #[arg(long, value_name = "DIR")]
    pub(crate) write: Option<PathBuf>,
    /// The format of the result.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: ResultFormat,
}

/// Options of `compare`.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    #[command(flatten)]
    pub(crate) mount: ClassAndPod,
    /// The other provider's socket on the node, such as unix:///var/run/secrets-store-csi-providers/azure.sock.
    #[arg(long, value_name = "ENDPOINT")]
    pub(crate) with: String,
    /// The format of the result.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: ResultFormat,
}

/// Options of `schema`.
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Print a ValidatingAdmissionPolicy with its binding.
    #[arg(long)]
    pub(crate) policy: bool,
    /// The provider whose classes the policy checks.
    #[arg(long, value_name = "NAME", default_value = "azure", requires = "policy")]
    pub(crate) provider_name: String,
}

/// Options of `explain`.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The file with classes; "-" is standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The provider whose classes are explained.
    #[arg(long, value_name = "NAME", default_value = "azure")]
    pub(crate) provider_name: String,
    /// Pods that mount each class at the same time.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub(crate) pods: u32,
    /// The driver's rotation interval.
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    pub(crate) interval: String,
}

/// Options of `completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: Shell,
}

/// A shell with completion scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// Bash.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
}

/// Options of `man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The directory for the pages; it is created if it does not exist.
    pub(crate) directory: PathBuf,
}
