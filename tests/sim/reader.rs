//! Who reads meanwhile: pins a cut, counts its rows, and opens every file that it names.

use std::sync::Arc;
use std::time::Duration;

use gamepipe_lake::reader::{Cut, LakeReader, ReadError, View};
use gamepipe_service::Shutdown;
use gamepipe_tests::random::Random;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::check::TABLES;
use crate::process::Scene;

/// What a reader saw of a table at an epoch.
#[derive(Debug)]
pub(crate) struct Sighting {
    pub(crate) epoch: u64,
    pub(crate) table: &'static str,
    pub(crate) rows: u64,
}

/// Reads until told to stop; returns all that was seen. An error when a file that a cut names is not there.
pub(crate) async fn keep_reading(
    scene: Scene,
    mut random: Random,
    stop: Shutdown,
) -> anyhow::Result<Vec<Sighting>> {
    let link = scene.calm_link();
    let reader = LakeReader::open_on(link.objects(), Arc::clone(&scene.game))?;
    let mut seen = Vec::new();
    while !stop.is_cancelled() {
        // Clean-up has taken what it was about to read: it begins anew, as a query would.
        if let Ok(cut) = reader.cut().await {
            let table = *random.pick(&TABLES);
            if let Ok(Some(rows)) = look(&cut, table, reader.store(), &mut random).await {
                let epoch = cut.epoch();
                let rows = rows?;
                seen.push(Sighting { epoch, table, rows });
            }
        }
        tokio::time::sleep(Duration::from_millis(1 + random.below(40))).await;
    }
    Ok(seen)
}

/// The rows of a table in a cut, all of whose files are there some time later.
async fn look(
    cut: &Cut,
    table: &str,
    store: &Arc<dyn ObjectStore>,
    random: &mut Random,
) -> Result<Option<anyhow::Result<u64>>, ReadError> {
    let Some(snapshot) = cut.snapshot(View::Raw, table).await? else {
        return Ok(None);
    };
    tokio::time::sleep(Duration::from_millis(random.below(60))).await;
    for file in snapshot.files.iter() {
        if let Err(error) = store.head(&file.path).await {
            return Ok(Some(Err(anyhow::anyhow!(
                "{} of {table} at epoch {} is gone: {error}",
                file.path,
                cut.epoch()
            ))));
        }
    }
    Ok(snapshot.rows().map(Ok))
}
