//! The driver's call for one class, made of options instead of a pod.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::{
    parameters::{self, MountTexts, ParametersError},
    proto::MountRequest,
    spec::{
        MountSpec,
        identity::{BINDING_AUDIENCE, ENTRA_AUDIENCE, ServiceAccountToken},
        sensitive::Sensitive,
    },
};

use super::{
    class::{
        Class,
        node::{Documents, Node, SyntaxError},
        source::Source,
    },
    command::ClassAndPod,
    input::{self, InputError, is_stdin},
    pod_token::{self, PodToken},
};

/// A class that cannot be mounted, or a pod that cannot be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    /// A file cannot be read.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Several options read standard input.
    #[error(
        "standard input can be only one of the class, the token and the client secret; give files for the others"
    )]
    StdinTwice,
    /// The file is not YAML.
    #[error("{name}:{position}: not YAML: {error}")]
    Syntax {
        /// The file.
        name: String,
        /// The place of the error.
        position: String,
        /// The reason.
        error: SyntaxError,
    },
    /// The text of the token is something else.
    #[error("{}: not a service-account token (a JSON Web Token); `kubectl create token` makes one", path.display())]
    NotAToken {
        /// The file of the token.
        path: PathBuf,
    },
    /// The file has no class.
    #[error("{name} has no SecretProviderClass{}", wanted.as_ref().map(|wanted| format!(" named {wanted}")).unwrap_or_default())]
    NoClass {
        /// The file.
        name: String,
        /// `--class`
        wanted: Option<String>,
    },
    /// The file has several classes.
    #[error("{name} has several classes of provider {provider}; choose one with --class: {}", classes.join(", "))]
    SeveralClasses {
        /// The file.
        name: String,
        /// `--provider-name`
        provider: String,
        /// The names of the classes, some of many.
        classes: Vec<String>,
    },
    /// The class is for another provider.
    #[error("class {class} is of provider {actual}, not {wanted}; --provider-name={actual} takes it anyway")]
    OtherProvider {
        /// The class.
        class: String,
        /// Its provider.
        actual: String,
        /// `--provider-name`
        wanted: String,
    },
    /// A parameter of the class is not a text.
    #[error("{name}:{position}: parameter {key} must be a text; the API server refuses other values")]
    NotText {
        /// The file.
        name: String,
        /// The place of the value.
        position: String,
        /// The parameter.
        key: String,
    },
    /// The class needs a token that no option gives.
    #[error(
        "cannot mount class {class}: it needs a service-account token for audience {audience}; give {options}"
    )]
    NoToken {
        /// The class.
        class: String,
        /// The audience of its identity mode.
        audience: &'static str,
        /// The options to give.
        options: String,
    },
    /// The class needs the Secret of nodePublishSecretRef, and no option gives it.
    #[error(
        "cannot mount class {class}: it has no clientID and no managed identity, so it needs the Secret of \
         nodePublishSecretRef; give --client-id and --client-secret-file"
    )]
    NoSecret {
        /// The class.
        class: String,
    },
}

/// A class with the request for it.
#[derive(Debug)]
pub(crate) struct ClassRequest {
    /// `metadata.name`, or `(unnamed)`.
    pub(crate) class: String,
    /// The driver's call.
    pub(crate) request: MountRequest,
    /// The claims of the pod's token, if there is one.
    pub(crate) token: Option<PodToken>,
}

/// Builds the call that the driver would make for a new pod.
///
/// # Errors
/// The class cannot be read or chosen, or it needs a credential that no option gives.
pub(crate) fn build(options: &ClassAndPod) -> Result<ClassRequest, RequestError> {
    let files = [Some(&options.file), options.token_file.as_ref(), options.client_secret_file.as_ref()];
    if files.into_iter().flatten().filter(|path| is_stdin(path)).count() > 1 {
        return Err(RequestError::StdinTwice);
    }
    let source = input::source(&options.file)?;
    let stream = Stream::read(&source)?;
    let class = choose(stream.classes, &source, options)?;
    let mut attributes = parameters(&source, &class)?;
    let token = match &options.token_file {
        Some(path) => Some((path, input::secret(path)?)),
        None => stream.token.map(|token| (&options.file, token)),
    };
    let mut claims = None;
    if let Some((path, token)) = token {
        attributes.insert(TOKENS.to_owned(), tokens(&options.audience, token.expose()));
        let not_a_token = || RequestError::NotAToken { path: path.clone() };
        claims = Some(PodToken::of(&ServiceAccountToken::new(token)).ok_or_else(not_a_token)?);
    }
    let account = claims.as_ref().and_then(PodToken::service_account);
    let namespace = options
        .namespace
        .as_deref()
        .or(account.map(|(namespace, _)| namespace))
        .or(class.namespace())
        .unwrap_or("default");
    let name = options.service_account.as_deref().or(account.map(|(_, name)| name)).unwrap_or("default");
    for (key, value) in [
        ("csi.storage.k8s.io/pod.name", POD),
        ("csi.storage.k8s.io/pod.namespace", namespace),
        ("csi.storage.k8s.io/pod.uid", POD_UID),
        ("csi.storage.k8s.io/serviceAccount.name", name),
    ] {
        attributes.insert(key.to_owned(), value.into());
    }
    let (attributes, secrets) = (Value::Object(attributes), secrets(options)?);
    let class = class.name().unwrap_or("(unnamed)").to_owned();
    match missing(&attributes, &secrets, options, claims.is_some()) {
        None => {}
        Some(Missing::Secret) => return Err(RequestError::NoSecret { class }),
        Some(Missing::Token(audience)) => {
            let account = options.service_account.as_deref().or(account.map(|(_, name)| name));
            let command = pod_token::create(namespace, account.unwrap_or("SERVICE-ACCOUNT"), audience);
            return Err(RequestError::NoToken {
                class,
                audience,
                options: for_token(audience, &command, options),
            });
        }
    }
    let request = MountRequest {
        attributes: attributes.to_string(),
        secrets,
        // Two providers must not take the mount for a republish of each other's volume.
        target_path: PathBuf::from("/").join(POD).display().to_string(),
        permission: PERMISSION.to_owned(),
        current_object_version: Vec::new(),
    };
    Ok(ClassRequest { class, request, token: claims })
}

/// The pod's name and uid. No cluster knows them.
const POD: &str = "akv-provider-tool";
const POD_UID: &str = "00000000-0000-0000-0000-000000000000";

/// The driver's default mode, 0644.
const PERMISSION: &str = "420";

/// The attribute with the pod's tokens.
const TOKENS: &str = "csi.storage.k8s.io/serviceAccount.tokens";

/// Returns the attribute of one token, as kubelet makes it.
fn tokens(audience: &str, token: &str) -> Value {
    json!({ audience: { "token": token } }).to_string().into()
}

/// A credential that a class needs, and that no option gives.
enum Missing {
    /// A service-account token for an audience.
    Token(&'static str),
    /// The Secret of nodePublishSecretRef.
    Secret,
}

/// Returns the credential that is all that a mount lacks. In a mount without it, the provider would report a fault of the
/// cluster, which the tools have not asked.
///
/// A class with mistakes of its own lacks more than a credential. Its mount fails with all problems in one message.
fn missing(attributes: &Value, secrets: &str, options: &ClassAndPod, has_token: bool) -> Option<Missing> {
    if parse(attributes, secrets).is_ok() {
        return None;
    }
    // A misspelt parameter may be what selects another identity, so the credential is not what is missing.
    let suffices = |attributes: &Value, secrets: &str| {
        parse(attributes, secrets).is_ok_and(|spec| spec.misspellings.is_empty())
    };
    let any_secret = json!({ "clientid": "any", "clientsecret": "any" }).to_string();
    if options.client_id.is_none() && suffices(attributes, &any_secret) {
        return Some(Missing::Secret);
    }
    let token_suffices = |audience: &&'static str| {
        let mut attributes = attributes.clone();
        attributes[TOKENS] = tokens(audience, "any");
        suffices(&attributes, secrets)
    };
    let audience = [ENTRA_AUDIENCE, BINDING_AUDIENCE].into_iter().find(token_suffices)?;
    // The provider tells what is wrong with a token that was given.
    (!has_token || audience != options.audience).then_some(Missing::Token(audience))
}

fn parse(attributes: &Value, secrets: &str) -> Result<MountSpec, ParametersError> {
    let attributes = attributes.to_string();
    parameters::parse(MountTexts { attributes: &attributes, secrets, permission: PERMISSION })
}

/// Returns the options that give a token for this audience. `command` makes one.
fn for_token(audience: &str, command: &str, options: &ClassAndPod) -> String {
    let mut wanted = format!("--token-file, with the output of `{command}`");
    if options.audience != audience {
        wanted += &format!(", and --audience {audience}");
    }
    if options.client_id.is_some() && options.client_secret_file.is_none() {
        wanted += "; or --client-secret-file, if the class is for a service principal";
    }
    wanted
}

/// What a stream of YAML has for a mount.
struct Stream {
    classes: Vec<Class>,
    /// The token of a TokenRequest (<https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/>),
    /// as `kubectl create token -o yaml` prints it: so one stream carries both through `kubectl exec -i`.
    token: Option<Sensitive<String>>,
}

impl Stream {
    fn read(source: &Source) -> Result<Self, RequestError> {
        let mut stream = Self { classes: Vec::new(), token: None };
        for document in Documents::of(&source.text) {
            let document = document.map_err(|error| RequestError::Syntax {
                name: source.name.clone(),
                position: source.position(error.offset).to_string(),
                error,
            })?;
            if document.get("kind").and_then(Node::scalar) == Some("TokenRequest") {
                let token = document.get("status").and_then(|status| status.get("token")?.scalar());
                stream.token = token.map(|token| Sensitive::new(token.to_owned()));
            }
            stream.classes.extend(Class::all_of(document));
        }
        Ok(stream)
    }
}

fn choose(mut classes: Vec<Class>, source: &Source, options: &ClassAndPod) -> Result<Class, RequestError> {
    let name = || source.name.clone();
    let wanted = options.class.as_deref();
    classes.retain(|class| wanted.is_none() || class.name() == wanted);
    let of_provider = |class: &&Class| class.provider().is_some_and(|name| name == options.provider_name);
    let mut matching = classes.iter().filter(of_provider);
    match (matching.next(), matching.count(), classes.first()) {
        (Some(class), 0, _) => Ok(class.clone()),
        (Some(_), _, _) => Err(RequestError::SeveralClasses {
            name: name(),
            provider: options.provider_name.clone(),
            classes: classes
                .iter()
                .filter(of_provider)
                .filter_map(Class::name)
                .take(20)
                .map(str::to_owned)
                .collect(),
        }),
        (None, _, Some(other)) => Err(RequestError::OtherProvider {
            class: other.name().unwrap_or("(unnamed)").to_owned(),
            actual: other.provider().unwrap_or("(none)").to_owned(),
            wanted: options.provider_name.clone(),
        }),
        (None, _, None) => Err(RequestError::NoClass { name: name(), wanted: options.class.clone() }),
    }
}

fn parameters(source: &Source, class: &Class) -> Result<Map<String, Value>, RequestError> {
    class
        .parameters()
        .iter()
        .map(|(key, value)| {
            let key = key.scalar().unwrap_or_default().to_owned();
            match value.scalar().filter(|_| value.is_text()) {
                Some(text) => Ok((key, Value::from(text))),
                None => Err(RequestError::NotText {
                    name: source.name.clone(),
                    position: source.position(value.span.start).to_string(),
                    key,
                }),
            }
        })
        .collect()
}

/// Returns the Secret of nodePublishSecretRef, as JSON.
fn secrets(options: &ClassAndPod) -> Result<String, RequestError> {
    let Some(client_id) = &options.client_id else { return Ok("{}".to_owned()) };
    let mut secrets = Map::from_iter([("clientid".to_owned(), Value::from(client_id.as_str()))]);
    if let Some(file) = &options.client_secret_file {
        secrets.insert("clientsecret".to_owned(), input::secret(file)?.expose().as_str().into());
    }
    Ok(Value::Object(secrets).to_string())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{
        super::command::{CommandLine, Tool},
        *,
    };

    /// Builds the call of `try` with these options, for a class of these parameters.
    fn build_for(parameters: &str, options: &[&str]) -> Result<ClassRequest, RequestError> {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let class = write(
            "class.yaml",
            &format!(
                "apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata: {{name: web, namespace: shop}}\n\
                 spec:\n  provider: azure\n  parameters:\n    keyvaultName: lab\n    {parameters}\n    \
                 objects: '[{{objectName: one, objectType: secret}}]'\n"
            ),
        );
        let secret = write("secret", "s3cr3t\n");
        let mut arguments = vec!["akv-provider", "try", "-f", &class];
        arguments
            .extend(options.iter().map(|option| if *option == "SECRET" { secret.as_str() } else { *option }));
        let Tool::Try(options) = CommandLine::try_parse_from(arguments).unwrap().tool else { panic!() };
        build(&options.mount)
    }

    const ID: &str = "cccccccc-0000-0000-0000-000000000002";
    const NONE: &[&str] = &[];

    #[test]
    fn classes_that_need_no_token_are_mounted_without_one() {
        for (parameters, options) in [
            ("useVMManagedIdentity: \"true\"", NONE),
            ("usePodIdentity: \"true\"", NONE),
            ("tenantID: adfs", &["--client-id", ID, "--client-secret-file", "SECRET"]),
        ] {
            let built = build_for(parameters, options);
            assert!(built.is_ok_and(|built| built.token.is_none()), "{parameters}");
        }
    }

    #[test]
    fn a_credential_that_no_option_gives_is_asked_for_by_its_option() {
        let workload = format!("clientID: {ID}");
        let workload = workload.as_str();
        let binding = format!("{workload}\n    useAzureTokenProxy: \"true\"");
        let token = |service_account: &str, audience: &str| {
            format!(
                "cannot mount class web: it needs a service-account token for audience {audience}; give --token-file, with \
                 the output of `kubectl create token {service_account} --namespace shop --audience {audience}`"
            )
        };
        let or_secret = "; or --client-secret-file, if the class is for a service principal";
        for (parameters, options, expected) in [
            (workload, NONE, token("SERVICE-ACCOUNT", ENTRA_AUDIENCE)),
            (workload, &["--service-account=app"], token("app", ENTRA_AUDIENCE)),
            (
                binding.as_str(),
                NONE,
                token("SERVICE-ACCOUNT", BINDING_AUDIENCE) + ", and --audience api://AKSIdentityBinding",
            ),
            (
                binding.as_str(),
                &["--audience=api://AKSIdentityBinding"],
                token("SERVICE-ACCOUNT", BINDING_AUDIENCE),
            ),
            (
                "tenantID: adfs",
                &["--client-id", ID],
                token("SERVICE-ACCOUNT", ENTRA_AUDIENCE) + or_secret,
            ),
            (
                "tenantID: adfs",
                NONE,
                "cannot mount class web: it has no clientID and no managed identity, so it needs the Secret of \
                 nodePublishSecretRef; give --client-id and --client-secret-file"
                    .to_owned(),
            ),
        ] {
            let error = build_for(parameters, options).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    /// Only a mount shows all problems of a class at once.
    #[test]
    fn a_class_with_mistakes_is_mounted_without_a_credential() {
        let workload = format!("clientID: {ID}\n    ");
        for parameters in [
            "useVMManagedIdentity: \"maybe\"",
            "useVmManagedIdentity: \"true\"",
            &format!("clientId: {ID}"),
            "clientID: my-app",
            &format!("{workload}cloudName: MoonCloud"),
            &format!("{workload}usePodidentity: \"true\""),
            "useAzureTokenProxy: \"true\"",
        ] {
            let built = build_for(parameters, NONE);
            assert!(built.as_ref().is_ok_and(|built| built.token.is_none()), "{parameters}: {built:?}");
        }
    }
}
