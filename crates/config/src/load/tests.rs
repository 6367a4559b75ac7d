//! Layers, names of variables, errors and secrets.

use serde_json::json;

use super::{ConfigError, Layers, Source, load, masked, variable};

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn flags_beat_the_environment_which_beats_the_file_which_beats_defaults() {
    let layers = Layers {
        flags: vec![("api.listen", json!("127.0.0.1:1"))],
        environment: environment(&[
            ("GAMEPIPE_API_LISTEN", "127.0.0.1:2"),
            ("GAMEPIPE_SQL_LISTEN", "127.0.0.1:3"),
            ("PATH", "/bin"),
            ("GAMEPIPE_API", "http://127.0.0.1:9"),
        ]),
        file: Some((
            "gamepipe.yaml".to_owned(),
            "api: {listen: '127.0.0.1:4', maxInFlight: 7}\nsql: {listen: '127.0.0.1:5'}\n"
                .to_owned(),
        )),
        presumed: vec![("lake.path", json!("data/lake"))],
    };
    let effective = load(&layers).unwrap();
    let settings = &effective.settings;
    assert_eq!(settings.api.listen, "127.0.0.1:1");
    assert_eq!(settings.sql.listen, "127.0.0.1:3");
    assert_eq!(settings.api.max_in_flight, 7);
    assert_eq!(settings.lake.path, "data/lake");
    assert_eq!(settings.api.max_body_bytes, 1 << 20);
    assert_eq!(effective.source("api.listen"), Source::Flag);
    assert_eq!(effective.source("sql.listen"), Source::Environment);
    assert_eq!(effective.source("api.maxInFlight"), Source::File);
    assert_eq!(effective.source("lake.path"), Source::Default);
    let api = effective
        .lines()
        .into_iter()
        .find(|line| line.starts_with("api: "))
        .unwrap();
    assert!(
        api.contains("listen=127.0.0.1:1 (flag)") && api.contains("maxInFlight=7 (file)"),
        "{api}"
    );
}

#[test]
fn an_unknown_field_of_a_file_is_told_with_its_line_and_a_near_name() {
    let text = "sql:\n  maxRows: 10\napi:\n  lisen: '127.0.0.1:1'\n";
    let layers = Layers {
        file: Some(("my.yaml".to_owned(), text.to_owned())),
        ..Layers::default()
    };
    let error = load(&layers).unwrap_err().to_string();
    assert!(
        error.contains("my.yaml:4:") && error.contains("`listen`"),
        "{error}"
    );
}

#[test]
fn an_unknown_variable_is_an_error_and_a_service_link_is_not() {
    let wrong = |name: &str| {
        load(&Layers {
            environment: environment(&[(name, "tcp://10.0.0.1:5000")]),
            ..Layers::default()
        })
    };
    let error = wrong("GAMEPIPE_API_LISTN").unwrap_err().to_string();
    assert!(error.contains("GAMEPIPE_API_LISTEN"), "{error}");
    assert!(wrong("GAMEPIPE_API_PORT_5000_TCP_ADDR").is_ok());
    assert!(wrong("GAMEPIPE_API_SERVICE_HOST").is_ok());
    assert!(wrong("GAMEPIPE_FAILPOINTS").is_ok());
}

#[test]
fn a_number_must_be_one() {
    let layers = Layers {
        environment: environment(&[("GAMEPIPE_SQL_MAX_ROWS", "many")]),
        ..Layers::default()
    };
    assert!(matches!(
        load(&layers),
        Err(ConfigError::WrongValue {
            expected: "a whole number",
            ..
        })
    ));
}

#[test]
fn an_empty_file_changes_nothing() {
    for text in ["", "# nothing\n", "api: {}\n"] {
        let layers = Layers {
            file: Some(("empty.yaml".to_owned(), text.to_owned())),
            ..Layers::default()
        };
        assert_eq!(
            load(&layers).unwrap(),
            load(&Layers::default()).unwrap(),
            "{text:?}"
        );
    }
}

#[test]
fn a_variable_is_its_path_in_capitals() {
    assert_eq!(
        variable("streamer.commitIntervalMs"),
        "GAMEPIPE_STREAMER_COMMIT_INTERVAL_MS"
    );
}

#[test]
fn secrets_are_masked() {
    assert_eq!(masked("apiToken", &json!("abc")), "***");
    assert_eq!(
        masked("url", &json!("redis://user:pass@host:1")),
        "redis://***@host:1"
    );
    assert_eq!(masked("listen", &json!("127.0.0.1:1")), "127.0.0.1:1");
}
