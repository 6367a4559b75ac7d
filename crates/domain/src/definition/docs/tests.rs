//! The tracking plan of a small game, pinned.

use super::markdown;
use crate::definition::Game;
use crate::definition::template::new_game;

#[test]
fn the_plan_of_a_new_game_is_as_reviewed() {
    let files = new_game("lake-day");
    let read = |wanted: &str| {
        let found = files.iter().find(|(path, _)| path == wanted);
        found
            .map(|(_, text)| text.clone())
            .ok_or_else(|| "no such file".to_owned())
    };
    let text = read("game.yaml").expect("a definition");
    let game =
        Game::load("game.yaml", &text, &read).unwrap_or_else(|problems| panic!("{problems}"));
    // The version changes with every word of the template.
    let page = markdown(&game).replace(game.version(), "0123456789ab");
    insta::assert_snapshot!(page);
}

#[test]
fn a_table_with_a_row_per_item_says_how_to_sum() {
    let text = r#"
apiVersion: gamepipe.dev/v1alpha1
kind: Game
metadata: {name: swap}
spec:
  events:
    trade:
      from: [client]
      properties:
        gold: {type: integer}
        note: {nullable: true, description: "a | b\nc"}
        items: {type: list, items: {type: object, properties: {name: {}, level: {type: integer}}}}
  tables:
    trades:
      from: [trade]
      rows: items
      columns: [{name: level, field: items.level}, {name: gold}, {name: user-agent}]
"#;
    let game = Game::load("swap.yaml", text, &|_| Err("no files".to_owned()))
        .unwrap_or_else(|found| panic!("{found}"));
    let page = markdown(&game);
    let sum = "select sum(gold) from (select distinct _event_id, gold from swap_raw.trades) as once_per_event";
    assert!(page.contains(sum), "{page}");
    assert!(page.contains("a \\| b c"), "{page}");
    assert!(
        page.contains("clients (`POST /v1/events`), with `context.host` as its key"),
        "{page}"
    );
}
