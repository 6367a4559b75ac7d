//! The columns of one table while an epoch is gathered.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Float64Builder, Int32Builder, Int64Builder,
    RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use gamepipe_domain::definition::game::ColumnKind;
use gamepipe_domain::event::bad::BadEvent;
use gamepipe_lake::LakeTable;

use crate::json::text::unescape;
use crate::stages::decode::Cell;

/// What a row costs besides its texts, in bytes: numbers, offsets and validity of a dozen columns.
const ROW_BYTES: usize = 128;

/// Where a row comes from and where it is filed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// Days since 1970-01-01.
    pub(crate) day: i32,
}

/// The rows of one table.
#[derive(Debug)]
pub(crate) struct TableRows {
    schema: SchemaRef,
    columns: Vec<Column>,
    event_id: Column,
    event_time: TimestampMicrosecondBuilder,
    event_date: Date32Builder,
    partition: Int32Builder,
    offset: Int64Builder,
    row: Option<Int32Builder>,
    extra: Column,
    rows: usize,
}

/// A column of some type.
#[derive(Debug)]
pub(crate) enum Column {
    Integer(Int64Builder),
    Number(Float64Builder),
    Boolean(BooleanBuilder),
    Micros(TimestampMicrosecondBuilder),
    Text(StringBuilder),
}

impl Column {
    fn new(kind: ColumnKind) -> Self {
        // Room is made by the first row: most tables are idle most of the time.
        match kind {
            ColumnKind::Integer => Self::Integer(Int64Builder::with_capacity(0)),
            ColumnKind::Number => Self::Number(Float64Builder::with_capacity(0)),
            ColumnKind::Boolean => Self::Boolean(BooleanBuilder::with_capacity(0)),
            ColumnKind::Timestamp => Self::Micros(TimestampMicrosecondBuilder::with_capacity(0)),
            ColumnKind::String | ColumnKind::Json => Self::Text(StringBuilder::with_capacity(0, 0)),
        }
    }

    /// Appends a cell. A cell of another type than the column's can't come: plans pair cells with their columns' types.
    pub(crate) fn push(&mut self, cell: Cell, text: &str, scratch: &mut String) {
        match (self, cell) {
            (Self::Text(column), Cell::Text(span)) => column.append_value(span.of(text)),
            (Self::Text(column), Cell::Escaped(span)) => {
                scratch.clear();
                unescape(span.of(text), scratch);
                column.append_value(scratch.as_str());
            }
            (Self::Integer(column), Cell::Integer(value)) => column.append_value(value),
            (Self::Number(column), Cell::Number(value)) => column.append_value(value),
            (Self::Boolean(column), Cell::Boolean(value)) => column.append_value(value),
            (Self::Micros(column), Cell::Micros(value)) => column.append_value(value),
            (column, _) => column.push_null(),
        }
    }

    /// Appends a text to a column of text; null to any other.
    pub(crate) fn push_text(&mut self, text: &str) {
        match self {
            Self::Text(column) => column.append_value(text),
            other => other.push_null(),
        }
    }

    fn push_null(&mut self) {
        match self {
            Self::Integer(column) => column.append_null(),
            Self::Number(column) => column.append_null(),
            Self::Boolean(column) => column.append_null(),
            Self::Micros(column) => column.append_null(),
            Self::Text(column) => column.append_null(),
        }
    }

    fn text_bytes(&self) -> usize {
        match self {
            Self::Text(column) => column.values_slice().len(),
            _ => 0,
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Integer(column) => Arc::new(column.finish()),
            Self::Number(column) => Arc::new(column.finish()),
            Self::Boolean(column) => Arc::new(column.finish()),
            Self::Micros(column) => Arc::new(column.finish()),
            Self::Text(column) => Arc::new(column.finish()),
        }
    }
}

impl TableRows {
    pub(crate) fn new(table: &LakeTable) -> Self {
        Self {
            schema: Arc::clone(&table.schema),
            columns: table
                .table
                .columns
                .iter()
                .map(|column| Column::new(column.kind))
                .collect(),
            event_id: Column::new(ColumnKind::String),
            event_time: TimestampMicrosecondBuilder::with_capacity(0),
            event_date: Date32Builder::with_capacity(0),
            partition: Int32Builder::with_capacity(0),
            offset: Int64Builder::with_capacity(0),
            row: table
                .table
                .rows
                .is_some()
                .then(|| Int32Builder::with_capacity(0)),
            extra: Column::new(ColumnKind::String),
            rows: 0,
        }
    }

    /// The declared columns. Each must get a cell before the row is ended.
    pub(crate) fn columns_mut(&mut self) -> &mut [Column] {
        &mut self.columns
    }

    /// Fills the system columns of a row but the event's id.
    pub(crate) fn end_row(&mut self, place: Place, micros: i64, row: i32, extra: Option<&str>) {
        self.event_time.append_value(micros);
        self.event_date.append_value(place.day);
        self.partition.append_value(place.partition);
        self.offset.append_value(place.offset);
        if let Some(column) = &mut self.row {
            column.append_value(row);
        }
        match extra {
            Some(text) => self.extra.push_text(text),
            None => self.extra.push_null(),
        }
        self.rows += 1;
    }

    /// The event's id of the row that was ended last.
    pub(crate) fn push_id(&mut self, id: Cell, text: &str, scratch: &mut String) {
        self.event_id.push(id, text, scratch);
    }

    /// A row of the table of bad events.
    pub(crate) fn append_bad(&mut self, place: Place, bad: &BadEvent) {
        let texts = [
            &bad.origin,
            &bad.code,
            &bad.detail,
            &bad.pointer,
            &bad.payload,
        ];
        for (column, text) in self.columns.iter_mut().zip(texts) {
            column.push_text(text);
        }
        for column in self.columns.iter_mut().skip(texts.len()) {
            column.push(Cell::Micros(bad.time.micros()), "", &mut String::new());
        }
        self.end_row(place, bad.time.micros(), 0, None);
        if bad.id.is_empty() {
            self.event_id.push_null()
        } else {
            self.event_id.push_text(&bad.id)
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// About how much memory the rows take.
    pub(crate) fn bytes(&self) -> usize {
        let texts: usize = self
            .columns
            .iter()
            .chain([&self.event_id, &self.extra])
            .map(Column::text_bytes)
            .sum();
        texts + self.rows * ROW_BYTES
    }

    /// The rows, in the order of the lake's columns; the table is empty afterwards.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let mut arrays: Vec<ArrayRef> = self.columns.iter_mut().map(Column::finish).collect();
        arrays.push(self.event_id.finish());
        arrays.push(Arc::new(self.event_time.finish()));
        arrays.push(Arc::new(self.event_date.finish()));
        arrays.push(Arc::new(self.partition.finish()));
        arrays.push(Arc::new(self.offset.finish()));
        if let Some(row) = &mut self.row {
            arrays.push(Arc::new(row.finish()));
        }
        arrays.push(self.extra.finish());
        self.rows = 0;
        RecordBatch::try_new(Arc::clone(&self.schema), arrays)
    }
}
