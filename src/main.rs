//! `akv-provider`: parses its flags, binds its socket, and serves until a signal stops it.

use std::{
    error::Error,
    future::Future,
    io::{self, Write},
    process::ExitCode,
};

use akv_provider::{
    app::App,
    blocking,
    build::Build,
    cli::{self, Command, Config, Environment},
    hardening, logging,
    report::Report,
    tools,
    transport::{Proxy, Timeouts, Transports},
};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let hardened = hardening::close_memory();
    let environment = Environment {
        cloud_file: variable("AZURE_ENVIRONMENT_FILEPATH").map(Into::into),
        api_server_port: variable("KUBERNETES_SERVICE_PORT").and_then(|port| port.to_str()?.parse().ok()),
    };
    if std::env::args().nth(1).is_some_and(|first| tools::is_tool(&first)) {
        return tools::run(std::env::args().skip(1), || tools::Environment {
            cli: environment,
            proxy: proxy(),
        });
    }
    match cli::parse(std::env::args().skip(1), environment) {
        Ok(Command::Serve(config)) => {
            logging::init(&config.log);
            if let Err(error) = hardened {
                tracing::warn!(error = %Report(&error), "the memory of this process is less closed than it should be");
            }
            match run(*config) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    tracing::error!(error = %Report(&*error), "cannot go on");
                    ExitCode::FAILURE
                }
            }
        }
        Ok(Command::Version) => print(&format!("{}\n", Build::this())),
        Ok(Command::Help) => print(&format!("{}{}", cli::usage(), tools::usage())),
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "the log is not set up, and the caller is a person")]
            {
                eprintln!("akv-provider: {error}\n--help lists every flag");
            }
            ExitCode::from(2)
        }
    }
}

/// Prints a text for a person. A reader that is satisfied early, such as `head`, makes this no failure.
fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

fn run(config: Config) -> Result<(), Box<dyn Error>> {
    // One thread is enough: the provider mostly waits for the network, and long computations run on other threads. A
    // second thread would cost memory, and a wake-up across threads for each answer.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().on_thread_start(blocking::lower_priority).build()?.block_on(serve(config))
}

async fn serve(config: Config) -> Result<(), Box<dyn Error>> {
    let shutdown = shutdown()?;
    let endpoint = config.endpoint.clone();
    let timeouts = Timeouts::within(config.mounts.budget);
    let app = App::bind(config)?;
    let transports = Transports::system(proxy(), timeouts)?;
    tracing::info!(version = Build::this().version, %endpoint, "serving");
    app.run(transports, shutdown).await?;
    tracing::info!("stopped");
    Ok(())
}

/// Returns the proxy that the environment names.
///
/// Compat: a proxy variable with an invalid value does not prevent the start.
fn proxy() -> Proxy {
    Proxy::of_environment(|name| variable(name)?.into_string().ok()).unwrap_or_else(|error| {
        tracing::warn!(error = %Report(&error), "there is no proxy");
        Proxy::none()
    })
}

/// Completes at the first SIGTERM or SIGINT.
fn shutdown() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
