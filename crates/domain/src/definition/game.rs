//! A checked, compiled definition: what every other part of gamepipe works with.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::canonical;
use super::document::{
    ChartSpec, EntitySpec, EventOrigin, EventSpec, GameDocument, GameSpec, ReportSpec,
    SimulationSpec, ValueSpec,
};
pub use super::params::PARAM_CODES;
use super::problem::Problems;
use crate::rules::simulation::CompiledSimulation;

mod action;

pub use action::{Action, ParamProblem, Params, Route};

/// A game, ready to run. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Game {
    document: GameDocument,
    version: String,
    actions: BTreeMap<String, Action>,
    events: BTreeMap<String, EventType>,
    tables: Vec<Table>,
    queries: Vec<Query>,
    simulation_rules: Option<CompiledSimulation>,
}

impl Game {
    /// Checks and compiles a definition. `file` names it in problems; `read_file` gives the text of a file that lies
    /// beside it, or why it can't.
    pub fn load(
        file: &str,
        text: &str,
        read_file: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<Self, Problems> {
        super::load::load(file, text, read_file)
    }

    pub(super) fn new(
        document: GameDocument,
        tables: Vec<Table>,
        actions: BTreeMap<String, Action>,
        simulation_rules: Option<CompiledSimulation>,
    ) -> Self {
        let events = document
            .spec
            .events
            .iter()
            .map(|(name, spec)| (name.clone(), EventType::new(name, spec)))
            .collect();
        let queries = queries_in_reading_order(&document.spec);
        Self {
            version: version_of(&document),
            document,
            actions,
            events,
            tables,
            queries,
            simulation_rules,
        }
    }

    /// The game's name: lower-case letters, digits and `-`.
    pub fn name(&self) -> &str {
        &self.document.metadata.name
    }

    /// The SQL schema's name: the game's name with `_` for `-`.
    pub fn schema_name(&self) -> String {
        self.name().replace('-', "_")
    }

    /// A short hash of everything that decides how the game behaves. Events carry it, so that a decision can be replayed.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The event log's topic.
    pub fn topic(&self) -> String {
        match &self.document.spec.topic {
            Some(topic) => topic.clone(),
            None => format!("{}_events", self.schema_name()),
        }
    }

    /// The document with files inlined, as `kubectl apply` takes it.
    pub fn document(&self) -> &GameDocument {
        &self.document
    }

    /// All actions by name.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.actions.values()
    }

    /// The action of that name.
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.actions.get(name)
    }

    /// All declared kinds of event by name.
    pub fn events(&self) -> impl Iterator<Item = &EventType> {
        self.events.values()
    }

    /// The kind of event of that name.
    pub fn event(&self, name: &str) -> Option<&EventType> {
        self.events.get(name)
    }

    /// Entity types by name.
    pub fn entities(&self) -> &BTreeMap<String, EntitySpec> {
        &self.document.spec.entities
    }

    /// The declared tables, by name. System tables are in [`super::system`].
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The named queries with their SQL: in the order in which reports name them, then by name.
    pub fn queries(&self) -> &[Query] {
        &self.queries
    }

    /// The named groups of queries.
    pub fn reports(&self) -> &BTreeMap<String, ReportSpec> {
        &self.document.spec.reports
    }

    /// The simulation, compiled; the one that [`Self::simulation`] shows as it is written.
    pub fn simulation_rules(&self) -> Option<&CompiledSimulation> {
        self.simulation_rules.as_ref()
    }

    /// How `gamepipe play` behaves, if the definition says.
    pub fn simulation(&self) -> Option<&SimulationSpec> {
        self.document.spec.simulation.as_ref()
    }
}

/// 12 hexadecimal digits of the SHA-256 of the game's name and spec: enough that no two versions of a game meet.
const VERSION_DIGITS: usize = 12;

fn version_of(document: &GameDocument) -> String {
    // A document is made of texts, numbers, lists and maps with text keys: there is nothing that JSON can't say.
    let spec = serde_json::to_value(&document.spec).unwrap_or_default();
    let mut hash = canonical::sha256_hex(&json!({"name": document.metadata.name, "spec": spec}));
    hash.truncate(VERSION_DIGITS);
    hash
}

fn queries_in_reading_order(spec: &GameSpec) -> Vec<Query> {
    let reported = spec.reports.values().flat_map(|report| &report.queries);
    let mut seen = BTreeSet::new();
    reported
        .chain(spec.queries.keys())
        .filter(|name| seen.insert(name.as_str()))
        .filter_map(|name| {
            let query = spec.queries.get(name)?;
            let sql = super::check::one_statement(query.sql.as_deref()?).ok()?;
            Some(Query {
                name: name.clone(),
                title: query.title.clone(),
                sql: sql.to_owned(),
                chart: query.chart.clone(),
            })
        })
        .collect()
}

/// A kind of event, compiled.
#[derive(Debug, Clone)]
pub struct EventType {
    /// Its name.
    pub name: String,
    /// What has happened, for people.
    pub description: Option<String>,
    /// True when clients may post it.
    pub from_client: bool,
    /// The property (or `context.host`) that is the key of a client's event.
    pub key: Option<String>,
    /// Its data fields.
    pub properties: BTreeMap<String, ValueSpec>,
}

impl EventType {
    fn new(name: &str, spec: &EventSpec) -> Self {
        Self {
            name: name.to_owned(),
            description: spec.description.clone(),
            from_client: spec.from.contains(&EventOrigin::Client),
            key: spec.key.clone(),
            properties: spec.properties.clone(),
        }
    }
}

/// A table of the lake, compiled.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Lower case.
    pub name: String,
    /// What a row is.
    pub description: Option<String>,
    /// The names of the events that become rows.
    pub events: Vec<String>,
    /// The list property whose items become rows.
    pub rows: Option<String>,
    /// The declared columns, in order.
    pub columns: Vec<Column>,
}

/// A declared column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Lower case, unique in its table.
    pub name: String,
    /// Its type in the lake.
    pub kind: ColumnKind,
    /// Where its value comes from.
    pub source: ColumnSource,
    /// What it means.
    pub description: Option<String>,
}

/// The column types of the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// 64-bit signed (`bigint`).
    Integer,
    /// 64-bit float (`double`).
    Number,
    /// UTF-8 (`varchar`).
    String,
    /// `boolean`.
    Boolean,
    /// Microseconds, UTC, without a zone in the type (`timestamp(6)`).
    Timestamp,
    /// A list, map, object or bag as JSON text (`varchar`).
    Json,
}

/// Where a column's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnSource {
    /// The data property of that name.
    Property(String),
    /// This field of the item that the row stands for.
    RowItem(String),
    /// `event_id`.
    EventId,
    /// `event_type`.
    EventType,
    /// `event_time`.
    EventTime,
    /// The `Host` header as sent.
    Host,
    /// The `User-Agent` header.
    UserAgent,
    /// The `Accept` header.
    Accept,
    /// The event's JSON text as it is on the log.
    RawEvent,
}

/// A named query with its SQL.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Its name in `/queries/{name}`.
    pub name: String,
    /// The question.
    pub title: String,
    /// One statement, without a closing semicolon.
    pub sql: String,
    /// How a report draws it.
    pub chart: Option<ChartSpec>,
}
