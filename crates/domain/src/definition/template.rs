//! A small, complete game to start from: `gamepipe game new` writes it.

/// What the files hold where the game's name belongs, as in `metadata.name`.
const NAME: &str = "NEWGAME";

/// The files by their path beside the definition.
const FILES: [(&str, &str); 4] = [
    ("game.yaml", include_str!("template/game.yaml")),
    (
        "queries/fish_by_kind.sql",
        include_str!("template/queries/fish_by_kind.sql"),
    ),
    (
        "queries/best_anglers.sql",
        include_str!("template/queries/best_anglers.sql"),
    ),
    (
        "cases/angling.yaml",
        include_str!("template/cases/angling.yaml"),
    ),
];

/// The files of a new game called `name`: path beside the definition, and text. The first is `game.yaml`.
/// It loads when `name` is one that a game may have.
pub fn new_game(name: &str) -> Vec<(String, String)> {
    FILES
        .iter()
        .map(|(path, text)| ((*path).to_owned(), text.replace(NAME, name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::new_game;
    use crate::definition::Game;
    use crate::rules::cases::read_cases;

    #[test]
    fn a_new_game_loads_with_all_its_parts() {
        let files = new_game("deep-sea");
        let read = |wanted: &str| {
            let found = files.iter().find(|(path, _)| path == wanted);
            found
                .map(|(_, text)| text.clone())
                .ok_or_else(|| "no such file".to_owned())
        };
        let text = read("game.yaml").expect("a definition");
        let game =
            Game::load("game.yaml", &text, &read).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(
            (game.name(), game.topic().as_str()),
            ("deep-sea", "deep_sea_events")
        );
        assert_eq!(
            (
                game.actions().count(),
                game.tables().len(),
                game.queries().len()
            ),
            (3, 3, 2)
        );
        assert!(game.simulation().is_some());
        let (file, cases) = files.last().expect("a file of cases");
        let cases = read_cases(file, cases).unwrap_or_else(|problems| panic!("{problems}"));
        let wrong: Vec<_> = cases
            .iter()
            .filter_map(|case| Some((&case.name, case.check(&game).err()?)))
            .collect();
        assert!(cases.len() > 5 && wrong.is_empty(), "{wrong:?}");
        let unfilled = files.iter().find(|(_, text)| text.contains("NEW"));
        assert!(unfilled.is_none(), "{unfilled:?}");
    }
}
