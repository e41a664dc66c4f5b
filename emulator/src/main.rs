//! `akv-emulator`: Azure on loopback, from a seed file, until a signal stops it.

mod args;
mod inputs;

use std::{
    error::Error,
    fmt, fs,
    io::{self, Write},
    process::ExitCode,
};

use akv_emulator::{Emulator, Seed, Service};
use tokio::signal::unix::{SignalKind, signal};

use self::{
    args::{Args, Command},
    inputs::FileError,
};

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Command::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => print(&args::help()),
        Ok(Command::Run(args)) => run(*args).await,
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed too, nothing is left to try.
            let _ = writeln!(io::stderr(), "akv-emulator: {}", Chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let mut builder = Emulator::builder();
    if let Some(path) = &args.seed {
        builder = builder.seed(Seed::parse(&inputs::read(path)?)?);
    }
    if let Some(files) = &args.authority {
        builder = builder.keys(inputs::keys(files)?);
    }
    for source in &args.trusted_issuers {
        builder = builder.trust_issuer(inputs::trusted_issuer(source).await?);
    }
    if let Some(address) = args.https {
        builder = builder.https_on(address);
    }
    if let Some(address) = args.proxy {
        builder = builder.proxy_on(address);
    }
    if let Some(address) = args.imds {
        builder = builder.imds_on(address);
    }
    if let Some(address) = args.nmi {
        builder = builder.nmi_on(address);
    }
    let emulator = builder.start().await?;
    write_files(&args, &emulator)?;
    print(&instructions(&args, &emulator))?;

    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    let seen = emulator.journal();
    let vault = seen.count(&akv_emulator::Route::service(Service::Vault));
    print(&format!("Stopped after {} requests, {vault} of them to Key Vault.\n", seen.total()))
}

fn write_files(args: &Args, emulator: &Emulator) -> Result<(), FileError> {
    let account = &args.service_account;
    let tokens = || emulator.service_account_tokens(&account.namespace, &account.name);
    let files = [
        (&args.ca_out, emulator.ca_pem().to_owned()),
        (&args.cloud_out, emulator.cloud_file_json()),
        (&args.tokens_out, args.tokens_out.as_ref().map(|_| tokens()).unwrap_or_default()),
    ];
    for (path, content) in files {
        if let Some(path) = path {
            fs::write(path, content).map_err(|source| FileError::new("write", path, source))?;
        }
    }
    Ok(())
}

/// Returns what an operator needs to connect a provider to the emulator.
fn instructions(args: &Args, emulator: &Emulator) -> String {
    let proxy = emulator.proxy_url();
    let directory = emulator.directory().snapshot();
    let mut text = format!("akv-emulator is ready; tenant {}.\n\nHosts\n", directory.home_tenant());
    for name in emulator.vaults().names() {
        text.push_str(&format!("  https://{name}.vault.azure.net/  or  {}\n", emulator.vault_url(&name)));
    }
    text.push_str(&format!(
        "  https://login.microsoftonline.com/  or  {}\n  {}/metadata/identity/oauth2/token  (IMDS)\n  \
         {}/host/token/  (NMI)\n  TLS server name {}  (token proxy)\n\nClient ids\n",
        emulator.login_url(),
        emulator.imds_url(),
        emulator.nmi_url(),
        emulator.token_proxy_name(),
    ));
    for application in &directory.applications {
        let ways = match (application.secrets.is_empty(), application.federations.as_slice()) {
            (true, []) => "no credential".to_owned(),
            (true, federations) => {
                let subjects: Vec<_> = federations.iter().map(|known| known.subject.as_str()).collect();
                format!("federated to {}", subjects.join(", "))
            }
            (false, _) => "client secret".to_owned(),
        };
        text.push_str(&format!("  {}  {ways}\n", application.identity.client_id));
    }
    for (identities, what) in [
        (directory.system_assigned.as_slice(), "system-assigned identity of the node"),
        (directory.user_assigned.as_slice(), "user-assigned identity of the node"),
        (directory.pod_identity.as_slice(), "pod identity (NMI)"),
    ] {
        for identity in identities {
            text.push_str(&format!("  {}  {what}\n", identity.client_id));
        }
    }
    let ca = match &args.ca_out {
        Some(path) => path.display().to_string(),
        None => {
            text.push_str(&format!("\nFetch the authority\n  curl -s {proxy}/ca.pem > ca.pem\n"));
            "ca.pem".to_owned()
        }
    };
    let account = &args.service_account;
    text.push_str(&format!(
        "\nPoint a provider here\n  export HTTPS_PROXY={proxy}\n  export SSL_CERT_FILE={ca}\n\nMint service-account \
         tokens\n  curl -s '{proxy}/tokens?namespace={}&name={}'\n\nSee what was asked\n  curl -s {proxy}/journal\n",
        account.namespace, account.name,
    ));
    text
}

fn print(text: &str) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// An error, displayed with its sources.
struct Chain<'a>(&'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
