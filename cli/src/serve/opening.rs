//! Waits for a backend that can't be used yet. The role lives meanwhile, is not ready, and says why.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use gamepipe_service::probes::Probes;

use crate::output::remark;

/// The pauses between attempts double between these: short for a backend that is just starting, at most as long as
/// somebody waits who has just repaired it.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Tries `open` until it succeeds, or until `is_final` says that trying again can't help. Each new reason is told on
/// standard error, and stands in the readiness probe as `part`.
pub(crate) async fn until_open<T, E, F>(
    part: &'static str,
    probes: &Probes,
    is_final: impl Fn(&E) -> bool,
    mut open: impl FnMut() -> F,
) -> Result<T, E>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    probes.not_ready(part, "being opened");
    let mut pause = FIRST_PAUSE;
    let mut told = String::new();
    loop {
        let error = match open().await {
            Ok(opened) => {
                probes.ready(part);
                return Ok(opened);
            }
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => error.to_string(),
        };
        if error != told {
            remark(&format!("waiting for the {part}: {error}"));
        }
        probes.not_ready(part, error.clone());
        told = error;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use gamepipe_service::probes::Probes;

    use super::until_open;

    #[tokio::test]
    async fn a_backend_that_comes_late_is_waited_for_and_its_reason_told() {
        let (probes, tries) = (Probes::default(), Cell::new(0));
        let opened = until_open(
            "log",
            &probes,
            |_: &String| false,
            || {
                let tried = tries.replace(tries.get() + 1);
                let problems = probes.problems();
                async move {
                    if tried > 0 {
                        assert_eq!(problems, ["log: it is away"]);
                    }
                    if tried < 2 {
                        Err("it is away".to_owned())
                    } else {
                        Ok(7)
                    }
                }
            },
        );
        assert_eq!(opened.await, Ok(7));
        assert!(probes.problems().is_empty());
    }

    #[tokio::test]
    async fn what_can_t_pass_is_not_tried_again() {
        let probes = Probes::default();
        let failed: Result<(), String> = until_open(
            "log",
            &probes,
            |_| true,
            || async { Err("no such thing".to_owned()) },
        )
        .await;
        assert_eq!(failed, Err("no such thing".to_owned()));
    }
}
