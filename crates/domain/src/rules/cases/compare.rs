//! What a case expects against what was decided.

use serde_json::Value as Json;

use super::{Case, ExpectedOutcome, counter_id, entity_id};
use crate::entity::{EntityId, Snapshot};
use crate::event::Event;
use crate::rules::{Decision, Outcome};

impl Case {
    /// `detail` says why the outcome was what it was.
    pub(super) fn check_outcome(
        &self,
        wrong: &mut Vec<String>,
        found: ExpectedOutcome,
        detail: &str,
    ) {
        if found != self.expect.outcome {
            let why = match detail {
                "" => String::new(),
                detail => format!(" ({detail})"),
            };
            let expected = self.expect.outcome.name();
            wrong.push(format!(
                "outcome: expected {expected}, found {}{why}",
                found.name()
            ));
        }
    }

    pub(super) fn check_code(&self, wrong: &mut Vec<String>, code: &str, message: &str) {
        if let Some(expected) = self
            .expect
            .code
            .as_ref()
            .filter(|expected| *expected != code)
        {
            wrong.push(format!(
                "code: expected {expected}, found {code} ({message})"
            ));
        }
        if let Some(expected) = self
            .expect
            .message
            .as_ref()
            .filter(|expected| *expected != message)
        {
            wrong.push(format!("message: expected {expected:?}, found {message:?}"));
        }
    }

    pub(super) fn check_decision(
        &self,
        wrong: &mut Vec<String>,
        decision: &Decision,
        snapshot: &Snapshot,
    ) {
        match &decision.outcome {
            Outcome::Done { reply, .. } => {
                self.check_outcome(wrong, ExpectedOutcome::Done, "");
                if let Some(expected) = &self.expect.reply {
                    within(
                        wrong,
                        "reply",
                        expected,
                        reply.as_ref().unwrap_or(&Json::Null),
                    );
                }
            }
            Outcome::Refused(refusal) => {
                self.check_outcome(wrong, ExpectedOutcome::Refused, &refusal.message);
                self.check_code(wrong, &refusal.code, &refusal.message);
            }
        }
        let state_of = |id: &EntityId| {
            let written = decision
                .writes
                .iter()
                .find(|write| write.id == *id)
                .map(|write| &write.state);
            let state = written.or_else(|| snapshot.get(id).map(|entity| &entity.state));
            state.map_or(Json::Null, |state| Json::Object(state.clone()))
        };
        for (id, expected) in &self.expect.state {
            match entity_id(id) {
                Ok(parsed) => stated(wrong, &format!("state {id}"), expected, &state_of(&parsed)),
                Err(problem) => wrong.push(problem),
            }
        }
        for (name, expected) in &self.expect.counters {
            let expected = serde_json::json!({"next": expected});
            let found = state_of(&counter_id(name));
            stated(wrong, &format!("counter {name}"), &expected, &found);
        }
        if let Some(expected) = &self.expect.events {
            self.check_events(wrong, expected, &decision.events);
        }
    }

    fn check_events(&self, wrong: &mut Vec<String>, expected: &[Json], found: &[Event]) {
        if expected.len() != found.len() {
            let types: Vec<&str> = found
                .iter()
                .map(|event| event.event_type.as_str())
                .collect();
            let types = if types.is_empty() {
                "none".to_owned()
            } else {
                types.join(", ")
            };
            wrong.push(format!(
                "events: expected {}, found {}: {types}",
                expected.len(),
                found.len()
            ));
            return;
        }
        for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
            stated(wrong, &format!("events[{index}]"), expected, &flat(found));
        }
    }
}

fn flat(event: &Event) -> Json {
    let mut fields = event.data.clone();
    fields.insert(
        "event_type".to_owned(),
        Json::from(event.event_type.as_str()),
    );
    fields.insert("key".to_owned(), Json::from(event.key.as_str()));
    Json::Object(fields)
}

/// Compares the fields that are stated, each as a whole; what has no fields is compared as a whole itself.
fn stated(wrong: &mut Vec<String>, place: &str, expected: &Json, found: &Json) {
    let (Json::Object(fields), Json::Object(actual)) = (expected, found) else {
        if !equal(expected, found) {
            wrong.push(format!("{place}: expected {expected}, found {found}"));
        }
        return;
    };
    for (name, value) in fields {
        match actual.get(name) {
            Some(actual) if equal(value, actual) => {}
            Some(actual) => {
                wrong.push(format!("{place}: {name}: expected {value}, found {actual}"));
            }
            None => wrong.push(format!(
                "{place}: {name}: expected {value}, found no such field"
            )),
        }
    }
}

/// Compares what is stated at any depth, but `{}` is an empty object: replies are deep, and a case is about a part of one.
fn within(wrong: &mut Vec<String>, place: &str, expected: &Json, found: &Json) {
    match (expected, found) {
        (Json::Object(fields), Json::Object(actual)) if !fields.is_empty() => {
            for (name, value) in fields {
                let place = format!("{place}.{name}");
                match actual.get(name) {
                    Some(actual) => within(wrong, &place, value, actual),
                    None => wrong.push(format!("{place}: expected {value}, found no such field")),
                }
            }
        }
        (Json::Array(items), Json::Array(actual)) if items.len() == actual.len() => {
            for (index, (item, actual)) in items.iter().zip(actual).enumerate() {
                within(wrong, &format!("{place}[{index}]"), item, actual);
            }
        }
        (expected, found) if equal(expected, found) => {}
        (expected, found) => wrong.push(format!("{place}: expected {expected}, found {found}")),
    }
}

/// Equal as values: 5 is 5.0, and the order of fields means nothing.
fn equal(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Object(one), Json::Object(other)) => {
            let same = |(name, value): (&String, &Json)| {
                other.get(name).is_some_and(|found| equal(value, found))
            };
            one.len() == other.len() && one.iter().all(same)
        }
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Json::Number(one), Json::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use crate::definition::Game;
    use crate::rules::cases::read_cases;

    const GAME: &str = r#"
apiVersion: gamepipe.dev/v1alpha1
kind: Game
metadata: {name: boats}
spec:
  entities:
    skipper: {state: {boat: {type: bag}, coins: {type: integer, default: 1}}}
  actions:
    catch:
      params: {name: {type: string}}
      entities: {skipper: {skipper: params.name}}
      require: [{rule: skipper.coins > 0, code: no_coins, message: "params.name + ' is poor'"}]
      cases:
        - add: {skipper: {boat: "{'herring': 1}"}}
          emit: [{event: caught, data: {name: params.name}}]
          reply: "{'got': {'herring': 1, 'cod': 2}}"
  events: {caught: {properties: {name: {type: string}}}}
"#;

    fn check(expect: &str) -> Result<(), String> {
        let game = Game::load("game.yaml", GAME, &|_| Err("none".to_owned()))
            .unwrap_or_else(|problems| panic!("{problems}"));
        let text = format!(
            "- name: a claim\n  action: catch\n  given: {{entities: {{skipper/ann: {{}}}}}}\n  params: {{name: ann}}\n  expect: {expect}\n"
        );
        let cases = read_cases("cases.yaml", &text).unwrap_or_else(|problems| panic!("{problems}"));
        cases[0].check(&game)
    }

    #[test]
    fn a_stated_field_must_be_equal_as_a_whole() {
        assert_eq!(
            check("{state: {skipper/ann: {boat: {herring: 1}}}}"),
            Ok(())
        );
        assert_eq!(
            check("{state: {skipper/ann: {boat: {}}}}"),
            Err("state skipper/ann: boat: expected {}, found {\"herring\":1}".to_owned())
        );
        assert!(check("{reply: {got: {}}}").is_err());
        assert_eq!(check("{reply: {got: {cod: 2.0}}}"), Ok(()));
        assert_eq!(check("{events: [{event_type: caught}]}"), Ok(()));
    }

    #[test]
    fn what_is_not_as_expected_is_said_in_the_words_of_the_file() {
        assert_eq!(
            check("{outcome: refused, events: []}"),
            Err(
                "outcome: expected refused, found done\nevents: expected 0, found 1: caught"
                    .to_owned()
            )
        );
        assert_eq!(
            check("{state: {skipper/ann: {ship: 1}}}"),
            Err("state skipper/ann: ship: expected 1, found no such field".to_owned())
        );
    }

    #[test]
    fn a_misshapen_case_file_is_told_with_line_and_column() {
        for (text, told) in [
            ("a: 1\n", "c.yaml:1:1: expected a list, got an object"),
            ("", "c.yaml:1:1: the case file is empty"),
            (
                "- name: x\n  action: catch\n  expect:\n    outcom: done\n",
                "c.yaml:4:5: [0].expect.outcom: unknown field `outcom`; did you mean `outcome`?",
            ),
            (
                "- name: x\n  action: catch\n  expect: {outcome: Done}\n",
                "c.yaml:3:21: [0].expect.outcome: expected one of `done`, `refused`, `invalid`, got text \"Done\"; did you mean `done`?",
            ),
        ] {
            let problems = read_cases("c.yaml", text).expect_err(text);
            assert_eq!(problems.to_string(), told, "{text}");
        }
    }
}
