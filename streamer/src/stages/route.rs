//! Route: which tables an event of a type goes to, and which of its members fill which columns. Worked out once.

use std::collections::HashMap;

use gamepipe_domain::definition::game::{ColumnKind, ColumnSource, Table};
use gamepipe_domain::definition::system::{BAD_EVENTS, OTHER_EVENTS};
use gamepipe_domain::event::field;

/// The envelope's members, which every plan knows under these numbers.
pub(crate) const EVENT_ID: usize = 0;
/// See [`EVENT_ID`].
pub(crate) const EVENT_TYPE: usize = 1;
/// See [`EVENT_ID`].
pub(crate) const EVENT_TIME: usize = 2;

/// All routes of a game.
#[derive(Debug)]
pub(crate) struct Routes {
    plans: Vec<Plan>,
    by_type: HashMap<String, usize>,
    /// The number of the table of bad events.
    pub(crate) bad_events: usize,
}

/// What is done with an event of one type. Its first three cells are the id, the type and the time.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The members that some column wants, by name.
    pub(crate) names: Vec<String>,
    /// The typed values that columns want, in order of member.
    pub(crate) cells: Vec<CellPlan>,
    pub(crate) targets: Vec<Target>,
}

/// A member, read as a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CellPlan {
    pub(crate) name: usize,
    pub(crate) kind: ColumnKind,
}

/// One table that an event goes to.
#[derive(Debug)]
pub(crate) struct Target {
    /// Its number among the lake's tables.
    pub(crate) table: usize,
    /// Where each declared column's value comes from.
    pub(crate) columns: Vec<Source>,
    /// By member: whether the table has a place for it, so that it does not go to `_extra`.
    pub(crate) takes: Vec<bool>,
    /// True when rows would not tell their event's type otherwise: it goes to `_extra`.
    pub(crate) type_to_extra: bool,
    pub(crate) rows: Option<RowsPlan>,
}

/// Where a column's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The event's cell of that number.
    Cell(usize),
    /// The row item's cell of that number.
    Item(usize),
    /// The record as it is on the log.
    Raw,
}

/// How the items of a list become rows.
#[derive(Debug)]
pub(crate) struct RowsPlan {
    /// The list, as a number among the plan's members.
    pub(crate) list: usize,
    /// The items' members that columns want.
    pub(crate) names: Vec<String>,
    /// The typed values that columns want, in order of member.
    pub(crate) cells: Vec<CellPlan>,
}

impl Routes {
    /// The routes to these tables, whose numbers are their places in the list.
    pub(crate) fn new(tables: &[&Table]) -> Self {
        let mut types: Vec<&str> = tables
            .iter()
            .flat_map(|table| table.events.iter().map(String::as_str))
            .collect();
        types.sort_unstable();
        types.dedup();
        let number_of = |name: &str| {
            tables
                .iter()
                .position(|table| table.name == name)
                .unwrap_or_default()
        };
        let mut routes = Self {
            plans: Vec::new(),
            by_type: HashMap::new(),
            bad_events: number_of(BAD_EVENTS),
        };
        let other: Vec<_> = tables
            .iter()
            .enumerate()
            .filter(|(_, table)| table.name == OTHER_EVENTS)
            .collect();
        routes.plans.push(plan(&other));
        for event_type in types {
            let wanting: Vec<_> = tables
                .iter()
                .enumerate()
                .filter(|(_, table)| table.events.iter().any(|wanted| wanted == event_type))
                .collect();
            routes
                .by_type
                .insert(event_type.to_owned(), routes.plans.len());
            routes.plans.push(plan(&wanting));
        }
        routes
    }

    /// The number of the plan for a type; types that no table takes share one.
    pub(crate) fn plan_of(&self, event_type: &str) -> usize {
        self.by_type.get(event_type).copied().unwrap_or(0)
    }

    /// The plan of a number that [`Self::plan_of`] gave.
    pub(crate) fn plan(&self, number: usize) -> Option<&Plan> {
        self.plans.get(number)
    }

    pub(crate) fn plans(&self) -> usize {
        self.plans.len()
    }
}

fn plan(tables: &[(usize, &&Table)]) -> Plan {
    let mut plan = Plan {
        names: [field::EVENT_ID, field::EVENT_TYPE, field::EVENT_TIME]
            .map(ToOwned::to_owned)
            .to_vec(),
        cells: vec![
            CellPlan {
                name: EVENT_ID,
                kind: ColumnKind::String,
            },
            CellPlan {
                name: EVENT_TYPE,
                kind: ColumnKind::String,
            },
            CellPlan {
                name: EVENT_TIME,
                kind: ColumnKind::Timestamp,
            },
        ],
        targets: Vec::new(),
    };
    let mut sources = Vec::new();
    for (number, table) in tables {
        let mut rows = table.rows.as_ref().map(|list| RowsPlan {
            list: place_of(&mut plan.names, list),
            names: Vec::new(),
            cells: Vec::new(),
        });
        let columns: Vec<Wanted> = table
            .columns
            .iter()
            .map(|column| {
                let member = match &column.source {
                    ColumnSource::Property(name) => name.as_str(),
                    ColumnSource::EventId => field::EVENT_ID,
                    ColumnSource::EventType => field::EVENT_TYPE,
                    ColumnSource::EventTime => field::EVENT_TIME,
                    ColumnSource::Host => field::HOST,
                    ColumnSource::UserAgent => field::USER_AGENT,
                    ColumnSource::Accept => field::ACCEPT,
                    ColumnSource::RawEvent => return Wanted::Raw,
                    ColumnSource::RowItem(name) => {
                        let Some(rows) = &mut rows else {
                            return Wanted::Raw;
                        };
                        let name = place_of(&mut rows.names, name);
                        let cell = CellPlan {
                            name,
                            kind: column.kind,
                        };
                        add_cell(&mut rows.cells, cell);
                        return Wanted::Item(cell);
                    }
                };
                let cell = CellPlan {
                    name: place_of(&mut plan.names, member),
                    kind: column.kind,
                };
                add_cell(&mut plan.cells, cell);
                Wanted::Cell(cell)
            })
            .collect();
        sources.push((*number, *table, columns, rows));
    }
    for (number, table, wanted, rows) in sources {
        let target = target(&mut plan, number, table, &wanted, rows);
        plan.targets.push(target);
    }
    plan
}

enum Wanted {
    Cell(CellPlan),
    Item(CellPlan),
    Raw,
}

fn target(
    plan: &mut Plan,
    number: usize,
    table: &Table,
    wanted: &[Wanted],
    mut rows: Option<RowsPlan>,
) -> Target {
    let mut takes = vec![false; plan.names.len()];
    // The system columns take these; the type is told by the table's name when it is the only one.
    for name in [EVENT_ID, EVENT_TYPE, EVENT_TIME] {
        takes[name] = true;
    }
    let mut has_type = false;
    // Cells are kept in order of member, so that a member's cells lie together.
    if let Some(rows) = &mut rows {
        takes[rows.list] = true;
        rows.cells.sort_by_key(|cell| cell.name);
    }
    plan.cells.sort_by_key(|cell| cell.name);
    let columns = wanted
        .iter()
        .map(|wanted| match wanted {
            Wanted::Cell(cell) => {
                takes[cell.name] = true;
                has_type |= cell.name == EVENT_TYPE;
                Source::Cell(
                    plan.cells
                        .iter()
                        .position(|other| other == cell)
                        .unwrap_or_default(),
                )
            }
            Wanted::Item(cell) => {
                let cells = rows.as_ref().map_or(&[][..], |rows| &rows.cells);
                Source::Item(
                    cells
                        .iter()
                        .position(|other| other == cell)
                        .unwrap_or_default(),
                )
            }
            Wanted::Raw => Source::Raw,
        })
        .collect();
    Target {
        table: number,
        columns,
        takes,
        type_to_extra: table.events.len() > 1 && !has_type,
        rows,
    }
}

fn place_of(names: &mut Vec<String>, name: &str) -> usize {
    names
        .iter()
        .position(|known| known == name)
        .unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        })
}

fn add_cell(cells: &mut Vec<CellPlan>, cell: CellPlan) {
    if !cells.contains(&cell) {
        cells.push(cell);
    }
}
