//! Statements that are answered before the planner sees them.

use super::{Command, ExplainMode, Like, Show, recognise};
use crate::dialect::tokens::tokenize;
use crate::error::{ErrorCode, QueryError};

fn read(sql: &str) -> Result<Command, QueryError> {
    recognise(sql, tokenize(sql)?)
}

#[test]
fn show_and_describe_are_read_with_their_filters() {
    let Command::Show(shown) =
        read("show TABLES from Hive.\"Default\" like 'a!_%' escape '!';").unwrap()
    else {
        panic!()
    };
    let like = Some(Like {
        pattern: "a!_%".to_owned(),
        escape: Some("!".to_owned()),
    });
    assert_eq!(
        shown,
        Show::Tables {
            schema: vec!["hive".to_owned(), "default".to_owned()],
            like
        }
    );
    assert!(matches!(
        read("DESCRIBE t").unwrap(),
        Command::Show(Show::Columns { .. })
    ));
    assert!(matches!(
        read("desc input").unwrap(),
        Command::Show(Show::Columns { .. })
    ));
    assert!(matches!(
        read("describe input s1").unwrap(),
        Command::DescribeInput { .. }
    ));
}

#[test]
fn a_prepared_statement_keeps_its_text() {
    let Command::Prepare { name, statement } =
        read("PREPARE s1 FROM\n SELECT 'é', \"B\" FROM t WHERE x = ?;").unwrap()
    else {
        panic!()
    };
    assert_eq!(
        (name.as_str(), statement.as_str()),
        ("s1", "SELECT 'é', \"B\" FROM t WHERE x = ?")
    );
}

#[test]
fn arguments_are_split_at_outer_commas() {
    let Command::ExecuteImmediate {
        statement,
        arguments,
    } = read("EXECUTE IMMEDIATE 'SELECT ?' USING ARRAY[1,2], f(1,(2)), 'x'").unwrap()
    else {
        panic!()
    };
    assert_eq!((statement.as_str(), arguments.len()), ("SELECT ?", 3));
}

#[test]
fn statements_that_write_are_a_matter_of_permission_also_inside_explain() {
    for sql in [
        "INSERT INTO t VALUES (1)",
        "copy (select 1) to 'x.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO 'x.csv'",
        "EXPLAIN INSERT INTO t SELECT 1",
        "CREATE EXTERNAL TABLE ev STORED AS CSV LOCATION '/etc/passwd'",
        "drop table t",
    ] {
        assert_eq!(
            read(sql).unwrap_err().code,
            ErrorCode::PermissionDenied,
            "{sql}"
        );
    }
    assert_eq!(read("SELEC 1").unwrap_err().message(), {
        "line 1:1: mismatched input 'SELEC'. Expecting: a query, SHOW, DESCRIBE, EXPLAIN or USE"
    });
    assert_eq!(read("").unwrap_err().code, ErrorCode::SyntaxError);
}

#[test]
fn explain_has_its_modes() {
    let mode = |sql: &str| match read(sql).unwrap() {
        Command::Explain { mode, .. } => mode,
        other => panic!("{other:?}"),
    };
    assert_eq!(mode("explain select 1"), ExplainMode::Physical);
    assert_eq!(
        mode("EXPLAIN (TYPE LOGICAL, FORMAT TEXT) SELECT 1"),
        ExplainMode::Logical
    );
    assert_eq!(
        mode("explain analyze verbose (select 1)"),
        ExplainMode::Analyze
    );
    assert!(read("EXPLAIN (FORMAT JSON) SELECT 1").is_err());
}

#[test]
fn kill_query_takes_names_or_places() {
    for sql in [
        "CALL system.runtime.kill_query(query_id => 'a_1', message => 'bye')",
        "CALL system.runtime.kill_query('a_1', 'bye')",
    ] {
        let Command::KillQuery { id, message } = read(sql).unwrap() else {
            panic!()
        };
        assert_eq!((id.as_str(), message.as_deref()), ("a_1", Some("bye")));
    }
}
