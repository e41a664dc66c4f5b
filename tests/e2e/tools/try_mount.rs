//! `try` as a process: what it prints of mounts that succeed, and what it refuses.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Output,
};

use akv_emulator::ObjectKind;
use serde_json::Value;
use tokio::{io::AsyncWriteExt, process::Command};

use super::{class_and_token, run_with, stderr, stdout};
use crate::harness::Azure;

/// A value that must not be printed.
const CANARY: &str = "canary-7f3a";

struct Trial {
    azure: Azure,
    dir: tempfile::TempDir,
    class: String,
    token: String,
}

impl Trial {
    /// Creates an Azure with secrets `one` and `two`, and a class for these secrets.
    async fn of(secrets: &[&str]) -> Self {
        let azure = Azure::with_secrets(&[("one", CANARY), ("two", CANARY)]).await;
        let dir = tempfile::tempdir().unwrap();
        let (class, token) = class_and_token(&azure, dir.path(), secrets);
        Self { azure, dir, class, token }
    }

    async fn run(&self, more: &[&str]) -> Output {
        let mut arguments = vec!["try", "-f", &self.class, "--token-file", &self.token];
        arguments.extend(more);
        let output = run_with(&self.azure, self.dir.path(), &arguments).await;
        for text in [stdout(&output), stderr(&output)] {
            assert!(!text.contains(CANARY), "{output:?}");
        }
        output
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn entries(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

/// Returns the lines of a phase.
fn lines<'a>(output: &'a Output, phase: &str) -> Vec<&'a str> {
    stdout(output).lines().filter(|line| line[1..].trim_start().starts_with(&format!("{phase} "))).collect()
}

#[tokio::test]
async fn each_phase_object_and_file_of_a_mount_is_shown_without_values() {
    let trial = Trial::of(&["one", "two"]).await;
    let output = trial.run(&[]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(stderr(&output).is_empty(), "{output:?}");
    let text = stdout(&output);
    for part in [
        "class web\n",
        "  pod token  subject system:serviceaccount:default:app\n",
        "issuer https://oidc.localhost\n",
        "audience api://AzureADTokenExchange\n",
        "oauth2/v2.0/token: 200 (token issued), ",
        "/secrets/one/: 200, ",
        ": 401 (challenge, as expected), ",
        "  secret/one  200  version ",
        "  two  0644  11 bytes  text\n",
        "the pod would start with 2 files\n",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    let proxy = trial.azure.proxy_url();
    let proxy = proxy.strip_prefix("http://").unwrap().trim_end_matches('/');
    for (phase, mention) in [("proxy", proxy), ("tls", ", issued by "), ("tls", ", expires 20")] {
        let lines = lines(&output, phase);
        assert_eq!(lines.len(), 2, "one for Entra and one for the vault: {text}");
        assert!(lines.iter().all(|line| line.contains(mention)), "no {mention} in {lines:?}");
    }
    assert_eq!(lines(&output, "challenge").len(), 1, "{text}");
    assert_eq!(lines(&output, "read").len(), 2, "{text}");
}

#[tokio::test]
async fn hosts_that_dns_finds_are_shown_with_private_addresses() {
    let trial = Trial::of(&["one"]).await;
    let output = direct(&trial, &trial.azure.cloud_file_json()).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for host in ["login.localhost", "lab.vault.localhost"] {
        let dns = lines(&output, "dns");
        let is_of_host = |line: &&&str| line.contains(host) && line.contains(": 127.0.0.1 (private)");
        assert_eq!(dns.iter().filter(is_of_host).count(), 1, "{host}: {output:?}");
        let tcp = lines(&output, "tcp");
        assert!(tcp.iter().any(|line| line.contains(host) && line.contains("127.0.0.1:")), "{output:?}");
    }
}

/// Runs `try` without a proxy, for a class of the cloud that this file describes.
pub(super) async fn without_proxy(
    azure: &Azure,
    dir: &Path,
    class: &str,
    token: &str,
    cloud: &str,
) -> Output {
    let text = std::fs::read_to_string(class).unwrap();
    let class = dir.join("stack.yaml");
    std::fs::write(
        &class,
        text.replace("keyvaultName: lab", "keyvaultName: lab\n    cloudName: AzureStackCloud"),
    )
    .unwrap();
    let (ca, file) = (dir.join("ca.pem"), dir.join("cloud.json"));
    std::fs::write(&ca, azure.ca_pem()).unwrap();
    std::fs::write(&file, cloud).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_akv-provider"));
    command.args(["try", "--token-file", token, "-f"]).arg(class).args(["--", "--mount-timeout=30s"]);
    command.env_clear().env("SSL_CERT_FILE", ca).env("AZURE_ENVIRONMENT_FILEPATH", file);
    command.kill_on_drop(true).output().await.unwrap()
}

async fn direct(trial: &Trial, cloud: &str) -> Output {
    without_proxy(&trial.azure, trial.dir.path(), &trial.class, &trial.token, cloud).await
}

#[tokio::test]
async fn a_failed_mount_ends_with_the_pods_message() {
    let trial = Trial::of(&["one", "nope"]).await;
    let output = trial.run(&["--write", &trial.path("out").display().to_string()]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = stdout(&output);
    assert!(text.contains("  secret/nope  404  no version"), "{text}");
    assert!(text.contains("failed phase: read of lab.vault.azure.net\n"), "{text}");
    let [introduction, message] = text.lines().rev().take(2).collect::<Vec<_>>()[..] else { panic!() };
    let (message, introduction) = (introduction, message);
    assert_eq!(introduction, "the pod would wait with this message (NotFound):");
    assert!(message.starts_with("[AKV-NotFound] ") && message.contains("secret/nope"), "{text}");
    assert!(!trial.path("out").exists(), "half a volume is written");
}

#[tokio::test]
async fn equal_names_of_two_vaults_are_two_objects() {
    let trial = Trial::of(&["one"]).await;
    trial.azure.vaults().put_secret("lab-2", "one", &format!("{CANARY}-of-another-vault"));
    let entry = "        - |\n          {objectName: one, objectType: secret, keyvaultName: Lab-2, objectAlias: other}\n";
    let class = std::fs::read_to_string(&trial.class).unwrap();
    std::fs::write(&trial.class, class + entry).unwrap();
    let output = trial.run(&[]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for vault in ["lab", "lab-2"] {
        let object = format!("  secret/one of {vault}.vault.azure.net");
        let lines: Vec<&str> = stdout(&output)
            .lines()
            .filter(|line| line.split("  200  ").next().unwrap().trim_end() == object)
            .collect();
        let [line] = lines[..] else { panic!("{vault}: {output:?}") };
        assert!(line.contains("  version ") && !line.contains("requests"), "{line}");
    }
    let json: Value = serde_json::from_str(stdout(&trial.run(&["--format=json"]).await)).unwrap();
    let hosts: Vec<&str> =
        json["objects"].as_array().unwrap().iter().map(|object| object["host"].as_str().unwrap()).collect();
    assert!(hosts.contains(&"lab.vault.azure.net") && hosts.contains(&"lab-2.vault.azure.net"), "{hosts:?}");
    let versions = |index: usize| json["objects"][index]["versions"].clone();
    assert!(versions(0) != versions(1), "{json}");
}

#[tokio::test]
async fn a_find_is_shown_with_its_list_and_what_it_finds() {
    let trial = Trial::of(&["one"]).await;
    let entry = "        - |\n          {objectType: secret, find: {name: t*}}\n";
    let class = std::fs::read_to_string(&trial.class).unwrap();
    std::fs::write(&trial.class, class + entry).unwrap();
    let output = trial.run(&[]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for part in [
        "/secrets: 200, ",
        "  secret/*    200  ",
        "  secret/two  200  version ",
        "  two  0644  11 bytes  text\n",
    ] {
        assert!(stdout(&output).contains(part), "no {part} in {}", stdout(&output));
    }
}

#[tokio::test]
async fn json_has_the_same_as_the_text() {
    let trial = Trial::of(&["one"]).await;
    let json: Value = serde_json::from_str(stdout(&trial.run(&["--format=json"]).await)).unwrap();
    assert_eq!(json["mounted"], true);
    assert_eq!(json["token"]["subject"], "system:serviceaccount:default:app");
    assert_eq!(json["objects"][0]["id"], "secret/one");
    assert_eq!(json["objects"][0]["status"], 200);
    assert_eq!(json["objects"][0]["versions"].as_array().unwrap().len(), 1);
    assert_eq!(
        json["files"],
        serde_json::json!([{ "path": "one", "mode": "0644", "kind": "text", "bytes": 11 }])
    );
    let phases: Vec<&str> =
        json["steps"].as_array().unwrap().iter().map(|step| step["phase"].as_str().unwrap()).collect();
    for phase in ["proxy", "tls", "token", "challenge", "read"] {
        assert!(phases.contains(&phase), "{phases:?}");
    }
    let tls = json["steps"].as_array().unwrap().iter().find(|step| step["phase"] == "tls").unwrap();
    assert!(tls["issuer"].as_str().is_some_and(|issuer| !issuer.is_empty()), "{tls}");

    let trial = Trial::of(&["nope"]).await;
    let json: Value = serde_json::from_str(stdout(&trial.run(&["--format=json"]).await)).unwrap();
    assert_eq!((&json["mounted"], &json["failure"]["code"]), (&false.into(), &"AKV-NotFound".into()));
    assert_eq!((&json["failure"]["phase"], &json["failure"]["grpc"]), (&"read".into(), &"NotFound".into()));
}

#[tokio::test]
async fn files_are_written_for_their_owner_into_a_new_directory() {
    let trial = Trial::of(&["one", "two"]).await;
    let out = trial.path("out");
    let output = trial.run(&["--write", &out.display().to_string()]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for name in ["one", "two"] {
        assert_eq!(std::fs::read_to_string(out.join(name)).unwrap(), CANARY);
        assert_eq!(std::fs::metadata(out.join(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(entries(&out), 2);
    assert!(stdout(&output).contains("written to "), "{output:?}");

    trial.azure.journal().clear();
    let output = trial.run(&["--write", &out.display().to_string()]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains("the directory is not empty"), "{output:?}");
    assert_eq!(trial.azure.journal().total(), 0, "nothing is asked of Azure");
}

#[tokio::test]
async fn kinds_of_files_are_named() {
    let azure = Azure::with_secrets(&[]).await;
    azure.vaults().put_secret("lab", "json", "{\"password\": \"canary-7f3a\"}");
    azure.vaults().put_secret("lab", "pem", "-----BEGIN CERTIFICATE-----\nTWF5\n-----END CERTIFICATE-----\n");
    azure.vaults().put_secret("lab", "off", "x");
    azure.vaults().set_enabled("lab", ObjectKind::Secret, "off", None, false).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (class, token) = class_and_token(&azure, dir.path(), &["json", "pem"]);
    let output = run_with(&azure, dir.path(), &["try", "-f", &class, "--token-file", &token]).await;
    for part in ["json  0644  27 bytes  JSON\n", "  PEM: certificate\n"] {
        assert!(stdout(&output).contains(part), "no {part:?} in {output:?}");
    }
}

#[tokio::test]
async fn inputs_without_a_result_end_with_one_sentence_and_ask_nothing() {
    let trial = Trial::of(&["one"]).await;
    let tokens: Value =
        serde_json::from_str(&trial.azure.expired_service_account_tokens("default", "app")).unwrap();
    let expired = trial.path("expired");
    std::fs::write(&expired, tokens["api://AzureADTokenExchange"]["token"].as_str().unwrap()).unwrap();
    let other = trial.path("other.yaml");
    let class = std::fs::read_to_string(&trial.class).unwrap();
    std::fs::write(&other, class.replace("provider: azure", "provider: vault")).unwrap();
    let (expired, other) = (expired.display().to_string(), other.display().to_string());
    for (class, token, message) in [
        (&trial.class, &expired, "the pod's token expired at 20"),
        (&trial.class, &trial.class, "not a service-account token"),
        (&other, &trial.token, "is of provider vault, not azure"),
        (&"/no/such/file".to_owned(), &trial.token, "cannot read /no/such/file"),
        (&"-".to_owned(), &"-".to_owned(), "standard input can be only one of"),
    ] {
        let output =
            run_with(&trial.azure, trial.dir.path(), &["try", "-f", class, "--token-file", token]).await;
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stdout(&output).is_empty(), "{output:?}");
        assert_eq!(stderr(&output).lines().count(), 1, "{output:?}");
        assert!(stderr(&output).contains(message), "no {message:?} in {output:?}");
    }
    assert_eq!(trial.azure.journal().total(), 0, "nothing is asked of Azure");
}

#[tokio::test]
async fn a_credential_that_nobody_gave_is_not_blamed_on_the_cluster() {
    const NONE: &[&str] = &[];
    let trial = Trial::of(&["one"]).await;
    let class = std::fs::read_to_string(&trial.class).unwrap();
    let id = "    clientID: cccccccc-0000-0000-0000-000000000002\n";
    let variant = |name: &str, parameters: &str| {
        let path = trial.path(name);
        std::fs::write(&path, class.replace(id, parameters)).unwrap();
        path.display().to_string()
    };
    let binding = variant("binding.yaml", &format!("{id}    useAzureTokenProxy: \"true\"\n"));
    let service_principal = variant("service-principal.yaml", "");
    for (class, token, option) in [
        (
            &trial.class,
            NONE,
            "give --token-file, with the output of `kubectl create token SERVICE-ACCOUNT --namespace default --audience \
             api://AzureADTokenExchange`",
        ),
        (
            &binding,
            &["--token-file", &trial.token],
            "give --token-file, with the output of `kubectl create token app --namespace default --audience \
             api://AKSIdentityBinding`, and --audience api://AKSIdentityBinding",
        ),
        (&service_principal, NONE, "give --client-id and --client-secret-file"),
    ] {
        let with = ["--with", "unix:///no/such/socket"];
        for (tool, options) in [("try", NONE), ("compare", &with)] {
            let arguments = [&[tool, "-f", class][..], token, options].concat();
            let output = run_with(&trial.azure, trial.dir.path(), &arguments).await;
            assert_eq!(output.status.code(), Some(2), "{output:?}");
            assert!(stdout(&output).is_empty(), "{output:?}");
            assert_eq!(stderr(&output).lines().count(), 1, "{output:?}");
            assert!(stderr(&output).starts_with("akv-provider: cannot mount class web: it "), "{output:?}");
            assert!(stderr(&output).ends_with(&format!("; {option}\n")), "no {option:?} in {output:?}");
            assert!(!stderr(&output).contains("CSIDriver"), "{output:?}");
        }
    }
    assert_eq!(trial.azure.journal().total(), 0, "nothing is asked of Azure");
}

#[tokio::test]
async fn a_missing_credential_hides_no_mistake_of_the_class() {
    let trial = Trial::of(&["one"]).await;
    let class = std::fs::read_to_string(&trial.class).unwrap();
    let id = "clientID: cccccccc-0000-0000-0000-000000000002";
    for (class, parts) in [
        (
            class.replace("clientID: ", "clientId: "),
            &["parameter \"clientId\" is unknown (did you mean clientID?)"][..],
        ),
        (
            class.replace(id, "useVmManagedIdentity: \"true\""),
            &["parameter \"useVmManagedIdentity\" is unknown (did you mean useVMManagedIdentity?)"],
        ),
        (
            class.replace(id, "clientID: my-app").replace("objectType: secret", "objectType: secrt"),
            &[
                ": 3 problems: ",
                "clientID: \"my-app\"",
                "no service account token was passed",
                "objects[0].objectType (one): \"secrt\" is unknown",
            ],
        ),
    ] {
        std::fs::write(&trial.class, class).unwrap();
        let output = run_with(&trial.azure, trial.dir.path(), &["try", "-f", &trial.class]).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        for part in parts {
            assert!(stdout(&output).contains(part), "no {part} in {output:?}");
        }
    }
    assert_eq!(trial.azure.journal().total(), 0, "nothing is asked of Azure");
}

#[tokio::test]
async fn a_token_on_standard_input_is_read_as_kubectl_exec_sends_it() {
    let trial = Trial::of(&["one"]).await;
    let (class, token) =
        (std::fs::read_to_string(&trial.class).unwrap(), std::fs::read_to_string(&trial.token).unwrap());
    let output = with_stdin(&trial, &["try", "-f", &trial.class, "--token-file", "-"], &token).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    // As `kubectl create token -o yaml` prints it.
    let request = format!(
        "apiVersion: authentication.k8s.io/v1\nkind: TokenRequest\nspec:\n  audiences:\n  - a\nstatus:\n  \
         expirationTimestamp: \"2026-01-01T00:00:00Z\"\n  token: {token}"
    );
    let output = with_stdin(&trial, &["try", "-f", "-"], &format!("{class}---\n{request}")).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(stdout(&output).contains("subject system:serviceaccount:default:app"), "{output:?}");
}

async fn with_stdin(trial: &Trial, arguments: &[&str], input: &str) -> Output {
    let ca = trial.path("ca.pem");
    std::fs::write(&ca, trial.azure.ca_pem()).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_akv-provider"))
        .args(arguments)
        .env_clear()
        .env("SSL_CERT_FILE", ca)
        .env("HTTPS_PROXY", trial.azure.proxy_url())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    child.wait_with_output().await.unwrap()
}

#[tokio::test]
async fn a_service_principal_is_tried_without_a_pod() {
    let trial = Trial::of(&["one"]).await;
    let class = std::fs::read_to_string(&trial.class).unwrap();
    std::fs::write(&trial.class, class.replace("    clientID: cccccccc-0000-0000-0000-000000000002\n", ""))
        .unwrap();
    for (secret, code, part) in [
        ("s3cr3t~value\n", 0, "the pod would start with 1 file\n"),
        ("wr0ng~value\n", 1, "failed phase: token of login.microsoftonline.com\n"),
    ] {
        let file = trial.path("client-secret");
        std::fs::write(&file, secret).unwrap();
        let (file, id) = (file.display().to_string(), "dddddddd-0000-0000-0000-000000000003");
        let arguments = ["try", "-f", &trial.class, "--client-id", id, "--client-secret-file", &file];
        let output = run_with(&trial.azure, trial.dir.path(), &arguments).await;
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(stdout(&output).contains(part), "no {part:?} in {output:?}");
        assert!(!stdout(&output).contains(secret.trim()), "{output:?}");
    }
}
