//! Tests of whole command lines.

use tracing::level_filters::LevelFilter;

use crate::{
    content::{chain::ChainOrder, secret::PemFiles},
    spec::cloud::{CloudChoice, CloudName},
};

use super::*;

fn config(arguments: &[&str]) -> Result<Config, UsageError> {
    let arguments = arguments.iter().map(|argument| (*argument).to_owned());
    match parse(arguments, Environment::default())? {
        Command::Serve(config) => Ok(*config),
        other => panic!("{other:?}"),
    }
}

#[test]
fn flags_take_one_dash_or_two_and_their_value_either_way() {
    assert_eq!(config(&[]).unwrap().endpoint.to_string(), "unix:///tmp/azure.sock");
    for arguments in [
        &["--endpoint=unix:///a.sock"][..],
        &["-endpoint=unix:///a.sock"],
        &["--endpoint", "unix:///a.sock"],
        &["-endpoint", "unix:///a.sock"],
        &["--endpoint=tcp://h:1", "--endpoint", "unix:///a.sock"],
    ] {
        assert_eq!(config(arguments).unwrap().endpoint.to_string(), "unix:///a.sock", "{arguments:?}");
    }
}

#[test]
fn booleans_are_read_as_go_reads_them() {
    let chain = |arguments: &[&str]| config(arguments).unwrap().mounts.certificates.order;
    assert_eq!(chain(&[]), ChainOrder::Construct);
    for on in ["", "=1", "=t", "=T", "=true", "=TRUE", "=True"] {
        let again = format!("-construct-pem-chain{on}");
        assert_eq!(chain(&["--construct-pem-chain=false", &again]), ChainOrder::Construct, "{on}");
    }
    for off in ["0", "f", "F", "false", "FALSE", "False"] {
        assert_eq!(chain(&[&format!("--construct-pem-chain={off}")]), ChainOrder::AsStored);
    }
    assert!(config(&["--construct-pem-chain=no"]).is_err());
    assert!(config(&["--construct-pem-chain="]).is_err());
}

#[test]
fn each_flag_changes_what_it_says() {
    let with = |argument: &str| config(&[argument]).unwrap();
    assert_eq!(with("--write-cert-and-key-in-separate-files").mounts.certificates.files, PemFiles::Separate);
    assert_eq!(
        with("--cloud-name=AzureChinaCloud").mounts.clouds.cloud,
        CloudChoice::Named(CloudName::China)
    );
    assert_eq!(with("--cloud-name=AzureStackCloud").mounts.clouds.cloud, CloudChoice::File(None));
    assert_eq!(with("--cloud-name=").mounts.clouds.cloud, CloudChoice::Named(CloudName::Public));
    assert_eq!(
        with("--token-proxy-url=https://proxy:8443").mounts.token_proxy.url.unwrap().as_str(),
        "https://proxy:8443/"
    );
    assert_eq!(with("--token-proxy-url=").mounts.token_proxy.url, None);
    assert_eq!(with("--sni-name=test.ests.aks").mounts.token_proxy.server_name.unwrap(), "test.ests.aks");
    assert_eq!(with("--custom-user-agent=team/1.0").mounts.user_agent.unwrap(), "team/1.0");
    let limits = |arguments: &[&str]| {
        let mounts = config(arguments).unwrap().mounts;
        (
            mounts.budget.as_millis(),
            mounts.token_limit.as_millis(),
            mounts.largest_volume,
            mounts.large_volume_memory,
        )
    };
    assert_eq!(limits(&[]), (90_000, 45_000, 4_194_304, 33_554_432));
    assert_eq!(
        limits(&[
            "--mount-timeout=1m50s",
            "--max-call-recv-msg-size=8388608",
            "--large-volume-memory=67108864"
        ]),
        (110_000, 55_000, 8_388_608, 67_108_864)
    );
    assert_eq!(with("--log-format-json").log.format, LogFormat::Json);
    assert_eq!(with("-v=0").log.level, LevelFilter::INFO);
    assert_eq!(with("-v=2").log.level, LevelFilter::DEBUG);
    assert_eq!(with("--v=5").log.level, LevelFilter::TRACE);
}

#[test]
fn issuers_add_up_to_eight_and_keep_their_text() {
    let issuers = |arguments: &[&str]| {
        let proofs = config(arguments).map(|config| config.mounts.identity_proofs)?;
        Ok::<_, UsageError>(
            proofs.issuers.iter().map(|issuer| issuer.as_str().to_owned()).collect::<Vec<_>>(),
        )
    };
    assert_eq!(issuers(&[]), Ok(vec![]));
    let several = ["https://i", "https://I/", "", "https://i/", "https://i"]
        .map(|issuer| format!("--service-account-issuer={issuer}"));
    let several: Vec<&str> = several.iter().map(String::as_str).collect();
    assert_eq!(issuers(&several).unwrap(), ["https://i", "https://I/", "https://i/"]);
    let numbered: Vec<String> =
        (0..9).map(|number| format!("--service-account-issuer=https://i/{number}")).collect();
    let numbered: Vec<&str> = numbered.iter().map(String::as_str).collect();
    assert_eq!(issuers(&numbered[..8]).unwrap().len(), 8);
    let error = issuers(&numbered).unwrap_err().to_string();
    assert!(error.contains("8 issuers are the most"), "{error}");
}

#[test]
fn probes_metrics_and_profiles_are_where_the_flags_say() {
    let admin = |arguments: &[&str]| config(arguments).unwrap().admin;
    let default = admin(&[]);
    let healthz = default.healthz.unwrap();
    assert_eq!((healthz.port, healthz.path.as_str(), healthz.timeout.as_secs()), (8989, "/healthz", 5));
    assert_eq!((default.metrics_port, default.pprof_port), (Some(8898), None));

    let healthz =
        admin(&["--healthz-port=1", "--healthz-path=/live", "--healthz-timeout=1m30s"]).healthz.unwrap();
    assert_eq!((healthz.port, healthz.path.as_str(), healthz.timeout.as_secs()), (1, "/live", 90));
    assert_eq!(admin(&["--healthz-port=0"]).healthz, None);
    assert_eq!(admin(&["--prometheus-port=2", "--metrics-backend=prometheus"]).metrics_port, Some(2));
    assert_eq!(admin(&["--prometheus-port=0"]).metrics_port, None);
    assert_eq!(admin(&["--enable-pprof"]).pprof_port, Some(6060));
    assert_eq!(admin(&["--enable-pprof", "--pprof-port=3"]).pprof_port, Some(3));
    assert_eq!(admin(&["--pprof-port=3"]).pprof_port, None);
    assert!(config(&["--metrics-object-name"]).unwrap().object_names_in_metrics);
}

#[test]
fn flags_of_klog_are_accepted_and_remembered() {
    let log =
        config(&["--logtostderr", "-stderrthreshold=INFO", "--vmodule", "a=5", "--logtostderr=true", "-v=1"])
            .unwrap()
            .log;
    assert_eq!(log.ignored, ["logtostderr", "stderrthreshold", "vmodule"]);
}

/// The arguments that AKS's add-on, the plain manifest and the chart of provider-azure pass.
const TODAY: [&[&str]; 10] = [
    &["--endpoint=unix:///provider/azure.sock"],
    &["--log-format-json=false", "--log-format-json"],
    &["-v=0", "-v=2", "-v=5"],
    &["--construct-pem-chain=true", "--construct-pem-chain=false"],
    &["--custom-user-agent='kubernetes.azure.com/managedby: aks'", "--custom-user-agent="],
    &["--healthz-port=8989"],
    &["--healthz-path=/healthz"],
    &["--healthz-timeout=5s"],
    &["--write-cert-and-key-in-separate-files=true", "--write-cert-and-key-in-separate-files=false"],
    &[
        "--prometheus-port=8898",
        "--metrics-backend=prometheus",
        "--cloud-name=AzurePublicCloud",
        "--enable-pprof=false",
    ],
];

#[test]
fn every_combination_of_todays_arguments_starts_the_provider() {
    // None or one of each group: a number whose digits count the choices.
    let choices: Vec<usize> = TODAY.iter().map(|group| group.len() + 1).collect();
    for mut number in 0..choices.iter().product() {
        let mut arguments = Vec::new();
        for (group, choices) in TODAY.iter().zip(&choices) {
            if let Some(choice) = (number % choices).checked_sub(1) {
                arguments.push(group[choice]);
            }
            number /= choices;
        }
        assert!(config(&arguments).is_ok(), "{arguments:?}");
    }
}

#[test]
fn version_and_help_are_asked_for_in_any_place() {
    let command = |arguments: &[&str]| {
        parse(arguments.iter().map(|argument| (*argument).to_owned()), Environment::default()).unwrap()
    };
    assert!(matches!(command(&["--version"]), Command::Version));
    assert!(matches!(command(&["-v=1", "-version"]), Command::Version));
    assert!(matches!(command(&["--version=false"]), Command::Serve(_)));
    for help in ["--help", "-help", "-h"] {
        assert!(matches!(command(&[help]), Command::Help));
    }
}

#[test]
fn a_command_line_that_cannot_be_followed_is_refused() {
    for (arguments, mentions) in [
        (&["--endpiont=x"][..], &["--endpiont=x", "--endpoint"][..]),
        (&["--construct-pem-chian"], &["--construct-pem-chain"]),
        (&["--zzz"], &["--zzz"]),
        (&["--endpoint"], &["--endpoint", "needs a value"]),
        (&["--endpoint=/a.sock"], &["--endpoint", "/a.sock", "unix:///"]),
        (&["--cloud-name=MoonCloud"], &["MoonCloud", "AzureStackCloud"]),
        (&["--token-proxy-url=http://p"], &["--token-proxy-url", "https"]),
        (&["--token-proxy-url=https://u:p@h"], &["--token-proxy-url", "https"]),
        (&["--sni-name=a b"], &["--sni-name", "DNS name"]),
        (&["--service-account-issuer=http://i"], &["--service-account-issuer", "https"]),
        (&["--service-account-issuer=https://i?a"], &["--service-account-issuer", "query"]),
        (&["--identity-proof-max-age=25h"], &["--identity-proof-max-age", "longer than a day"]),
        (&["--custom-user-agent=a\nb"], &["--custom-user-agent", "header"]),
        (&["--healthz-port=99999"], &["--healthz-port", "65535"]),
        (&["--healthz-path=healthz"], &["--healthz-path", "/healthz"]),
        (&["--healthz-path=/{x}"], &["--healthz-path"]),
        (&["--healthz-timeout=5"], &["--healthz-timeout", "5s"]),
        (&["--healthz-timeout=0s"], &["--healthz-timeout", "no time"]),
        (&["--mount-timeout=110.001s"], &["--mount-timeout", "110s", "kubelet"]),
        (&["--mount-timeout=0"], &["--mount-timeout", "1s"]),
        (&["--mount-timeout=60"], &["--mount-timeout", "duration"]),
        (&["--max-call-recv-msg-size=4Mi"], &["--max-call-recv-msg-size", "bytes"]),
        (&["--max-call-recv-msg-size=99"], &["--max-call-recv-msg-size", "100"]),
        (&["--max-call-recv-msg-size=2147483648"], &["--max-call-recv-msg-size", "2147483647"]),
        (&["--metrics-backend=statsd"], &["statsd", "Prometheus"]),
        (&["-v=much"], &["--v", "much"]),
        (&["--write-cert-and-key-in-separate-files", "false"], &["\"false\"", "="]),
        (&["serve"], &["serve"]),
        (&["--"], &["--"]),
        (&["---endpoint=x"], &["---endpoint"]),
        (&["--=x"], &["--=x"]),
    ] {
        let message = config(arguments).unwrap_err().to_string();
        for mention in mentions {
            assert!(message.contains(mention), "{message:?} does not mention {mention:?}");
        }
    }
}

#[test]
fn the_usage_text_tells_of_every_flag() {
    let usage = usage();
    let listed: Vec<_> =
        usage.lines().filter_map(|line| line.trim().strip_prefix("--")?.split('=').next()).collect();
    for flag in FLAGS.iter().filter(|flag| !flag.help.is_empty() && flag.name != "h") {
        assert!(listed.contains(&flag.name), "{}", flag.name);
    }
}

#[test]
fn the_defaults_that_the_usage_text_tells_of_are_those_that_apply() {
    let mut settings = Settings::default();
    for flag in FLAGS.iter().filter(|flag| !flag.default.is_empty() && !matches!(flag.name, "help" | "h")) {
        (flag.set)(&mut settings, flag.name, flag.default).unwrap();
    }
    assert_eq!(format!("{settings:?}"), format!("{:?}", Settings::default()));
}
