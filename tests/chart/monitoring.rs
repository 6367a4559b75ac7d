//! Dashboards and alerts: that they ask for metrics that there are, and that somebody who is woken finds what to do.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use gamepipe_tests::Start;
use serde_json::Value;

use crate::documents::yaml;
use crate::helm::{chart, root};

/// Where the guide is that the alerts point to.
const GUIDE: &str = "docs/guides/kubernetes.md";

fn dashboards() -> Result<BTreeMap<String, Value>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(chart().join("files/dashboards"))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read_to_string(&path)?;
        found.insert(
            name,
            serde_json::from_str(&text).with_context(|| path.display().to_string())?,
        );
    }
    Ok(found)
}

fn alerts() -> Result<Vec<Value>> {
    let file = yaml(&std::fs::read_to_string(chart().join("files/alerts.yaml"))?)?;
    let groups = file["groups"].as_array().into_iter().flatten();
    Ok(groups
        .flat_map(|group| group["rules"].as_array().into_iter().flatten().cloned())
        .collect())
}

/// Every expression of a dashboard.
fn expressions(dashboard: &Value) -> Vec<String> {
    let texts = |list: &Value, field: &str| -> Vec<String> {
        let items = list.as_array().into_iter().flatten();
        items
            .filter_map(|item| item[field].as_str())
            .map(str::to_owned)
            .collect()
    };
    let panels = dashboard["panels"].as_array().into_iter().flatten();
    let mut found: Vec<String> = panels
        .flat_map(|panel| texts(&panel["targets"], "expr"))
        .collect();
    found.extend(texts(&dashboard["templating"]["list"], "definition"));
    found
}

/// The metrics of gamepipe that an expression names.
fn names(expression: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = expression.split(|letter| !is_part(letter));
    words
        .filter(|word| word.starts_with("gamepipe_"))
        .map(str::to_owned)
        .collect()
}

/// Metrics that the chart asks for: those of the operator, and those of the roles.
fn asked() -> Result<(BTreeSet<String>, BTreeSet<String>)> {
    let mut all = BTreeSet::new();
    for dashboard in dashboards()?.values() {
        all.extend(
            expressions(dashboard)
                .iter()
                .flat_map(|expression| names(expression)),
        );
    }
    for alert in alerts()? {
        all.extend(names(
            alert["expr"].as_str().context("an alert without expr")?,
        ));
    }
    Ok(all
        .into_iter()
        .partition(|name| name.starts_with("gamepipe_operator_")))
}

/// What Prometheus makes of a `/metrics`: the names of the series.
fn series(metrics: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in metrics.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let ["#", "TYPE", name, kind] = words.as_slice() else {
            continue;
        };
        let suffixes: &[&str] = match *kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            "info" => &["_info"],
            _ => &[""],
        };
        found.extend(suffixes.iter().map(|suffix| format!("{name}{suffix}")));
    }
    found
}

#[test]
fn dashboards_and_alerts_ask_for_what_the_roles_count_and_leave_nothing_out() -> Result<()> {
    let platform = Start::game("arena").up()?;
    let (api, sql) = (platform.api()?, platform.sql()?);
    // A counter with labels is there once something was counted.
    api.post_json(
        "/v1/events",
        &serde_json::json!({"event_type": "unheard_of"}),
    )?;
    api.get("/initialize?username=ann")?;
    sql.rows("SELECT 1")?;
    let mut known = series(&api.get("/metrics")?.text());
    known.extend(series(&sql.get("/metrics")?.text()));
    let (_, asked) = asked()?;
    let unknown: Vec<&String> = asked.difference(&known).collect();
    assert!(
        unknown.is_empty(),
        "no role counts {unknown:?}; there are {known:?}"
    );
    let is_shown = |name: &&String| {
        let base = name
            .trim_end_matches("_sum")
            .trim_end_matches("_count")
            .trim_end_matches("_bucket");
        asked.iter().any(|asked| asked.starts_with(base))
    };
    let hidden: Vec<&String> = known.iter().filter(|name| !is_shown(name)).collect();
    assert!(hidden.is_empty(), "no dashboard shows {hidden:?}");
    Ok(())
}

#[test]
fn dashboards_and_alerts_ask_for_what_the_operator_counts() -> Result<()> {
    let path = "operator/src/controller/metrics.rs";
    let source = std::fs::read_to_string(root().join(path)).with_context(|| path.to_owned())?;
    let (used, _) = asked()?;
    assert!(used.len() >= 8, "{used:?}");
    for name in &used {
        let name = name.trim_start_matches("gamepipe_operator_");
        let registered = ["_total", "_bucket", "_info", ""].iter().any(|suffix| {
            let base = name.strip_suffix(suffix);
            base.is_some_and(|base| source.contains(&format!("\"{base}\"")))
        });
        assert!(registered, "{path} registers no {name}");
    }
    // The first text in a call of register is the name.
    for call in source.split("registry.register(").skip(1) {
        let name = call.split('"').nth(1).unwrap_or_default();
        let shown = format!("gamepipe_operator_{name}");
        let is_shown = used.iter().any(|used| used.starts_with(&shown));
        assert!(is_shown, "no dashboard shows {shown}");
    }
    Ok(())
}

/// What a heading is called in a link to it.
fn anchor(heading: &str) -> String {
    let letters = heading.trim_start_matches('#').trim().to_lowercase();
    letters
        .chars()
        .filter(|letter| letter.is_alphanumeric() || *letter == '-' || *letter == ' ')
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

#[test]
fn every_alert_says_what_it_means_and_where_the_guide_goes_on() -> Result<()> {
    let guide = std::fs::read_to_string(root().join(GUIDE))?;
    let headings: BTreeSet<String> = guide
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(anchor)
        .collect();
    let mut seen = BTreeSet::new();
    for alert in alerts()? {
        let name = alert["alert"]
            .as_str()
            .context("an alert without a name")?
            .to_owned();
        let severity = &alert["labels"]["severity"];
        assert!(
            severity == "warning" || severity == "critical",
            "{name}: {severity}"
        );
        assert!(alert["for"].is_string(), "{name}: how long?");
        for field in ["summary", "description", "runbook"] {
            assert!(
                alert["annotations"][field].is_string(),
                "{name}: no {field}"
            );
        }
        let runbook = alert["annotations"]["runbook"].as_str().unwrap_or_default();
        let link = runbook.split(": ").next().unwrap_or_default();
        let heading = link
            .strip_prefix(GUIDE)
            .and_then(|rest| rest.strip_prefix('#'));
        assert!(
            heading.is_some_and(|heading| headings.contains(heading)),
            "{name}: {link}"
        );
        assert!(seen.insert(name.clone()), "{name} is there twice");
    }
    assert!(seen.len() >= 6, "{seen:?}");
    Ok(())
}

#[test]
fn panels_have_ids_of_their_own_and_do_not_overlap() -> Result<()> {
    for (name, dashboard) in dashboards()? {
        let mut ids = BTreeSet::new();
        let mut cells = BTreeSet::new();
        let panels = dashboard["panels"].as_array().context("no panels")?;
        for panel in panels {
            let title = &panel["title"];
            assert!(ids.insert(panel["id"].to_string()), "{name}: {title}");
            let at = |field: &str| panel["gridPos"][field].as_u64().unwrap_or(99);
            assert!(at("x") + at("w") <= 24, "{name}: {title}");
            for cell in (0..at("w")).flat_map(|x| (0..at("h")).map(move |y| (x, y))) {
                let cell = (cell.0 + at("x"), cell.1 + at("y"));
                assert!(cells.insert(cell), "{name}: {title} is on another panel");
            }
            let is_row = panel["type"] == "row";
            assert!(
                is_row || panel["datasource"]["uid"] == "${datasource}",
                "{name}: {title}"
            );
        }
        assert!(panels.len() > 10, "{name}");
    }
    Ok(())
}

#[test]
fn the_guide_knows_every_reason() -> Result<()> {
    let path = "operator/src/crd/status.rs";
    let source = std::fs::read_to_string(root().join(path)).with_context(|| path.to_owned())?;
    let guide = std::fs::read_to_string(root().join(GUIDE))?;
    let (_, list) = source
        .split_once("    Reason {")
        .context("no list of reasons")?;
    let words: Vec<&str> = list
        .lines()
        .take_while(|line| line.trim() != "}")
        .filter_map(|line| line.trim().strip_suffix(','))
        .filter(|word| word.chars().all(char::is_alphabetic))
        .collect();
    assert!(words.len() > 20, "{words:?}");
    for word in words {
        assert!(
            guide.contains(&format!("`{word}`")),
            "{GUIDE} does not know the reason {word}"
        );
    }
    Ok(())
}
