//! Chores of the project, in Rust so that a fresh clone needs only cargo: `cargo xtask <chore>`.

mod chores;
mod codegen;
mod digest;
mod images;
mod shell;
mod tidy;
mod tools;

use std::process::ExitCode;

const HELP: &str = "\
Chores of the gamepipe project.

Usage: cargo xtask <chore>

  test      build everything, install what the tests need into the user's cache, run all tests;
            arguments after it go to `cargo test`, such as `-p gamepipe-sql` or a test's name
  ci        what a change must pass: format, lints, tidy, generated files, then `test`
  tidy      rules of the code base that the compiler can't check, and the longest files
  codegen   write the generated files under docs/reference; `codegen --check` says whether they are current
  tools     install what the tests need, and say where it is
  images    build gamepipe and write its image as an archive, without Docker; `--profile NAME`, `--into FOLDER`
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (chore, rest) = match arguments.split_first() {
        Some((chore, rest)) => (chore.as_str(), rest),
        None => ("help", &[][..]),
    };
    let outcome = match chore {
        "test" => chores::test(rest),
        "ci" => chores::ci(),
        "tidy" => tidy::run(),
        "codegen" => codegen::run(rest.iter().any(|argument| argument == "--check")),
        "tools" => tools::install().map(|tools| tools.print()),
        "images" => images::run_chore(rest),
        "help" | "-h" | "--help" => {
            shell::say(HELP);
            Ok(())
        }
        unknown => Err(anyhow::anyhow!("there is no chore {unknown:?}\n\n{HELP}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shell::say(&format!("xtask {chore}: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
