//! The whole platform on a node: as the README brings it up, under players, through everything that happens to it, down and up again.

mod changes;
mod faults;
mod games;
mod handle;
mod peers;
mod readme;
mod tls;

use std::sync::{Arc, RwLock};

use anyhow::{Context, Result};
use gamepipe_tests::ledger::{check_arena_at, landed};
use gamepipe_tests::load::{Acknowledged, StubbornCrowd, Targets, initialize_players};
use gamepipe_tests::random::Random;

use self::handle::Pipeline;
use super::in_namespace;

/// How many players' clients there are while things happen. Few: the whole platform shares two cores with them.
const CLIENTS: usize = 3;

/// The README's pipeline, from the first command to the last, with all that may happen in between. One test, since each step needs what
/// the ones before it have left, and since two Kafkas side by side are too much for a small machine.
#[test]
fn a_pipeline_of_the_readme_loses_nothing_whatever_happens_to_it() -> Result<()> {
    in_namespace("games", |space| {
        let readme = readme::Section::read(space)?;
        readme.bring_up()?;
        readme.play()?;
        let arena = Pipeline::of(space, "arena");
        peers::only_those_named_get_through(&arena)?;
        through_everything(&arena, &readme)?;
        games::each_other_one_shares_its_kafka(&arena)?;
        readme.take_away(&arena)?;
        readme.install()?;
        tls::a_managed_kafka_speaks_it(space)
    })
}

/// Players go on while one thing after another happens; afterwards every event that they were told of is in its table once, and every
/// balance is what its ledger says. Then the same after all of it was deleted but the data.
fn through_everything(arena: &Pipeline<'_>, readme: &readme::Section<'_>) -> Result<()> {
    let mut acknowledged = Acknowledged {
        // What was there before the crowd must stay, too.
        event_ids: landed(&arena.sql()?)?,
        unanswered: 0,
    };
    acknowledged.merge(initialize_players(&arena.api()?)?);
    let targets: Targets = Arc::new(RwLock::new(vec![arena.address("api", 5000)?]));
    let mut random = Random::from_environment("pipeline");
    let crowd = StubbornCrowd::start(&targets, CLIENTS, &mut random);
    let happened = faults::happen(arena, &crowd)
        .and_then(|()| changes::happen(arena, &crowd))
        .and_then(|()| faults::with_the_operator(arena, readme, &crowd));
    acknowledged.merge(crowd.finish());
    happened?;
    check(arena, &acknowledged).context("after all that happened")?;

    readme.take_away(arena)?;
    readme.bring_up_again()?;
    changes::brokers_of_kept_volumes_stay(arena)?;
    acknowledged.merge(initialize_players(&arena.api()?)?);
    check(arena, &acknowledged).context("on kept volumes")
}

/// Waits until the tables and the state agree with what players were told.
fn check(arena: &Pipeline<'_>, acknowledged: &Acknowledged) -> Result<()> {
    eprintln!(
        "{} events were acknowledged, {} requests went unanswered",
        acknowledged.event_ids.len(),
        acknowledged.unanswered
    );
    let (api, sql) = (arena.api()?, arena.sql()?);
    arena.cluster().wait("all events to land", |_| {
        check_arena_at(&api, &sql, acknowledged)
    })
}
