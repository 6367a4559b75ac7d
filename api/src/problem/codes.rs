//! Every code that the API itself can answer with. The OpenAPI document and the reference are made from this table;
//! a game's rules add their own codes with 409, its `validate` conditions with 400.

use http::StatusCode;

/// A code, its status, and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Stable, snake case.
    pub name: &'static str,
    /// The HTTP status that it comes with; 200 for codes of one event in a batch.
    pub status: StatusCode,
    /// A short title, the same each time.
    pub title: &'static str,
    /// When it is sent and what to do.
    pub meaning: &'static str,
}

macro_rules! codes {
    ($($constant:ident = $name:literal, $status:ident, $title:literal, $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $constant: Code =
                Code { name: $name, status: StatusCode::$status, title: $title, meaning: $meaning };
        )*
        /// All of them, in the order of their status.
        pub const CODES: &[Code] = &[$($constant),*];
    };
}

codes! {
    INVALID_QUERY = "invalid_query", BAD_REQUEST, "Query string or form can't be read",
        "A percent escape is broken, or the decoded text is not UTF-8.";
    INVALID_JSON = "invalid_json", BAD_REQUEST, "Body is not the expected JSON",
        "The body is not JSON, not an object where one is expected, or nested more than 64 levels deep.";
    INVALID_BODY = "invalid_body", BAD_REQUEST, "Body can't be read",
        "The body ended early, or its compression is broken.";
    INVALID_IDEMPOTENCY_KEY = "invalid_idempotency_key", BAD_REQUEST, "Idempotency-Key can't be taken",
        "An Idempotency-Key is 1 to 255 visible ASCII characters, sent once.";
    INVALID_NUMBER = "invalid_number", BAD_REQUEST, "A number is expected",
        "A part of the path or the query must be a whole number within bounds.";
    MISSING_PARAMETER = "missing_parameter", BAD_REQUEST, "A parameter is missing",
        "A parameter that is neither nullable nor has a default was not sent.";
    WRONG_TYPE = "wrong_type", BAD_REQUEST, "A parameter has the wrong type",
        "A parameter could not be read as the type that the game declares (400), or what is stored can't be read by the game's definition of today (409).";
    OUT_OF_BOUNDS = "out_of_bounds", BAD_REQUEST, "A value is out of bounds",
        "A parameter is outside its declared bounds (400), or an outcome would leave a field's bounds (409).";
    UNKNOWN_PARAMETER = "unknown_parameter", BAD_REQUEST, "A parameter is unknown",
        "`/v1/actions` takes declared parameters only; the game's own routes ignore others.";
    DUPLICATE_PARAMETER = "duplicate_parameter", BAD_REQUEST, "A parameter is given twice",
        "A query string, form or JSON object names a parameter more than once, so it is not clear which is meant.";
    TOO_DEEP = "too_deep", BAD_REQUEST, "A parameter is nested too deep",
        "A parameter is nested more than 32 levels deep.";
    UNKNOWN_ROUTE = "unknown_route", NOT_FOUND, "No such route",
        "Nothing is served at this path; `near` lists similar ones.";
    UNKNOWN_ACTION = "unknown_action", NOT_FOUND, "No such action",
        "The game has no action of this name; `near` lists similar ones.";
    UNKNOWN_ENTITY_TYPE = "unknown_entity_type", NOT_FOUND, "No such type of entity",
        "The game declares no entity of this type.";
    UNKNOWN_ENTITY = "unknown_entity", NOT_FOUND, "No such entity",
        "An entity that must exist does not. From an action it is also recorded as `action_rejected`.";
    UNKNOWN_PARTITION = "unknown_partition", NOT_FOUND, "No such partition",
        "The event log has fewer partitions.";
    METHOD_NOT_ALLOWED = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed here",
        "The route exists for other methods: see the header Allow.";
    BODY_TIMEOUT = "body_timeout", REQUEST_TIMEOUT, "Body took too long",
        "The body did not arrive in time; send it again.";
    NAME_TAKEN = "name_taken", CONFLICT, "The name is taken",
        "An entity that must be new exists already. Recorded as `action_rejected`.";
    ARITHMETIC = "arithmetic", CONFLICT, "The outcome can't be computed",
        "A rule's arithmetic overflowed or divided by zero. Recorded as `action_rejected`.";
    INVALID_KEY = "invalid_key", CONFLICT, "The entity's key can't be taken",
        "An entity's key is empty, longer than 256 bytes, or has control characters. Recorded as `action_rejected`.";
    INSUFFICIENT = "insufficient", CONFLICT, "There is not enough",
        "Somebody has less money or fewer items than the action moves or takes away. Recorded as `action_rejected`.";
    OVER_CAPACITY = "over_capacity", CONFLICT, "There is no room",
        "A bag would hold more units than it has room for. Recorded as `action_rejected`.";
    MISSING = "missing", CONFLICT, "The outcome needs what is not there",
        "A rule reads an item of a list or map that is not there, draws from nothing, or no case applies. Recorded as `action_rejected`.";
    SAME_ENTITY = "same_entity", CONFLICT, "Two parts of the action are the same entity",
        "The action changes one entity under two names, such as a player who trades with himself. Recorded as `action_rejected`.";
    TOO_COMPLEX = "too_complex", CONFLICT, "The outcome takes too much work",
        "A rule needs more steps or makes longer lists than one decision may. Recorded as `action_rejected`.";
    IN_FLIGHT = "in_flight", CONFLICT, "The same request is in flight",
        "A request with this Idempotency-Key is being worked on: wait, then send the same again.";
    BODY_TOO_LARGE = "body_too_large", PAYLOAD_TOO_LARGE, "Body is too large",
        "The body exceeds the limit as sent, or after decompression.";
    BATCH_TOO_LARGE = "batch_too_large", PAYLOAD_TOO_LARGE, "Batch has too many events",
        "Send the events in several requests.";
    URI_TOO_LONG = "uri_too_long", URI_TOO_LONG, "URI is too long",
        "The path and query exceed the limit: send long parameters in the body.";
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "Content-Type is not supported here",
        "The body's type is not among those that the route takes.";
    UNSUPPORTED_ENCODING = "unsupported_encoding", UNSUPPORTED_MEDIA_TYPE, "Content-Encoding is not supported",
        "Bodies may be sent as they are, or with gzip or zstd.";
    OFFSET_OUT_OF_RANGE = "offset_out_of_range", RANGE_NOT_SATISFIABLE, "Offset is not on the log",
        "Retention has removed the offset, or the log has not reached it.";
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "Idempotency-Key was used for another request",
        "The key belongs to a request with other parameters: use a new key for a new request.";
    INTERNAL = "internal", INTERNAL_SERVER_ERROR, "Internal error",
        "A fault of the server; it has been logged.";
    UNAVAILABLE = "unavailable", SERVICE_UNAVAILABLE, "Can't be made durable now",
        "The state store or the event log can't take it now. The outcome may be open: send the same again, with the same Idempotency-Key or event_id.";
    CONTENDED = "contended", SERVICE_UNAVAILABLE, "Too many requests for the same entity",
        "The action lost too many races; nothing has happened. Send it again.";
    OVERLOADED = "overloaded", SERVICE_UNAVAILABLE, "Too many requests at once",
        "The server works on as much as it can hold; nothing has happened. Send it again later.";
}

/// Codes that come with 400 for a parameter, and with 409 (recorded as `action_rejected`) for the outcome of an action.
pub const ALSO_CONFLICT: [Code; 2] = [WRONG_TYPE, OUT_OF_BOUNDS];

/// The codes of one event's result in `/v1/events`.
pub mod event {
    use super::Code;
    use http::StatusCode;

    codes! {
        INVALID_JSON = "invalid_json", OK, "Event is not a JSON object",
            "The event is not one JSON object, or names a property twice.";
        EVENT_TOO_LARGE = "event_too_large", OK, "Event is too large",
            "An event may have 64 KiB (a setting).";
        TOO_DEEP = "too_deep", OK, "Event is nested too deep",
            "A property is nested deeper than the limit.";
        UNKNOWN_EVENT = "unknown_event", OK, "No such event",
            "The game declares no event of this type.";
        NOT_FROM_CLIENT = "not_from_client", OK, "Event is not for clients",
            "Only the game's own actions record this event.";
        INVALID_EVENT_ID = "invalid_event_id", OK, "Event id can't be taken",
            "An event_id is 1 to 200 bytes of text, and not what programs print when they have lost it.";
        INVALID_TIME = "invalid_time", OK, "Event time can't be read",
            "An event_time is RFC 3339 text.";
        RESERVED_NAME = "reserved_name", OK, "Property name is reserved",
            "Names that begin with `_`, and those of the envelope, are gamepipe's own.";
        MISSING_PROPERTY = "missing_property", OK, "A property is missing",
            "A property that is neither nullable nor has a default was not sent.";
        UNKNOWN_PROPERTY = "unknown_property", OK, "A property is unknown",
            "An object inside the event has a field that the game does not declare.";
        WRONG_TYPE = "wrong_type", OK, "A property has the wrong type",
            "A property is not of the type that the game declares.";
        OUT_OF_BOUNDS = "out_of_bounds", OK, "A property is out of bounds",
            "A property, or the event's key, is outside its bounds.";
        UNSUPPORTED = "unsupported", OK, "Form of CloudEvent is not supported",
            "A CloudEvent has specversion 1.0 and its data as JSON.";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use gamepipe_domain::definition::game::PARAM_CODES;
    use gamepipe_domain::rules::FAULT_CODES;
    use http::StatusCode;

    use super::{ALSO_CONFLICT, CODES};

    #[test]
    fn every_code_of_the_rules_and_of_parameters_is_in_the_table() {
        let listed = |name: &str, status| {
            let is_it = |code: &&super::Code| code.name == name;
            CODES
                .iter()
                .find(is_it)
                .is_some_and(|code| code.status == status)
        };
        for name in FAULT_CODES {
            let both = ALSO_CONFLICT.iter().any(|code| code.name == *name);
            assert!(both || listed(name, StatusCode::CONFLICT), "{name}");
        }
        for name in PARAM_CODES {
            assert!(listed(name, StatusCode::BAD_REQUEST), "{name}");
        }
    }

    #[test]
    fn code_names_are_unique_and_ordered_by_status() {
        let names: BTreeSet<_> = CODES.iter().map(|code| code.name).collect();
        assert_eq!(names.len(), CODES.len());
        assert!(CODES.is_sorted_by_key(|code| code.status));
    }
}
