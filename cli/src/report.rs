//! Reports: the game's questions answered, as one HTML page, a workbook, or CSV files.
//!
//! [`model`] is what there is to tell, [`gather`] asks for it, and each form is a pure function of the model.

pub(crate) mod model;

pub(crate) mod gather;

pub(crate) mod chart;
pub(crate) mod csv;
pub(crate) mod html;
pub(crate) mod summary;
pub(crate) mod xlsx;
