//! Plan: statement text -> what to run. Nothing that could write gets out of here.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::execution::SessionState;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;

use super::batches::rows_per_batch;
use super::catalog::Catalogs;
use super::cooperate::give_way;
use super::explain;
use super::history::QueryInfo;
use super::show;
use super::update::{PROPERTIES, SessionChange, Update};
use super::{Ask, Engine};
use crate::dialect::commands::{Command, Transaction, recognise};
use crate::dialect::names::{OutputNames, name_outputs};
use crate::dialect::parameters::{Parameters, bind, count_placeholders};
use crate::dialect::parse::parse_query;
use crate::dialect::rewrite::rewrite;
use crate::dialect::tokens::{Tokens, tokenize};
use crate::error::{ErrorCode, QueryError};
use crate::functions::Budget;
use crate::result::Columns;
use crate::session::Session;

pub(super) mod resolve;

/// What a statement turned out to be.
pub(crate) enum Planned {
    /// A query to run.
    Query(Box<PlannedQuery>),
    /// Rows that are known already.
    Rows(Arc<Columns>, Vec<RecordBatch>),
    /// A query whose plan is shown instead of its rows.
    Explain(crate::dialect::commands::ExplainMode, Box<PlannedQuery>),
    /// Something for the client to remember.
    Update(Update),
}

/// A query ready to run.
pub(crate) struct PlannedQuery {
    pub(crate) state: SessionState,
    pub(crate) plan: LogicalPlan,
    pub(crate) names: OutputNames,
    budget: Arc<Budget>,
}

impl PlannedQuery {
    /// The names of the result's columns as clients see them.
    pub(crate) fn column_names(&self) -> Vec<String> {
        let planned: Vec<String> = self
            .plan
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        self.names.resolve(&planned)
    }

    /// The steps to run. Constants are folded here; afterwards functions work on rows.
    pub(crate) async fn physical_plan(&mut self) -> Result<Arc<dyn ExecutionPlan>, QueryError> {
        let optimized = self.state.optimize(&self.plan)?;
        let rows = rows_per_batch(&optimized, self.state.config().batch_size())?;
        let config = self.state.config_mut();
        *config = config.clone().with_batch_size(rows);
        let planner = self.state.query_planner().clone();
        let plan = planner
            .create_physical_plan(&optimized, &self.state)
            .await?;
        self.budget.start_running();
        Ok(give_way(plan)?)
    }
}

/// Plans a statement.
pub(super) async fn plan(
    engine: &Engine,
    ask: &Ask,
    info: &QueryInfo,
) -> Result<Planned, QueryError> {
    check_length(engine, &ask.sql)?;
    let command = recognise(&ask.sql, tokenize(&ask.sql)?)?;
    match command {
        Command::Execute { name, arguments } => {
            let sql = prepared(&ask.session, &name)?;
            execute(engine, ask, &sql, arguments, info).await
        }
        Command::ExecuteImmediate {
            statement,
            arguments,
        } => execute(engine, ask, &statement, arguments, info).await,
        command => statement(engine, ask, command, &ask.parameters, info).await,
    }
}

fn check_length(engine: &Engine, sql: &str) -> Result<(), QueryError> {
    let most = engine.config().max_sql_bytes;
    if sql.len() > most {
        let text = format!(
            "Query text length ({}) exceeds the maximum length ({most})",
            sql.len()
        );
        return Err(QueryError::new(ErrorCode::QueryTextTooLarge, text));
    }
    Ok(())
}

/// A prepared statement with its arguments in place. What it holds is any statement but another `EXECUTE`.
async fn execute(
    engine: &Engine,
    ask: &Ask,
    sql: &str,
    arguments: Vec<Vec<datafusion::sql::sqlparser::tokenizer::TokenWithSpan>>,
    info: &QueryInfo,
) -> Result<Planned, QueryError> {
    check_length(engine, sql)?;
    let parameters = Parameters {
        ordered: arguments,
        ..Parameters::default()
    };
    let command = recognise(sql, tokenize(sql)?)?;
    if matches!(
        command,
        Command::Execute { .. } | Command::ExecuteImmediate { .. } | Command::Prepare { .. }
    ) {
        return Err(QueryError::new(
            ErrorCode::NotSupported,
            "a prepared statement can't execute another one",
        ));
    }
    statement(engine, ask, command, &parameters, info).await
}

async fn statement(
    engine: &Engine,
    ask: &Ask,
    command: Command,
    parameters: &Parameters,
    info: &QueryInfo,
) -> Result<Planned, QueryError> {
    let session = &ask.session;
    Ok(match command {
        Command::Query(tokens) => {
            Planned::Query(Box::new(query(engine, session, tokens, parameters).await?))
        }
        Command::Explain {
            mode,
            query: tokens,
        } => Planned::Explain(
            mode,
            Box::new(query(engine, session, tokens, parameters).await?),
        ),
        Command::Show(shown) => show::show(engine, session, shown).await?,
        Command::Use { catalog, schema } => {
            Planned::Update(use_schema(engine, session, catalog, schema).await?)
        }
        Command::DescribeInput { name } => {
            let tokens = tokenize(&prepared(session, &name)?)?;
            show::describe_input(count_placeholders(&tokens))?
        }
        Command::DescribeOutput { name } => describe_output(engine, session, &name).await?,
        Command::KillQuery { id, message } => Planned::Update(kill(engine, &id, message)?),
        other => Planned::Update(session_command(session, other, info)?),
    })
}

async fn describe_output(
    engine: &Engine,
    session: &Session,
    name: &str,
) -> Result<Planned, QueryError> {
    let sql = prepared(session, name)?;
    let tokens = tokenize(&sql)?;
    let nulls = vec![serde_json::Value::Null; count_placeholders(&tokens)];
    let nulls = Parameters::from_json(&serde_json::Value::Array(nulls))?;
    match recognise(&sql, tokens)? {
        Command::Query(tokens) => {
            show::describe_output(&query(engine, session, tokens, &nulls).await?)
        }
        _ => show::describe_nothing(),
    }
}

/// Commands that change nothing but what the client remembers.
fn session_command(
    session: &Session,
    command: Command,
    info: &QueryInfo,
) -> Result<Update, QueryError> {
    Ok(match command {
        Command::SetSession { name, value } => {
            check_property(&name)?;
            Update::new("SET SESSION", vec![SessionChange::SetProperty(name, value)])
        }
        Command::ResetSession { name } => {
            check_property(&name)?;
            Update::new("RESET SESSION", vec![SessionChange::ClearProperty(name)])
        }
        Command::SetTimeZone { zone } => {
            let name = "time_zone_id".to_owned();
            let change = match zone {
                Some(zone) => SessionChange::SetProperty(name, check_zone(zone)?),
                None => SessionChange::ClearProperty(name),
            };
            Update::new("SET TIME ZONE", vec![change])
        }
        Command::Prepare { name, statement } => {
            // A statement that can't be read is refused now, not when it is executed.
            recognise(&statement, tokenize(&statement)?)?;
            Update::new("PREPARE", vec![SessionChange::AddPrepared(name, statement)])
        }
        Command::Deallocate { name } => {
            prepared(session, &name)?;
            Update::new("DEALLOCATE", vec![SessionChange::RemovePrepared(name)])
        }
        Command::Transaction(Transaction::Start) => {
            let id = SessionChange::StartTransaction(info.id.clone());
            Update::new("START TRANSACTION", vec![id])
        }
        Command::Transaction(Transaction::Commit) => {
            Update::new("COMMIT", vec![SessionChange::ClearTransaction])
        }
        Command::Transaction(Transaction::Rollback) => {
            Update::new("ROLLBACK", vec![SessionChange::ClearTransaction])
        }
        _ => {
            let text = "a prepared statement can't execute another one";
            return Err(QueryError::new(ErrorCode::NotSupported, text));
        }
    })
}

fn prepared(session: &Session, name: &str) -> Result<String, QueryError> {
    let known = session.prepared.get(name).cloned();
    known.ok_or_else(|| {
        QueryError::new(
            ErrorCode::NotFound,
            format!("Prepared statement not found: {name}"),
        )
    })
}

fn check_property(name: &str) -> Result<(), QueryError> {
    if PROPERTIES.iter().any(|(known, ..)| *known == name) {
        return Ok(());
    }
    Err(QueryError::new(
        ErrorCode::InvalidSessionProperty,
        format!("Session property '{name}' does not exist"),
    ))
}

fn check_zone(zone: String) -> Result<String, QueryError> {
    match zone.parse::<arrow::array::timezone::Tz>() {
        Ok(_) => Ok(zone),
        Err(_) => Err(QueryError::new(
            ErrorCode::InvalidFunctionArgument,
            format!("'{zone}' is not a valid time zone"),
        )),
    }
}

fn kill(engine: &Engine, id: &str, message: Option<String>) -> Result<Update, QueryError> {
    let query = engine.history.find(id);
    let query = query.ok_or_else(|| {
        QueryError::new(ErrorCode::NotFound, format!("Target query not found: {id}"))
    })?;
    let text = message.map_or_else(String::new, |message| format!(" Message: {message}"));
    query.cancel(QueryError::new(
        ErrorCode::AdministrativelyKilled,
        format!("Query killed.{text}"),
    ));
    Ok(Update::new("CALL", Vec::new()))
}

async fn use_schema(
    engine: &Engine,
    session: &Session,
    catalog: Option<String>,
    schema: String,
) -> Result<Update, QueryError> {
    let catalogs = catalogs(engine).await?;
    let wanted = catalog.clone().unwrap_or_else(|| session.catalog.clone());
    resolve::check_schema(&catalogs, &wanted, &schema)?;
    let mut changes = vec![SessionChange::Schema(schema)];
    if let Some(catalog) = catalog {
        changes.insert(0, SessionChange::Catalog(catalog));
    }
    Ok(Update::new("USE", changes))
}

/// The catalogs over the newest cut.
pub(super) async fn catalogs(engine: &Engine) -> Result<Catalogs, QueryError> {
    let cut = engine.reader.cut().await?;
    Ok(Catalogs {
        cut,
        game: engine.game().clone(),
        history: engine.history.clone(),
    })
}

/// Tokens -> a logical plan over a pinned cut.
pub(super) async fn query(
    engine: &Engine,
    session: &Session,
    tokens: Tokens,
    parameters: &Parameters,
) -> Result<PlannedQuery, QueryError> {
    let tokens = bind(tokens, parameters)?;
    let mut tree = parse_query(tokens.list.clone())?;
    rewrite(&mut tree, session)?;
    let names = name_outputs(&mut tree, &tokens);
    let catalogs = catalogs(engine).await?;
    resolve::check_tables(&catalogs, session, &tree)?;
    let (state, budget) = engine.state_for(session, catalogs)?;
    let statement = Statement::Statement(Box::new(ast::Statement::Query(tree)));
    let plan = state.statement_to_plan(statement).await?;
    let only_reads = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    only_reads.verify_plan(&plan)?;
    explain::check_leaves(&plan)?;
    Ok(PlannedQuery {
        state,
        plan,
        names,
        budget,
    })
}
