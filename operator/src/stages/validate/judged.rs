//! Definitions that were judged, remembered: to compile one takes longer than all the rest of a pass, and each pass over each pipeline asks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use kube::core::ResourceExt;

use super::game::{GameVerdict, judge_text, mounted, text_of};
use crate::crd::Game;
use crate::stages::component::sha256_hex;
use crate::stages::validated::{Definition as Mounted, Finding};

/// How many are remembered. The pipelines of a cluster play few games; each is at most 1 MB.
const REMEMBERED: usize = 16;

/// What became of a definition: how it is mounted, or why it can't be.
type Verdict = Result<Arc<Mounted>, Finding>;

/// Those of this process.
pub(super) static JUDGED: Judged = Judged(Mutex::new(VecDeque::new()));

/// Verdicts by the hash of all that was judged, the newest first. So what is remembered is right, whoever asks.
#[derive(Debug)]
pub(super) struct Judged(Mutex<VecDeque<(String, Verdict)>>);

impl Judged {
    /// As [`super::judge`], once for each definition.
    pub(super) fn judge(&self, game: &Game) -> Verdict {
        let text = text_of(game);
        let hash = sha256_hex(text.as_bytes());
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock()
            .iter()
            .find(|(known, _)| *known == hash)
            .map(|(_, verdict)| verdict.clone());
        if let Some(known) = known {
            return known;
        }
        let verdict = match judge_text(&game.name_any(), &text) {
            GameVerdict::Valid(definition) => Ok(Arc::new(mounted(&definition))),
            GameVerdict::Invalid(finding) => Err(finding),
        };
        let mut all = lock();
        all.truncate(REMEMBERED - 1);
        all.push_front((hash, verdict.clone()));
        verdict
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::{Judged, REMEMBERED};
    use crate::crd::status::Reason;
    use crate::testing::game;

    #[test]
    fn a_definition_is_compiled_once_and_another_one_is_another() {
        let judged = Judged(Mutex::new(VecDeque::new()));
        let first = judged.judge(&game("arena")).unwrap();
        let again = judged.judge(&game("arena")).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let mut changed = game("arena");
        changed
            .spec
            .definition
            .insert("topic".to_owned(), json!("t"));
        let other = judged.judge(&changed).unwrap();
        assert_ne!(other.version, first.version);
        changed.spec.definition.insert("topic".to_owned(), json!(5));
        for _ in 0..2 {
            let refused = judged.judge(&changed).unwrap_err();
            assert_eq!(refused.reason, Reason::GameInvalid);
        }
    }

    #[test]
    fn no_more_are_remembered_than_fit() {
        let judged = Judged(Mutex::new(VecDeque::new()));
        for number in 0..=REMEMBERED {
            let mut game = game("arena");
            game.metadata.name = Some(format!("arena{number}"));
            judged.judge(&game).unwrap();
        }
        let all = judged.0.lock().unwrap();
        assert_eq!(all.len(), REMEMBERED);
    }
}
