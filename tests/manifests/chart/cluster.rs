//! A stand-in for an API server: as much as Helm's `lookup` asks for.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use serde_json::{Value, json};

/// The kinds that it serves: API, resource, kind, and whether objects have a namespace.
const KINDS: [(&str, &str, &str, bool); 3] = [
    ("/api/v1", "namespaces", "Namespace", false),
    ("/apis/apps/v1", "daemonsets", "DaemonSet", true),
    ("/apis/storage.k8s.io/v1", "csidrivers", "CSIDriver", false),
];

/// A server with a set of objects. It stops when it is dropped.
pub(super) struct Cluster {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl Cluster {
    /// Starts a server with these objects, and the namespace kube-system, which every cluster has.
    pub(super) fn with(objects: &[Value]) -> Self {
        let mut answers = BTreeMap::from([("/version".to_owned(), json!({"major": "1", "minor": "33"}))]);
        for (api, resource, kind, namespaced) in KINDS {
            let version = api.trim_start_matches("/apis/").trim_start_matches("/api/");
            let resource =
                json!({"name": resource, "kind": kind, "namespaced": namespaced, "verbs": ["get"]});
            let list = json!({"kind": "APIResourceList", "groupVersion": version, "resources": [resource]});
            answers.insert(api.to_owned(), list);
        }
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}});
        for object in objects.iter().chain([&namespace]) {
            answers.insert(path_of(object), object.clone());
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::<AtomicBool>::default();
        let stop = Arc::clone(&stopped);
        let server = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                // A client that went away needs no answer.
                let _ = answer(stream, &answers);
            }
        });
        Self { address, stopped, server: Some(server) }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

fn path_of(object: &Value) -> String {
    let (api, resource, _, namespaced) =
        KINDS.iter().find(|kind| object["kind"] == kind.2).expect("a kind that is served");
    let name = object["metadata"]["name"].as_str().unwrap();
    if *namespaced {
        format!("{api}/namespaces/{}/{resource}/{name}", object["metadata"]["namespace"].as_str().unwrap())
    } else {
        format!("{api}/{resource}/{name}")
    }
}

fn answer(stream: TcpStream, answers: &BTreeMap<String, Value>) -> std::io::Result<()> {
    let mut lines = BufReader::new(&stream).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
    let (status, body) = match answers.get(path) {
        Some(object) => ("200 OK", object.clone()),
        None => (
            "404 Not Found",
            json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}),
        ),
    };
    let body = body.to_string();
    write!(
        &stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
