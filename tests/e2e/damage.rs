//! Directories that can't be used and files that were damaged: a clear error where it is met, never a panic, nothing dropped
//! in silence; and `gamepipe verify` finds what is missing or too much (ND-1, LI-1).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use gamepipe_tests::Start;
use gamepipe_tests::ledger::check_arena;
use gamepipe_tests::load::{Acknowledged, Crowd, initialize_players};
use gamepipe_tests::platform::verify_stopped;
use gamepipe_tests::random::Random;
use gamepipe_tests::tools::tool;
use gamepipe_tests::wait::{PATIENCE, wait_for};
use tempfile::TempDir;

/// A stopped platform's data, and what its players were told.
struct Stopped {
    folder: TempDir,
    acknowledged: Acknowledged,
}

impl Stopped {
    fn after_play(random: &mut Random) -> Result<Self> {
        let folder = TempDir::new()?;
        let data = folder.path().join("data");
        let platform = Start::game("arena").data(&data).up()?;
        let api = platform.api()?;
        let mut acknowledged = initialize_players(&api)?;
        let crowd = Crowd::start(&api, 4, random);
        let played = wait_for("some actions", PATIENCE, || {
            let landed = platform
                .sql()?
                .value("select count(*) from dig_for_gold_events")?;
            Ok((landed.as_u64() > Some(100)).then_some(()))
        });
        acknowledged.merge(crowd.finish());
        played.with_context(|| {
            let (answered, failed) = (acknowledged.event_ids.len(), acknowledged.unanswered);
            let output = platform.output();
            format!("{answered} events were acknowledged, {failed} requests failed:\n{output}")
        })?;
        platform.wait_until_landed()?;
        ensure!(platform.stop()?.success(), "{}", platform.output());
        Ok(Self {
            folder,
            acknowledged,
        })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A copy to damage.
    fn copy(&self) -> Result<PathBuf> {
        let copy = self.folder.path().join("copy");
        if copy.exists() {
            std::fs::remove_dir_all(&copy)?;
        }
        let status = Command::new("cp")
            .arg("-a")
            .arg(self.data())
            .arg(&copy)
            .status()?;
        ensure!(status.success(), "cp failed");
        Ok(copy)
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn with_ending(folder: &Path, ending: &str) -> Result<PathBuf> {
    files(folder)?
        .into_iter()
        .rfind(|path| path.to_string_lossy().ends_with(ending))
        .with_context(|| format!("no file *{ending} below {}", folder.display()))
}

/// What `up` says when it does not start; an error when it does.
fn refused(data: &Path) -> Result<String> {
    let platform = Start::game("arena").data(data).spawn()?;
    let ended = wait_for("up to be refused", PATIENCE, || {
        Ok((!platform.is_running()? || platform.is_listening()).then_some(()))
    });
    let output = platform.output();
    ended.with_context(|| output.clone())?;
    ensure!(!platform.is_listening(), "it has started:\n{output}");
    ensure!(!platform.wait()?.success(), "{output}");
    ensure!(
        !output.contains("panicked") && !output.contains("<unknown>"),
        "{output}"
    );
    output
        .lines()
        .find(|line| line.starts_with("error: "))
        .map(ToOwned::to_owned)
        .with_context(|| format!("no error is told:\n{output}"))
}

fn contains_all(text: &str, words: &[&str]) -> Result<()> {
    for word in words {
        ensure!(text.contains(word), "{word:?} is not in: {text}");
    }
    Ok(())
}

#[test]
fn directories_that_cannot_be_written_are_named() -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("file");
    std::fs::write(&file, "x")?;
    // Nobody, not even root, can make a directory there.
    contains_all(
        &refused(Path::new("/proc/gamepipe-data"))?,
        &["/proc/gamepipe-data", "--data"],
    )?;
    let below_file = file.join("data");
    contains_all(&refused(&below_file)?, &[&below_file.display().to_string()])?;
    for part in ["state", "log", "lake"] {
        let data = folder.path().join(format!("data-{part}"));
        std::fs::create_dir(&data)?;
        std::fs::write(data.join(part), "x")?;
        contains_all(&refused(&data)?, &[&data.join(part).display().to_string()])?;
    }
    Ok(())
}

#[test]
fn damaged_files_of_the_stores_are_refused_or_harmless() -> Result<()> {
    let mut random = Random::from_environment("damaged files of the stores");
    let stopped = Stopped::after_play(&mut random)?;
    let mut counts = (0, 0);
    for part in ["state", "log"] {
        for original in files(&stopped.data().join(part).join("db"))? {
            let copy = stopped.copy()?;
            let file = copy.join(original.strip_prefix(stopped.data())?);
            let damage = damage(&file, &mut random)?;
            let told = format!("{} {damage}", file.display());
            let platform = Start::game("arena").data(&copy).spawn()?;
            let ready = platform.wait_until_ready();
            if ready.is_ok() {
                platform.wait_until_landed().with_context(|| told.clone())?;
                check_arena(&platform, &stopped.acknowledged).with_context(|| told.clone())?;
                counts.0 += 1;
                continue;
            }
            ensure!(
                !platform.is_running()?,
                "{told}: neither ready nor ended:\n{}",
                platform.output()
            );
            let output = platform.output();
            ensure!(!platform.wait()?.success(), "{told}: {output}");
            let error = output
                .lines()
                .find(|line| line.starts_with("error: "))
                .unwrap_or_default();
            ensure!(
                error.contains(&copy.display().to_string())
                    || error.contains("don't belong together")
                    || error.contains("the log was cut"),
                "{told}: {output}"
            );
            counts.1 += 1;
        }
    }
    ensure!(counts.1 > 5, "{} harmless, {} refused", counts.0, counts.1);
    Ok(())
}

/// Cuts a file in half, empties it, or flips some of its bytes.
fn damage(file: &Path, random: &mut Random) -> Result<&'static str> {
    let whole = std::fs::read(file)?;
    // Journals may end in room that is set aside.
    let used = whole
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    match random.below(3) {
        0 => std::fs::write(file, &whole[..used / 2]).map(|()| "cut in half"),
        1 => std::fs::write(file, "").map(|()| "emptied"),
        _ => {
            let mut flipped = whole.clone();
            for byte in flipped.iter_mut().skip(used / 3).take(4) {
                *byte ^= 0xff;
            }
            std::fs::write(file, flipped).map(|()| "flipped")
        }
    }
    .map_err(Into::into)
}

#[test]
fn damaged_or_missing_files_of_the_lake_are_named_by_up_and_verify() -> Result<()> {
    let mut random = Random::from_environment("damaged files of the lake");
    let stopped = Stopped::after_play(&mut random)?;
    ensure!(
        verify_stopped(&stopped.data())?.0,
        "sound before it is damaged"
    );

    for text in ["x", "", "{\"add\":{\"path\":"] {
        let data = stopped.copy()?;
        let entry = with_ending(&data.join("lake/dig_for_gold_events/_delta_log"), ".json")?;
        std::fs::write(&entry, text)?;
        let name = entry
            .file_name()
            .context("a name")?
            .to_string_lossy()
            .into_owned();
        contains_all(&refused(&data)?, &["dig_for_gold_events", &name, "entry"])?;
        let (clean, told) = verify_stopped(&data)?;
        ensure!(!clean, "{told}");
        contains_all(&told, &["dig_for_gold_events", &name])?;
    }

    let data = stopped.copy()?;
    std::fs::remove_dir_all(data.join("lake/dig_for_gold_events"))?;
    contains_all(
        &refused(&data)?,
        &["dig_for_gold_events", "is not there", "from a copy"],
    )?;
    let (clean, told) = verify_stopped(&data)?;
    ensure!(!clean, "{told}");
    contains_all(&told, &["dig_for_gold_events", "is not there"])?;

    let data = stopped.copy()?;
    std::fs::remove_dir_all(data.join("lake/_epochs"))?;
    let (clean, told) = verify_stopped(&data)?;
    ensure!(!clean, "{told}");
    contains_all(&told, &["_epochs is not there"])?;
    // Rows that no epoch tells of are not gone on with: nothing says what has landed.
    contains_all(
        &refused(&data)?,
        &["has landed rows", "no epoch covers them"],
    )
}

#[test]
fn damaged_parquet_file_fails_the_queries_that_read_it_and_no_other() -> Result<()> {
    let mut random = Random::from_environment("damaged Parquet file");
    let stopped = Stopped::after_play(&mut random)?;
    let data = stopped.copy()?;
    for gone in [false, true] {
        let parquet = with_ending(&data.join("lake/dig_for_gold_events"), ".parquet")?;
        if gone {
            std::fs::remove_file(&parquet)?;
        } else {
            std::fs::write(&parquet, "PAR1 and nothing else")?;
        }
        let name = parquet
            .file_name()
            .context("a name")?
            .to_string_lossy()
            .into_owned();
        let (clean, told) = verify_stopped(&data)?;
        ensure!(!clean, "{told}");
        contains_all(&told, &["dig_for_gold_events", &name])?;
        let platform = Start::game("arena").data(&data).up()?;
        let sql = platform.sql()?;
        let reply = sql.post(
            "/sql",
            "text/plain",
            b"select sum(gold_found) from dig_for_gold_events",
        )?;
        ensure!(reply.status == 502, "{}: {}", reply.status, reply.text());
        ensure!(
            reply.json()?["code"] == "LAKE_UNAVAILABLE",
            "{}",
            reply.text()
        );
        ensure!(
            sql.value("select count(*) > 0 from player_events where username <> ''")? == true,
            "others answer"
        );
        let (clean, told) = platform.verify()?;
        ensure!(!clean, "{told}");
        let output = platform.output();
        ensure!(
            output.contains(&name) && !output.contains("panicked"),
            "the log names the file: {output}"
        );
        ensure!(platform.stop()?.success(), "{}", platform.output());
    }
    Ok(())
}

/// Rewrites a Parquet file as another tool would: without its first row, or with that row once more.
const REWRITE: &str = "
import sys, pyarrow as pa, pyarrow.parquet as pq
path, what = sys.argv[1:]
table = pq.read_table(path, partitioning=None)
table = table.slice(1) if what == 'drop' else pa.concat_tables([table, table.slice(0, 1)])
pq.write_table(table, path)
";

#[test]
fn verify_finds_a_removed_row_and_a_row_that_is_there_twice() -> Result<()> {
    let mut random = Random::from_environment("verify finds rows");
    let stopped = Stopped::after_play(&mut random)?;
    for (what, words) in [
        ("drop", ["are in no table", "dig_for_gold_events"]),
        ("double", ["twice", "dig_for_gold_events: partition"]),
    ] {
        let data = stopped.copy()?;
        let parquet = with_ending(&data.join("lake/dig_for_gold_events"), ".parquet")?;
        let done = Command::new(tool("GAMEPIPE_TEST_PYTHON")?)
            .args(["-c", REWRITE])
            .arg(&parquet)
            .arg(what)
            .output()?;
        ensure!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        let (clean, told) = verify_stopped(&data)?;
        ensure!(!clean, "{what}: {told}");
        contains_all(&told, &words).with_context(|| what.to_owned())?;
    }
    Ok(())
}
