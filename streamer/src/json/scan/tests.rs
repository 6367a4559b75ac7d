//! The scanner against serde_json, which it must agree with wherever both have an opinion.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::{Fault, Kind, MAX_DEPTH, Member, Scanner, find_duplicate};

fn scan(text: &str) -> Result<Vec<Member>, Fault> {
    let mut members = Vec::new();
    Scanner::default().object(text, &mut members)?;
    let mut keys: Vec<_> = members
        .iter()
        .map(|member| (member.key, member.key_escaped))
        .collect();
    match find_duplicate(text.as_bytes(), &mut keys) {
        Some(key) => Err(Fault::DuplicateKey { key }),
        None => Ok(members),
    }
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        any::<String>().prop_map(Json::from),
        "[a-z\"\\\\/\u{0}-\u{20}é😀]{0,12}".prop_map(Json::from),
    ];
    leaf.prop_recursive(6, 60, 12, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..12).prop_map(Json::from),
            proptest::collection::hash_map("[a-c\"é]{0,3}", inner, 0..12)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_object_is_read_and_its_members_are_what_was_written(
        object in proptest::collection::hash_map("[a-d\"\\\\é]{0,3}", json(), 0..12),
        pretty: bool,
    ) {
        let object = Json::Object(object.into_iter().collect());
        let text = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) };
        let text = text.unwrap();
        // Read back once: the reference may round a float's last digit.
        let object: Json = serde_json::from_str(&text).unwrap();
        let members = scan(&text).unwrap();
        prop_assert_eq!(members.len(), object.as_object().unwrap().len());
        for member in members {
            let pair: Json = serde_json::from_str(&format!("{{{}}}", member.json(&text))).unwrap();
            let (key, value) = pair.as_object().unwrap().iter().next().unwrap();
            prop_assert_eq!(object.get(key), Some(value));
            prop_assert_eq!(&serde_json::from_str::<Json>(member.value.json(&text)).unwrap(), value);
        }
    }

    #[test]
    fn what_is_no_json_is_refused_and_nothing_else(
        text in "(\\{\"a\":)?[\\[\\]{}\":, \n\\\\ubtrue0129.eE+-]{0,14}\\}?",
    ) {
        check_agreement(&text)?;
    }

    #[test]
    fn damaged_objects_are_judged_as_the_reference_does(
        object in proptest::collection::hash_map("[a-c]{0,2}", json(), 0..5), at: prop::sample::Index, byte in 0x20_u8..0x7f,
    ) {
        let text = serde_json::to_string(&Json::Object(object.into_iter().collect())).unwrap();
        let mut characters: Vec<char> = text.chars().collect();
        let at = at.index(characters.len());
        characters[at] = char::from(byte);
        check_agreement(&characters.into_iter().collect::<String>())?;
    }
}

fn check_agreement(text: &str) -> Result<(), TestCaseError> {
    let ours = scan(text);
    let reference = serde_json::from_str::<Json>(text);
    match (&ours, &reference) {
        // The reference keeps the last of two keys, and reads every number as a value.
        (Err(Fault::DuplicateKey { .. }), _) => {}
        (_, Err(error)) if error.to_string().contains("number out of range") => {}
        (_, Ok(Json::Object(_))) => prop_assert!(ours.is_ok(), "{text:?}: {ours:?}"),
        (_, Ok(_)) => prop_assert!(
            matches!(ours, Err(Fault::NotAnObject { .. })),
            "{text:?}: {ours:?}"
        ),
        (_, Err(error)) => prop_assert!(ours.is_err(), "{text:?} was read, though {error}"),
    }
    Ok(())
}

#[test]
fn nesting_is_limited_to_the_last_level() {
    let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    let deepest = MAX_DEPTH as usize - 1;
    assert!(scan(&nested(deepest)).is_ok());
    assert!(matches!(
        scan(&nested(deepest + 1)),
        Err(Fault::TooDeep { .. })
    ));
    let flood = format!("{{\"a\":{}", "[".repeat(500_000));
    assert!(matches!(scan(&flood), Err(Fault::TooDeep { .. })));
    assert!(matches!(
        scan(&"[{\"a\":".repeat(100_000)),
        Err(Fault::TooDeep { .. })
    ));
}

#[test]
fn keys_are_compared_as_the_text_that_they_stand_for() {
    for text in [
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"x":{"a":1,"b":{},"a":2}}"#,
        r#"{"x":[{"\/":1,"/":2}]}"#,
        r#"{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"a":1}"#,
    ] {
        assert!(
            matches!(scan(text), Err(Fault::DuplicateKey { .. })),
            "{text}"
        );
    }
    assert!(scan(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#).is_ok());
}

#[test]
fn many_keys_are_compared_in_time() {
    let keys: Vec<String> = (0..60_000)
        .map(|number| format!("\"k{number}\":0"))
        .collect();
    let text = format!("{{\"x\":{{{}}}}}", keys.join(","));
    assert_eq!(scan(&text).unwrap()[0].value.kind, Kind::Object);
}
