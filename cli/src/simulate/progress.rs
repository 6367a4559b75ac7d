//! The progress bar of a game that is played: on a terminal's standard error only.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::histogram::human;
use super::run::Stage;

/// How often the bar is drawn: the eye sees no more, and counting costs the players time.
const INTERVAL: Duration = Duration::from_millis(200);

/// Draws until it is aborted or dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    task: tokio::task::JoinHandle<()>,
}

impl Progress {
    /// Starts to draw what happens on the stage.
    pub(crate) fn start(stage: &Arc<Stage>) -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(stage.total(), target);
        let template = match stage.total() {
            Some(_) => "{bar:30} {human_pos}/{human_len}  {per_sec}  {msg}",
            None => "{spinner} {human_pos}  {elapsed}  {per_sec}  {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        let (shown, stage) = (bar.clone(), Arc::clone(stage));
        let task = tokio::spawn(async move {
            if shown.is_hidden() {
                return;
            }
            loop {
                tokio::time::sleep(INTERVAL).await;
                shown.set_position(stage.answered.load(Ordering::Relaxed));
                let latency = stage.stats().latency;
                shown.set_message(format!(
                    "p50 {}  p99 {}",
                    human(latency.quantile(500)),
                    human(latency.quantile(990))
                ));
            }
        });
        Self { bar, task }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.task.abort();
        self.bar.finish_and_clear();
    }
}
