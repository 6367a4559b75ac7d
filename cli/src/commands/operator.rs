//! `gamepipe operator`: the custom resources, without a cluster and within one.

mod run;

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use gamepipe_domain::definition::problem::Problems;
use gamepipe_operator::offline::{self, Manifests};
use gamepipe_operator::stages::build::build;
use gamepipe_operator::stages::validate::secret_needs;
use gamepipe_operator::stages::validated::Platform;

use crate::exit::Outcome;
use crate::games;
use crate::output::{remark, say};

const AFTER_HELP: &str = "\
Examples:
  gamepipe operator crd | kubectl apply --server-side -f -         the resources' definitions
  gamepipe game render arena | kubectl apply -f -                  a Game
  gamepipe operator validate -f pipeline.yaml                      what the API server would say
  gamepipe operator render -f pipeline.yaml                        every object that would be made
  gamepipe operator render -f pipeline.yaml | kubectl diff -f -    what would change
  gamepipe operator schema > gamepipeline.schema.json              for editors

A file may hold several documents; those of other kinds are passed over. `-` is standard input.
A Game is looked for in the files, then in --game, then among the games that come with gamepipe.

Exit codes: 0 done; 1 a manifest is refused; 2 wrong usage.";

/// Describe, check and render pipelines on Kubernetes
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct OperatorArgs {
    #[command(subcommand)]
    command: OperatorCommand,
}

#[derive(Debug, Subcommand)]
enum OperatorCommand {
    /// Watch Games and GamePipelines, and keep what they need right
    ///
    /// In a pod with the chart's service account, or with KUBECONFIG. It waits for the resources' definitions (`gamepipe operator crd`).
    Run(run::RunArgs),
    /// Print the CustomResourceDefinitions
    Crd {
        /// One of them; both when absent
        #[arg(value_enum, value_name = "RESOURCE")]
        resource: Option<Resource>,
    },
    /// Print every object that a pipeline is made of, as YAML
    ///
    /// What the operator would apply in a namespace that has nothing of it yet. Secrets whose values the operator makes are shown without them.
    Render(ManifestArgs),
    /// Tell everything that is wrong with manifests, by file, line and path, as an API server and the operator would
    ///
    /// Types, names, bounds, rules, the Game's definition, and whether objects can be built. Names that are not known are refused, where an API server
    /// drops them in silence. Secrets are presumed to be there; those that are needed are listed.
    Validate(ManifestArgs),
    /// Print the JSON Schema of a GamePipeline, for editors
    ///
    /// With this first line in a manifest, editors that speak to a YAML language server complete and check it:
    /// `# yaml-language-server: $schema=gamepipeline.schema.json`
    Schema,
    /// Print the reference of the resources in Markdown
    Docs,
}

/// The custom resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Resource {
    /// Game
    Games,
    /// GamePipeline
    Gamepipelines,
}

impl Resource {
    fn plural(self) -> &'static str {
        match self {
            Self::Games => "games",
            Self::Gamepipelines => "gamepipelines",
        }
    }
}

#[derive(Debug, Args)]
struct ManifestArgs {
    /// A file with manifests; may be given several times
    #[arg(short = 'f', long = "file", required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The definition of a game that the files don't hold: a file, a folder, or a game that comes with gamepipe
    #[arg(long, value_name = "NAME|FILE")]
    game: Vec<String>,
    #[command(flatten)]
    images: Images,
}

/// What runs where a GamePipeline does not say so.
#[derive(Debug, Args)]
struct Images {
    /// The image of gamepipe; this release's when absent
    #[arg(long, env = "GAMEPIPE_IMAGE", value_name = "IMAGE")]
    image: Option<String>,
    /// The image of managed Kafka clusters, with the layout of apache/kafka
    #[arg(long, env = "GAMEPIPE_KAFKA_IMAGE", value_name = "IMAGE")]
    kafka_image: Option<String>,
    /// The image of managed Redis servers
    #[arg(long, env = "GAMEPIPE_REDIS_IMAGE", value_name = "IMAGE")]
    redis_image: Option<String>,
}

impl Images {
    fn platform(&self) -> Platform {
        let usual = Platform::default();
        Platform {
            image: self.image.clone().unwrap_or(usual.image),
            kafka_image: self.kafka_image.clone().unwrap_or(usual.kafka_image),
            redis_image: self.redis_image.clone().unwrap_or(usual.redis_image),
        }
    }
}

pub(crate) fn run(args: OperatorArgs) -> anyhow::Result<Outcome> {
    match args.command {
        OperatorCommand::Run(args) => return run::run(args),
        OperatorCommand::Crd { resource } => {
            say(offline::crd(resource.map(Resource::plural)).trim_end())?;
        }
        OperatorCommand::Render(args) => return render(&args),
        OperatorCommand::Validate(args) => return validate(&args),
        OperatorCommand::Schema => say(&serde_json::to_string_pretty(&offline::schema())?)?,
        OperatorCommand::Docs => say(offline::reference().trim_end())?,
    }
    Ok(Outcome::Done)
}

fn render(args: &ManifestArgs) -> anyhow::Result<Outcome> {
    let platform = args.images.platform();
    let manifests = match read(args)? {
        Ok(manifests) => manifests,
        Err(problems) => return refuse(&problems),
    };
    let mut documents = Vec::new();
    for manifest in &manifests.pipelines {
        match manifests.plan(manifest, &platform) {
            Ok(plan) => documents.push(offline::render(&plan)),
            Err(problems) => return refuse(&problems),
        }
    }
    say(documents.join("---\n").trim_end())?;
    Ok(Outcome::Done)
}

fn validate(args: &ManifestArgs) -> anyhow::Result<Outcome> {
    let platform = args.images.platform();
    let manifests = match read(args)? {
        Ok(manifests) => manifests,
        Err(problems) => return refuse(&problems),
    };
    let mut problems = Vec::new();
    for manifest in &manifests.pipelines {
        let name = manifest
            .pipeline
            .metadata
            .name
            .as_deref()
            .unwrap_or_default();
        match manifests.plan(manifest, &platform) {
            Ok(plan) => say(&format!(
                "the GamePipeline {name} is valid: {} objects",
                build(&plan).objects().len()
            ))?,
            Err(found) => problems.extend(found.0),
        }
        for need in secret_needs(&manifest.pipeline.spec) {
            say(&format!(
                "  needs the Secret {} with {}",
                need.name,
                need.required.join(", ")
            ))?;
        }
    }
    for name in manifests.games() {
        say(&format!("the Game {name} is valid"))?;
    }
    if problems.is_empty() {
        return Ok(Outcome::Done);
    }
    refuse(&Problems(problems))
}

/// The manifests of all files with the games that they want; or everything that is wrong with them.
fn read(args: &ManifestArgs) -> anyhow::Result<Result<Manifests, Problems>> {
    let mut manifests = Manifests::default();
    let mut problems = Vec::new();
    for file in &args.files {
        let (name, text) = text_of(file)?;
        if let Err(found) = manifests.read(&name, &text) {
            problems.extend(found.0);
        }
    }
    if !problems.is_empty() {
        return Ok(Err(Problems(problems)));
    }
    for game in &args.game {
        manifests.add_game(games::load(game)?.document())?;
    }
    let missing: Vec<String> = manifests
        .missing_games()
        .into_iter()
        .map(str::to_owned)
        .collect();
    for name in missing {
        // A name that is no reference game's is told by the plan, with its place.
        if let Some(game) = games::load_by_name(&name)? {
            manifests.add_game(game.document())?;
        }
    }
    if manifests.others > 0 {
        remark(&format!(
            "{} documents of other kinds were passed over",
            manifests.others
        ));
    }
    Ok(Ok(manifests))
}

fn text_of(file: &Path) -> anyhow::Result<(String, String)> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("failed to read standard input")?;
        return Ok(("standard input".to_owned(), text));
    }
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("failed to read {}", file.display()))?;
    Ok((file.display().to_string(), text))
}

fn refuse(problems: &Problems) -> anyhow::Result<Outcome> {
    say(&problems.to_string())?;
    Ok(Outcome::Findings)
}
