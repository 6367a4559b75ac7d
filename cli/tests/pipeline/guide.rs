//! The commands of the guide, run as they stand there: only addresses are others, for a test takes free ports.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::{PATIENCE, Up};

/// The blocks of a language on a Markdown page, each as its lines.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}");
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for line in page.lines() {
        match &mut open {
            None if line == fence => open = Some(String::new()),
            None => {}
            Some(_) if line == "```" => found.extend(open.take()),
            Some(block) => {
                block.push_str(line);
                block.push('\n');
            }
        }
    }
    found
}

struct Reader {
    folder: tempfile::TempDir,
    up: Option<Up>,
    ups: usize,
}

impl Reader {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn follow(&mut self, line: &str) {
        if line.starts_with("gamepipe up") {
            let words = line.split_once(" #").map_or(line, |(words, _)| words);
            let game = words.split_whitespace().last().expect("a game").to_owned();
            self.up = None;
            self.ups += 1;
            let data = self.path(&format!("data{}", self.ups));
            self.up = Some(Up::start(&self.path(&game).display().to_string(), &data));
            return;
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = self.shell(line);
            let told = super::both(&output);
            assert!(output.status.success(), "{line}\n{told}");
            // Rows land a moment after the reply.
            if !(line.starts_with("gamepipe sql") && told.contains("(0 rows)")) {
                return;
            }
            assert!(Instant::now() < deadline, "{line}\n{told}");
        }
    }

    fn shell(&self, line: &str) -> std::process::Output {
        let (api, sql) = match &self.up {
            Some(up) => (up.api.as_str(), up.sql.as_str()),
            None => ("", ""),
        };
        let host = api.trim_start_matches("http://");
        let line = line
            .replace("localhost:5000", host)
            .replacen("curl ", "curl -sSf ", 1);
        let binary = Path::new(env!("CARGO_BIN_EXE_gamepipe"));
        let mut command = Command::new("bash");
        command
            .args([
                "-c",
                &format!("gamepipe() {{ '{}' \"$@\"; }}; {line}", binary.display()),
            ])
            .current_dir(self.folder.path())
            .env("NO_COLOR", "1");
        if self.up.is_some() {
            command.env("GAMEPIPE_API", api).env("GAMEPIPE_SQL", sql);
        }
        command.output().expect("bash")
    }
}

#[test]
fn every_command_of_the_guide_works_in_its_order() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guides/your-own-game.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut reader = Reader {
        folder: tempfile::tempdir().unwrap(),
        up: None,
        ups: 0,
    };
    let bakery = blocks(&page, "yaml")
        .into_iter()
        .find(|block| block.contains("kind: Game") && block.contains("actions:"));
    std::fs::create_dir(reader.path("bakery")).unwrap();
    std::fs::write(
        reader.path("bakery/game.yaml"),
        bakery.expect("the whole game"),
    )
    .unwrap();
    // An event of clients is posted to the bakery, which runs at the end of the page.
    let (mut lines, last): (Vec<String>, Vec<String>) = blocks(&page, "sh")
        .iter()
        .flat_map(|block| block.lines())
        .map(str::to_owned)
        .partition(|line| !line.contains("/v1/events"));
    assert!(lines.len() > 12 && last.len() == 1, "{lines:?}");
    lines.extend(last);
    for line in &lines {
        reader.follow(line);
    }
    assert_eq!(reader.ups, 2);
}
