//! Shapes: records of one type mostly have the same members in the same order. What was worked out for one (which member
//! fills which cell, which go to `_extra`, that no key occurs twice) holds for the next one of its shape.

use std::ops::Range;

use super::refusal::plain_key;
use crate::json::scan::Member;
use crate::stages::route::Plan;

/// How many shapes of a type are remembered: optional members make a few; more than that is noise.
const SHAPES_PER_PLAN: usize = 8;
/// A shape whose keys are longer than this in all, in bytes, is not remembered: it is not worth the memory.
const MAX_SHAPE_BYTES: usize = 4096;

/// One sequence of members, worked out for one plan.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    // As written, escapes included.
    keys: Vec<Box<str>>,
    /// By member: the known one that it is.
    pub(crate) names: Vec<Option<usize>>,
    /// By member: the cells that it fills.
    pub(crate) cells: Vec<Range<usize>>,
    /// By target of the plan: the members that go to `_extra`.
    pub(crate) extras: Vec<Vec<usize>>,
}

/// The shapes that have been met.
#[derive(Debug)]
pub(crate) struct Shapes {
    // By plan. The first one of each is for shapes that are not remembered.
    known: Vec<Vec<Shape>>,
    // By plan: which one gives way next.
    next: Vec<usize>,
}

impl Shapes {
    pub(crate) fn new(plans: usize) -> Self {
        Self {
            known: std::iter::repeat_with(|| vec![Shape::default()])
                .take(plans)
                .collect(),
            next: vec![1; plans],
        }
    }

    /// The shape of these members, if it is known.
    pub(crate) fn find(&self, plan: usize, members: &[Member], text: &str) -> Option<usize> {
        let shapes = self.known.get(plan)?;
        shapes
            .iter()
            .enumerate()
            .skip(1)
            .find(|(_, shape)| shape.fits(members, text))
            .map(|(number, _)| number)
    }

    /// Works out the shape of these members; returns its number.
    pub(crate) fn learn(
        &mut self,
        number: usize,
        plan: &Plan,
        members: &[Member],
        text: &str,
    ) -> usize {
        let shape = Shape::new(plan, members, text);
        let (Some(shapes), Some(next)) = (self.known.get_mut(number), self.next.get_mut(number))
        else {
            return 0;
        };
        let place = if shape.keys.iter().map(|key| key.len()).sum::<usize>() > MAX_SHAPE_BYTES {
            0
        } else {
            let place = *next;
            *next = if place == SHAPES_PER_PLAN {
                1
            } else {
                place + 1
            };
            place
        };
        match shapes.get_mut(place) {
            Some(old) => *old = shape,
            None => shapes.push(shape),
        }
        place
    }

    /// The shape of that number.
    #[expect(
        clippy::indexing_slicing,
        reason = "numbers come from `find` and `learn` of the same plan"
    )]
    pub(crate) fn get(&self, plan: usize, number: usize) -> &Shape {
        &self.known[plan][number]
    }
}

impl Shape {
    fn new(plan: &Plan, members: &[Member], text: &str) -> Self {
        let names: Vec<Option<usize>> = members
            .iter()
            .map(|member| {
                let key = plain_key(member, text);
                plan.names.iter().position(|name| *name == key)
            })
            .collect();
        let cells = names
            .iter()
            .map(|name| {
                let Some(name) = name else { return 0..0 };
                let first = plan.cells.partition_point(|cell| cell.name < *name);
                first..plan.cells.partition_point(|cell| cell.name <= *name)
            })
            .collect();
        let extras = plan
            .targets
            .iter()
            .map(|target| {
                let goes = |name: &Option<usize>| {
                    name.is_none_or(|name| !target.takes.get(name).unwrap_or(&false))
                };
                names
                    .iter()
                    .enumerate()
                    .filter(|(_, name)| goes(name))
                    .map(|(place, _)| place)
                    .collect()
            })
            .collect();
        Self {
            keys: members
                .iter()
                .map(|member| member.key.of(text).into())
                .collect(),
            names,
            cells,
            extras,
        }
    }

    fn fits(&self, members: &[Member], text: &str) -> bool {
        self.keys.len() == members.len()
            && self
                .keys
                .iter()
                .zip(members)
                .all(|(key, member)| member.key.of(text) == &**key)
    }
}
