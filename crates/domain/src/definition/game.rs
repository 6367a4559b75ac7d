//! A checked, compiled definition: what every other part of gamepipe works with.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::document::{
    ActionSpec, ChartSpec, EntitySpec, EventOrigin, EventSpec, GameDocument, GameSpec, ReportSpec,
    SimulationSpec, ValueSpec,
};
pub use super::params::PARAM_CODES;
use super::problem::Problems;
use super::{canonical, params};
use crate::JsonMap;
use crate::entity::EntityId;
use crate::request::RequestContext;
use crate::rules::plan::CompiledAction;
use crate::rules::simulation::CompiledSimulation;

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

/// An action, compiled.
#[derive(Debug)]
pub struct Action {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) params: BTreeMap<String, ValueSpec>,
    pub(super) routes: Vec<Route>,
    pub(super) rules: CompiledAction,
}

impl Action {
    pub(super) fn new(name: &str, spec: &ActionSpec, rules: CompiledAction) -> Self {
        let routes = spec
            .routes
            .iter()
            .map(|route| Route {
                method: route.method.clone(),
                path: route.path.clone(),
            })
            .collect();
        Self {
            name: name.to_owned(),
            description: spec.description.clone(),
            params: spec.params.clone(),
            routes,
            rules,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does, for people.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// What it takes: parameter name to type and bounds.
    pub fn params(&self) -> &BTreeMap<String, ValueSpec> {
        &self.params
    }

    /// The game's own routes for it.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The counters (entities of type [`crate::entity::COUNTER_TYPE`]) that must be in the snapshot before
    /// [`crate::rules::entities`] is called; empty when the action draws no ids.
    pub fn counters(&self) -> &[EntityId] {
        self.rules.counters()
    }

    /// Its compiled rules.
    pub(crate) fn rules(&self) -> &CompiledAction {
        &self.rules
    }

    /// Checks and converts what a request brought: `text` pairs from a query string or form (converted by declared type),
    /// `json` from a JSON body (types must match; it wins over `text`). Defaults are filled in, absent nullable parameters are null.
    /// With `strict`, unknown names are an error; else they are ignored. A text parameter that is given twice is an error.
    /// Conditions of `validate` are checked too, over `context`.
    pub fn parse_params(
        &self,
        text: &[(String, String)],
        json: Option<&JsonMap>,
        context: &RequestContext,
        strict: bool,
    ) -> Result<Params, ParamProblem> {
        let params = params::parse(&self.params, text, json, strict)?;
        match self.rules.validate(params.values(), context) {
            Ok(()) => Ok(params),
            Err(broken) => Err(ParamProblem {
                code: broken.code,
                detail: broken.message,
                pointer: String::new(),
            }),
        }
    }
}

/// One HTTP route of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Upper case.
    pub method: String,
    /// A literal path.
    pub path: String,
}

/// Parameters that have been checked: every declared name is present, with a value of its type or null where nullable.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Params(pub(crate) JsonMap);

impl Params {
    /// The values by name.
    pub fn values(&self) -> &JsonMap {
        &self.0
    }

    /// SHA-256 of the canonical JSON of the values, in hexadecimal: equal for equal parameters, however they were sent.
    /// Persisted with idempotency keys.
    pub fn fingerprint(&self) -> String {
        canonical::sha256_hex(&serde_json::Value::Object(self.0.clone()))
    }
}

/// Why parameters can't be taken: HTTP 400, not recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ParamProblem {
    /// `missing_parameter`, `wrong_type`, `out_of_bounds`, `unknown_parameter`, `duplicate_parameter`, `too_deep`, or a
    /// `validate` rule's code.
    pub code: String,
    /// Which one, what was expected and what came.
    pub detail: String,
    /// JSON pointer to the parameter, such as `/player_1/gold`.
    pub pointer: String,
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
