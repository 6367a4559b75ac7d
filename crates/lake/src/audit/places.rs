//! Where the rows of a table's files come from.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, SchemaRef};

use super::offsets::OffsetSet;
use super::{NAMED, RowPlace};
use crate::error::LakeError;
use crate::reading::{LakeFile, read_rows};
use crate::schema::column;

/// What the files of one table hold.
pub(super) struct Found {
    pub(super) rows: u64,
    pub(super) duplicates: u64,
    pub(super) named: Vec<RowPlace>,
    pub(super) unexplained: u64,
    pub(super) covered: Vec<OffsetSet>,
}

/// Reads where all rows of these files come from. Blocks.
pub(super) fn read_places(
    table: &str,
    files: &[LakeFile],
    wanted: &SchemaRef,
    landed: &[u64],
) -> Result<Found, LakeError> {
    let mut found = Found {
        rows: 0,
        duplicates: 0,
        named: Vec::new(),
        unexplained: 0,
        covered: landed.iter().map(|to| OffsetSet::new(*to)).collect(),
    };
    // Only events that make many rows need each row's number: elsewhere an offset that comes twice is a duplicate.
    let many = wanted.column_with_name(column::ROW).is_some();
    let mut places: Vec<RowPlace> = Vec::new();
    for file in files {
        for batch in read_rows(table, file, wanted)? {
            for place in row_places(&batch) {
                found.rows += 1;
                let set = place.and_then(|place| {
                    Some((place, found.covered.get_mut(place.partition as usize)?))
                });
                let Some((place, set)) = set.filter(|(place, set)| set.reaches(place.offset))
                else {
                    found.unexplained += 1;
                    continue;
                };
                let is_new = set.insert(place.offset);
                if many {
                    places.push(place);
                } else if !is_new {
                    found.duplicate(place);
                }
            }
        }
    }
    places.sort_unstable();
    for pair in places.windows(2) {
        if let [first, second] = pair
            && first == second
        {
            found.duplicate(*second);
        }
    }
    Ok(found)
}

impl Found {
    fn duplicate(&mut self, place: RowPlace) {
        self.duplicates += 1;
        if self.named.len() < NAMED {
            self.named.push(place);
        }
    }
}

/// Where each row comes from; `None` for a row that does not say.
fn row_places(batch: &RecordBatch) -> Vec<Option<RowPlace>> {
    let partitions = batch
        .column_by_name(column::PARTITION)
        .map(|values| values.as_primitive::<Int32Type>());
    let offsets = batch
        .column_by_name(column::OFFSET)
        .map(|values| values.as_primitive::<Int64Type>());
    let rows = batch
        .column_by_name(column::ROW)
        .map(|values| values.as_primitive::<Int32Type>());
    (0..batch.num_rows())
        .map(|index| {
            let partition = partitions
                .filter(|values| values.is_valid(index))?
                .value(index);
            let offset = offsets
                .filter(|values| values.is_valid(index))?
                .value(index);
            // Rows from before a table got row numbers have none.
            let row = rows
                .filter(|values| values.is_valid(index))
                .map_or(0, |values| values.value(index));
            Some(RowPlace {
                partition: u32::try_from(partition).ok()?,
                offset: u64::try_from(offset).ok()?,
                row: u32::try_from(row).ok()?,
            })
        })
        .collect()
}
