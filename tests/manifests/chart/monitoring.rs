//! Alerts and dashboard: every metric exists, Prometheus accepts every expression, and every alert fires.

use std::{collections::BTreeSet, fs, process::Command};

use serde_json::{Value, json};

use crate::{
    kubernetes,
    repository::{documents, path, program, run, text},
};

use super::{CHART, Helm};

fn alerts() -> Value {
    documents(&text(&format!("{CHART}/files/alerts.yaml"))).remove(0)
}

fn rules() -> Vec<Value> {
    alerts()["groups"][0]["rules"].as_array().unwrap().clone()
}

fn dashboard() -> Value {
    serde_json::from_str(&text(&format!("{CHART}/files/dashboard.json"))).unwrap()
}

/// Returns the expressions of all panels and variables in the dashboard, or in a part of it.
fn queries(dashboard: &Value) -> Vec<String> {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match value {
                        Value::String(text) if key == "expr" || key == "query" => found.push(text.clone()),
                        other => walk(other, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(dashboard, &mut found);
    // The kind of data source, which is no expression.
    found.retain(|query| query != "prometheus");
    found
}

/// Returns the metrics of an expression. Ours begin with a known prefix, and `up` is Prometheus' own.
fn metrics(expression: &str) -> BTreeSet<&str> {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let ours = ["akv_", "grpc_request", "keyvault_request", "process_"];
    expression
        .split(|letter| !is_name(letter))
        .filter(|word| ours.iter().any(|prefix| word.starts_with(prefix)))
        .collect()
}

#[test]
fn every_metric_of_alerts_dashboard_and_documentation_exists() {
    let page = text("docs/metrics.md");
    let known = |metric: &str| {
        let histogram = ["_count", "_sum", "_bucket"].iter().find_map(|suffix| metric.strip_suffix(suffix));
        [Some(metric), histogram].into_iter().flatten().any(|name| page.contains(&format!("`{name}`")))
    };
    let rules: Vec<String> = rules().iter().map(|rule| rule["expr"].as_str().unwrap().to_owned()).collect();
    let mut named = 0;
    for expression in rules.iter().chain(&queries(&dashboard())) {
        // The labels of a query may have any name, but a metric comes before them.
        let found: Vec<&str> =
            metrics(expression).into_iter().filter(|word| *word != "grpc_method").collect();
        assert!(!found.is_empty(), "{expression} names no metric of the provider");
        for metric in found {
            assert!(known(metric), "{metric} of {expression} is not in docs/metrics.md");
            named += 1;
        }
    }
    assert!(named > 20, "{named} metrics");
    // The page describes what the provider exports: each metric with a sample before the first mount is there.
    let exported = akv_provider::metrics::Metrics::new(false).page();
    for line in exported.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let metric = line.split(' ').next().unwrap();
        assert!(known(metric), "{metric} is exported and not in docs/metrics.md");
    }
}

/// The metrics of the page's tables. Those of the process have no table.
#[test]
fn every_metric_of_the_provider_has_a_panel() {
    let page = text("docs/metrics.md");
    let (tables, _) = page.split_once("\n## Alerts\n").unwrap();
    let documented: BTreeSet<&str> =
        tables.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert!(documented.len() > 15, "{documented:?}");
    let queries = queries(&dashboard()["panels"]);
    let shown: BTreeSet<&str> = queries
        .iter()
        .flat_map(|query| metrics(query))
        .map(|metric| {
            let histogram =
                ["_count", "_sum", "_bucket"].iter().find_map(|suffix| metric.strip_suffix(suffix));
            histogram.unwrap_or(metric)
        })
        .collect();
    let missing: Vec<_> = documented.difference(&shown).collect();
    assert!(missing.is_empty(), "no panel shows {missing:?}");
}

#[test]
fn panels_have_ids_of_their_own_and_do_not_overlap() {
    let dashboard = dashboard();
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = &panel["title"];
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title} has the id of another panel");
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{title} is beside the grid");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{title} overlaps another panel");
            }
        }
    }
}

#[test]
fn every_alert_has_a_severity_a_summary_and_a_line_in_the_documentation() {
    let page = text("docs/metrics.md");
    for rule in rules() {
        let name = rule["alert"].as_str().unwrap();
        assert!(page.contains(&format!("\n| `{name}` |")), "{name} is not documented");
        assert!(["warning", "critical"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
        for text in ["summary", "description"] {
            assert!(rule["annotations"][text].as_str().is_some_and(|text| text.len() > 10), "{name}: {text}");
        }
    }
}

#[test]
fn the_rules_and_the_dashboard_arrive_in_the_cluster_as_they_are_in_the_chart() {
    let Some(helm) = Helm::find() else { return };
    let values = json!({"prometheusRule": {"enabled": true}, "dashboard": {"enabled": true}});
    let objects = helm.render(&values).unwrap();
    assert_eq!(kubernetes::one(&objects, "PrometheusRule")["spec"], alerts());
    let dashboard = kubernetes::one(&objects, "ConfigMap");
    assert_eq!(dashboard["metadata"]["labels"]["grafana_dashboard"], "1");
    assert_eq!(dashboard["data"]["akv-provider.json"], text(&format!("{CHART}/files/dashboard.json")));
}

/// promtool reads the rules as Prometheus does, and then plays time series to them.
#[test]
fn prometheus_accepts_every_rule_and_each_fires_when_it_should() {
    let Some(promtool) = program("promtool", "PROMTOOL") else { return };
    let rules = path(&format!("{CHART}/files/alerts.yaml"));
    run(Command::new(&promtool).args(["check", "rules"]).arg(rules)).unwrap();
    let tests = path("tests/manifests/chart/alerts_test.yaml");
    run(Command::new(promtool).args(["test", "rules"]).arg(tests)).unwrap();
    let tested = text("tests/manifests/chart/alerts_test.yaml");
    for rule in self::rules() {
        let name = rule["alert"].as_str().unwrap();
        assert!(tested.contains(&format!("alertname: {name}\n")), "{name} is not tested");
    }
}

/// A dashboard's expressions have Grafana's variables, so they are checked as recording rules without them.
#[test]
fn prometheus_accepts_every_expression_of_the_dashboard() {
    let Some(promtool) = program("promtool", "PROMTOOL") else { return };
    let expressions = queries(&dashboard()).into_iter().filter(|query| !query.starts_with("label_values("));
    let rules: Vec<Value> = expressions
        .enumerate()
        .map(|(i, query)| {
            let query = query.replace("$__rate_interval", "5m").replace("$namespace", ".*");
            json!({"record": format!("panel:{i}"), "expr": query})
        })
        .collect();
    assert!(rules.len() > 10, "{} panels", rules.len());
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), json!({"groups": [{"name": "panels", "rules": rules}]}).to_string()).unwrap();
    run(Command::new(promtool).args(["check", "rules"]).arg(file.path())).unwrap();
}
