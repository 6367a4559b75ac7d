//! The rows of one event: the items of a list, as cells.

use super::convert::convert;
use super::refusal::{mismatch, of_fault, plain_key, pointer};
use super::{Cell, Items, MAX_ROWS_PER_EVENT};
use crate::json::scan::{Kind, Member, Scanner, Span, Value};
use crate::messages::{BadRecord, bad_code};
use crate::stages::route::RowsPlan;

/// Reads the items of one list.
pub(super) struct ItemReader<'a> {
    pub(super) rows: &'a RowsPlan,
    pub(super) at: &'a str,
    pub(super) text: &'a str,
    pub(super) members: &'a mut Vec<Member>,
}

impl ItemReader<'_> {
    pub(super) fn read(
        &mut self,
        scanner: &mut Scanner,
        list: Span,
        items: &mut Items,
    ) -> Result<(), BadRecord> {
        let mut outcome = Ok(());
        let text = self.text;
        let scanned = scanner.items(text, list, |scanner, item| {
            if outcome.is_ok() {
                outcome = self.item(scanner, item, items);
            }
        });
        scanned.map_err(|fault| of_fault(fault, text))?;
        outcome
    }

    fn item(
        &mut self,
        scanner: &mut Scanner,
        item: Value,
        items: &mut Items,
    ) -> Result<(), BadRecord> {
        let number = items.rows;
        if number >= MAX_ROWS_PER_EVENT {
            return Err(BadRecord {
                code: bad_code::TOO_MANY_ROWS,
                detail: format!("an event makes at most {MAX_ROWS_PER_EVENT} rows of a table"),
                pointer: self.at.to_owned(),
            });
        }
        if item.kind != Kind::Object {
            return Err(mismatch(
                format!("{}/{number}", self.at),
                "an object",
                item,
                self.text,
            ));
        }
        scanner
            .members_of(self.text, item.span, self.members)
            .map_err(|fault| of_fault(fault, self.text))?;
        let first = items.cells.len();
        items
            .cells
            .resize(first + self.rows.cells.len(), Cell::Null);
        let mut extra = String::new();
        for member in self.members.iter() {
            let name = plain_key(member, self.text);
            let Some(known) = self.rows.names.iter().position(|wanted| *wanted == name) else {
                if !extra.is_empty() {
                    extra.push(',');
                }
                extra.push_str(member.json(self.text));
                continue;
            };
            let wanted = self
                .rows
                .cells
                .iter()
                .enumerate()
                .filter(|(_, cell)| cell.name == known);
            for (place, cell) in wanted {
                let value = convert(cell.kind, member.value, self.text).map_err(|problem| {
                    problem.at(
                        format!("{}/{number}{}", self.at, pointer(member, self.text)),
                        member.value,
                        self.text,
                    )
                })?;
                if let Some(target) = items.cells.get_mut(first + place) {
                    *target = value;
                }
            }
        }
        items.rows += 1;
        items.extras.push(extra);
        Ok(())
    }
}
