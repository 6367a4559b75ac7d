//! A definition that has changed since the data directory was last used: told by name, and refused where the players who
//! are there could do nothing any more.

use std::path::Path;

use anyhow::bail;
use gamepipe_domain::definition::Game;
use gamepipe_domain::definition::changes::Changes;

use super::data_dir::DataDir;
use crate::output::remark;

/// Compares `game` with what `data` was last used with. `accept` starts in spite of what would be refused.
pub(crate) fn check(data: &DataDir, game: &Game, accept: bool) -> anyhow::Result<()> {
    let known = match data.remembered() {
        Ok(Some(known)) => known,
        Ok(None) => return Ok(()),
        Err(error) if accept => {
            remark(&format!(
                "warning: {}; nothing was compared",
                crate::exit::describe(&error)
            ));
            return Ok(());
        }
        Err(error) => {
            return Err(error.context(
                "the definition that the data was last used with can't be compared; --accept-changes goes on without",
            ));
        }
    };
    let changes = Changes::between(&known, game.document());
    for change in &changes.lossy {
        remark(&format!("warning: {change}"));
    }
    if changes.broken.is_empty() {
        return Ok(());
    }
    if accept {
        for change in &changes.broken {
            remark(&format!("warning (accepted): {change}"));
        }
        return Ok(());
    }
    bail!(refusal(data.path(), &changes.broken))
}

fn refusal(data: &Path, broken: &[String]) -> String {
    let data = data.display();
    format!(
        "the definition has changed in a way that the data in {data} can't follow:\n  {}\n\
         Give what has changed a new name and leave the old one as it is; or start afresh with another directory (--data); \
         or accept that whoever has such data can do nothing any more (--accept-changes)",
        broken.join("\n  ")
    )
}
