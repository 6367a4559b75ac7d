//! What always holds, with a short name for each. Tests, asserts and docs cite the name, so that a reader finds everything that stands for a
//! promise by searching for it. `cargo xtask tidy` fails when no test cites one.

/// Name and statement of every invariant.
pub const INVARIANTS: [(&str, &str); 10] = [
    (
        "AT-1",
        "state and events commit together or not at all: a kill loses nothing acknowledged and invents nothing",
    ),
    (
        "OV-1",
        "no overspend under any race; the sum of the ledger's events equals the balance, exactly",
    ),
    (
        "EO-1",
        "every acknowledged event is in its table exactly once, through crashes and unknown commit outcomes",
    ),
    (
        "ND-1",
        "nothing is dropped in silence: a record is in its table, in other_events, in bad_events, or still on the log",
    ),
    (
        "ID-1",
        "a replayed request has one effect and the same reply",
    ),
    (
        "CU-1",
        "a query sees one consistent cut over all its tables; the same cut again gives the same rows",
    ),
    (
        "LI-1",
        "no input kills a process: it gives a clear error and the service stays up",
    ),
    (
        "RO-1",
        "SQL can read only the lake, and nothing can be written through it",
    ),
    (
        "ME-1",
        "memory stays within its bound at any load: pressure turns into back-pressure, then 503",
    ),
    (
        "DR-1",
        "SIGTERM drains: requests in flight finish and the current epoch lands within 10 s",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::INVARIANTS;

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = INVARIANTS.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), INVARIANTS.len());
    }
}
