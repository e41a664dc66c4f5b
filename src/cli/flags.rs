//! All flags: names, values, defaults and help texts.

use std::fmt::Write as _;

use crate::spec::cloud::CloudKeyword;

use super::{
    settings::{LogFormat, Settings},
    value::{
        age, boolean, budget, bytes, header, host, https, issuer, optional, path, port, republish_check,
        timeout,
    },
};

/// A command-line flag.
#[derive(Debug)]
pub struct Flag {
    /// The name, without dashes.
    pub name: &'static str,
    /// The kind of value.
    pub kind: Kind,
    /// The default value; empty for none.
    pub default: &'static str,
    /// The help text.
    pub help: &'static str,
    /// Applies a value to the settings; the error says why the value is invalid.
    pub(super) set: fn(&mut Settings, &'static str, &str) -> Result<(), String>,
}

/// A kind of flag value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`; without `=` it is `true`.
    Boolean,
    /// A value, with its name in the usage text.
    Value(&'static str),
}

/// The most issuers: each has keys in memory and requests of its own.
const MAX_ISSUERS: usize = 8;

/// The flags of provider-azure, the provider's own, and those of klog.
pub const FLAGS: &[Flag] = &[
    Flag {
        name: "endpoint",
        kind: Kind::Value("ENDPOINT"),
        default: "unix:///tmp/azure.sock",
        help: "address to listen on: unix:///path or tcp://host:port",
        set: |settings, _, value| {
            settings.endpoint = value.parse().map_err(|_| "is neither unix:///path nor tcp://host:port")?;
            Ok(())
        },
    },
    Flag {
        name: "cloud-name",
        kind: Kind::Value("NAME"),
        default: "AzurePublicCloud",
        help: "cloud of a SecretProviderClass without cloudName",
        set: |settings, _, value| {
            settings.cloud = if value.is_empty() {
                Settings::default().cloud
            } else {
                value.parse::<CloudKeyword>().map_err(|error| format!("cannot be used: {error}"))?
            };
            Ok(())
        },
    },
    Flag {
        name: "construct-pem-chain",
        kind: Kind::Boolean,
        default: "true",
        help: "order the certificates of a PKCS#12 archive: server, intermediates, root",
        set: |settings, _, value| boolean(value).map(|on| settings.construct_pem_chain = on),
    },
    Flag {
        name: "write-cert-and-key-in-separate-files",
        kind: Kind::Boolean,
        default: "false",
        help: "also write a certificate's secret as separate .crt and .key files",
        set: |settings, _, value| boolean(value).map(|on| settings.separate_files = on),
    },
    Flag {
        name: "token-proxy-url",
        kind: Kind::Value("URL"),
        default: "",
        help: "URL of the token proxy of AKS identity binding; empty means the API server",
        set: |settings, _, value| {
            settings.token_proxy_url = optional(value).map(https).transpose()?;
            Ok(())
        },
    },
    Flag {
        name: "sni-name",
        kind: Kind::Value("NAME"),
        default: "",
        help: "TLS server name of the token proxy; empty means computed from the API server's certificate",
        set: |settings, _, value| {
            settings.sni_name = optional(value).map(host).transpose()?;
            Ok(())
        },
    },
    Flag {
        name: "service-account-issuer",
        kind: Kind::Value("URL"),
        default: "",
        help: "issuer of the cluster's service-account tokens, whose keys prove a pod's identity; may be given several times",
        set: |settings, _, value| {
            let issuers = &mut settings.identity_proofs.issuers;
            let Some(issuer) = optional(value).map(issuer).transpose()? else { return Ok(()) };
            if !issuers.contains(&issuer) {
                issuers.push(issuer);
            }
            if issuers.len() > MAX_ISSUERS {
                return Err(format!("is one too many; {MAX_ISSUERS} issuers are the most"));
            }
            Ok(())
        },
    },
    Flag {
        name: "identity-proof-max-age",
        kind: Kind::Value("DURATION"),
        default: "10m",
        help: "how long after its exchange an Entra token is shared with new pods of a subject that an issuer's keys prove; 0 shares none",
        set: |settings, _, value| age(value).map(|age| settings.identity_proofs.max_age = age),
    },
    Flag {
        name: "custom-user-agent",
        kind: Kind::Value("TEXT"),
        default: "",
        help: "text to add to the User-Agent of every request to Azure",
        set: |settings, _, value| {
            settings.user_agent = optional(value).map(header).transpose()?;
            Ok(())
        },
    },
    Flag {
        name: "republish-max-age",
        kind: Kind::Value("DURATION"),
        default: "1m",
        help: "maximum age of a cached value for a republish, read by the same identity; 0 reads anew each time",
        set: |settings, _, value| age(value).map(|age| settings.cache.republish_max_age = age),
    },
    Flag {
        name: "object-cache-ttl",
        kind: Kind::Value("DURATION"),
        default: "0s",
        help: "maximum age of a cached value for a new pod, read by the same identity; 0 reads anew for each pod",
        set: |settings, _, value| age(value).map(|age| settings.cache.object_cache_ttl = age),
    },
    Flag {
        name: "republish-check",
        kind: Kind::Value("NAME"),
        default: "get",
        help: "how a republish finds out which values have changed: get reads each object, list lists the vault's objects where that takes fewer requests",
        set: |settings, _, value| republish_check(value).map(|check| settings.cache.republish_check = check),
    },
    Flag {
        name: "mount-timeout",
        kind: Kind::Value("DURATION"),
        default: "90s",
        help: "timeout of a mount, at most 110s: kubelet waits two minutes, and needs the error before that",
        set: |settings, _, value| budget(value).map(|budget| settings.mount_timeout = budget),
    },
    Flag {
        name: "max-call-recv-msg-size",
        kind: Kind::Value("BYTES"),
        default: "4194304",
        help: "largest volume in bytes; use the value of the driver's flag of the same name",
        set: |settings, _, value| bytes(value).map(|bytes| settings.largest_volume = bytes),
    },
    Flag {
        name: "large-volume-memory",
        kind: Kind::Value("BYTES"),
        default: "33554432",
        help: "memory in bytes for volumes of more than 256 KiB, over all mounts; one such volume always fits",
        set: |settings, _, value| bytes(value).map(|bytes| settings.large_volume_memory = bytes),
    },
    Flag {
        name: "healthz-port",
        kind: Kind::Value("PORT"),
        default: "8989",
        help: "port of /healthz and /readyz; 0 turns them off",
        set: |settings, _, value| port(value).map(|port| settings.healthz.port = port),
    },
    Flag {
        name: "healthz-path",
        kind: Kind::Value("PATH"),
        default: "/healthz",
        help: "path of the liveness probe",
        set: |settings, _, value| path(value).map(|path| settings.healthz.path = path),
    },
    Flag {
        name: "healthz-timeout",
        kind: Kind::Value("DURATION"),
        default: "5s",
        help: "timeout of a probe",
        set: |settings, _, value| timeout(value).map(|timeout| settings.healthz.timeout = timeout),
    },
    Flag {
        name: "metrics-backend",
        kind: Kind::Value("NAME"),
        default: "Prometheus",
        help: "metrics backend; only Prometheus is supported",
        set: |_, _, value| {
            if value.eq_ignore_ascii_case("prometheus") {
                Ok(())
            } else {
                Err("is unknown; use Prometheus".to_owned())
            }
        },
    },
    Flag {
        name: "prometheus-port",
        kind: Kind::Value("PORT"),
        default: "8898",
        help: "port of /metrics; 0 turns it off",
        set: |settings, _, value| port(value).map(|port| settings.metrics_port = port),
    },
    Flag {
        name: "metrics-object-name",
        kind: Kind::Boolean,
        default: "false",
        help: "put object names into metrics: one series for each object",
        set: |settings, _, value| boolean(value).map(|on| settings.object_names_in_metrics = on),
    },
    Flag {
        name: "enable-pprof",
        kind: Kind::Boolean,
        default: "false",
        help: "serve CPU profiles on localhost",
        set: |settings, _, value| boolean(value).map(|on| settings.pprof = on),
    },
    Flag {
        name: "pprof-port",
        kind: Kind::Value("PORT"),
        default: "6060",
        help: "port of /debug/pprof/profile",
        set: |settings, _, value| port(value).map(|port| settings.pprof_port = port),
    },
    Flag {
        name: "log-format-json",
        kind: Kind::Boolean,
        default: "false",
        help: "write log lines as JSON objects",
        set: |settings, _, value| {
            boolean(value).map(|on| settings.log_format = if on { LogFormat::Json } else { LogFormat::Text })
        },
    },
    Flag {
        name: "v",
        kind: Kind::Value("LEVEL"),
        default: "0",
        help: "log level: 0 logs failures, 2 every mount, 5 every request",
        set: |settings, _, value| {
            settings.verbosity = value.parse().map_err(|_| "is not a number")?;
            Ok(())
        },
    },
    Flag {
        name: "version",
        kind: Kind::Boolean,
        default: "false",
        help: "print the version and exit",
        set: |_, _, value| boolean(value).map(drop),
    },
    Flag { name: "help", kind: Kind::Boolean, default: "false", help: "print this and exit", set: ignore },
    Flag { name: "h", kind: Kind::Boolean, default: "false", help: "print this and exit", set: ignore },
    klog("add_dir_header", Kind::Boolean),
    klog("alsologtostderr", Kind::Boolean),
    klog("legacy_stderr_threshold_behavior", Kind::Boolean),
    klog("log_backtrace_at", Kind::Value("FILE:LINE")),
    klog("log_dir", Kind::Value("DIR")),
    klog("log_file", Kind::Value("FILE")),
    klog("log_file_max_size", Kind::Value("MIB")),
    klog("logtostderr", Kind::Boolean),
    klog("one_output", Kind::Boolean),
    klog("skip_headers", Kind::Boolean),
    klog("skip_log_headers", Kind::Boolean),
    klog("stderrthreshold", Kind::Value("SEVERITY")),
    klog("vmodule", Kind::Value("PATTERN=LEVEL")),
];

/// Returns a flag of klog that is accepted and has no effect: the log goes to stderr only.
const fn klog(name: &'static str, kind: Kind) -> Flag {
    Flag { name, kind, default: "", help: "", set: ignore }
}

fn ignore(settings: &mut Settings, name: &'static str, _: &str) -> Result<(), String> {
    if !settings.ignored.contains(&name) {
        settings.ignored.push(name);
    }
    Ok(())
}

/// Returns the usage text.
pub fn usage() -> String {
    let mut text = String::from(
        "Azure Key Vault provider for the Secrets Store CSI driver\n\nUsage: akv-provider [flags]\n\n",
    );
    for flag in FLAGS.iter().filter(|flag| !flag.help.is_empty() && flag.name != "h") {
        let shown = match flag.kind {
            Kind::Boolean => format!("--{}", flag.name),
            Kind::Value(value) => format!("--{}={value}", flag.name),
        };
        let default = if flag.default.is_empty() || flag.default == "false" {
            String::new()
        } else {
            format!(" (default {})", flag.default)
        };
        let _ = writeln!(text, "  {shown}\n        {}{default}", flag.help);
    }
    text.push_str(
        "\nThe other flags of klog are accepted without effect.\n\nEnvironment: SSL_CERT_FILE, SSL_CERT_DIR, HTTPS_PROXY, NO_PROXY, \
         AZURE_ENVIRONMENT_FILEPATH (cloud environment file\nfor AzureStackCloud).\n",
    );
    text
}
