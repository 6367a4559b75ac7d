//! A lake, an endpoint on port 0, and a small HTTP client.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::json::ReaderBuilder;
use gamepipe_config::lake::LakeConfig;
use gamepipe_config::sql::SqlConfig;
use gamepipe_domain::definition::Game;
use gamepipe_lake::Lake;
use gamepipe_lake::commit::EncodedEpoch;
use gamepipe_lake::epoch::OffsetRange;
use gamepipe_lake::reader::LakeReader;
use gamepipe_service::Shutdown;
use gamepipe_service::clock::SystemClock;
use gamepipe_service::probes::Probes;
use gamepipe_sql::SqlService;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An endpoint over a lake of a game: `arena` unless told otherwise.
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    pub(crate) lake: Arc<Lake>,
    shutdown: Shutdown,
    served: tokio::task::JoinHandle<()>,
    offset: AtomicU64,
    _folder: tempfile::TempDir,
}

/// An HTTP reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// The body came to its proper end.
    pub(crate) whole: bool,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub(crate) fn arena() -> Arc<Game> {
    game("arena")
}

/// A reference game.
pub(crate) fn game(name: &str) -> Arc<Game> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../games")
        .join(name);
    let text = std::fs::read_to_string(folder.join("game.yaml")).unwrap();
    let read_file =
        |name: &str| std::fs::read_to_string(folder.join(name)).map_err(|e| e.to_string());
    Arc::new(Game::load(name, &text, &read_file).unwrap())
}

impl Endpoint {
    pub(crate) async fn start() -> Self {
        Self::start_with(SqlConfig {
            threads: 2,
            ..SqlConfig::default()
        })
        .await
    }

    pub(crate) async fn start_with(config: SqlConfig) -> Self {
        Self::start_game(arena(), config).await
    }

    pub(crate) async fn start_game(game: Arc<Game>, config: SqlConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lake");
        let clock = Arc::new(SystemClock);
        let lake_config = LakeConfig {
            path: path.display().to_string(),
            ..LakeConfig::default()
        };
        let lake = Arc::new(Lake::open(&lake_config, game.clone(), clock.clone()).unwrap());
        lake.prepare().await.unwrap();
        lake.resume("one", 1).await.unwrap();
        let reader = LakeReader::open(&lake_config, game.clone()).unwrap();
        let service = SqlService::build(config, game, reader, clock, Probes::default()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let stop = shutdown.clone();
        let served = tokio::spawn(async move { service.serve(listener, stop).await.unwrap() });
        Self {
            address,
            lake,
            shutdown,
            served,
            offset: AtomicU64::new(0),
            _folder: folder,
        }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.served.await.unwrap();
    }

    pub(crate) fn begin_stop(&self) {
        self.shutdown.cancel();
    }

    /// Lands rows of one epoch: table -> rows with declared columns; system columns are filled in.
    pub(crate) async fn land(&self, tables: &[(&str, Vec<Value>)]) {
        let from = self.offset.load(Ordering::SeqCst);
        let mut to = from;
        let mut files = Vec::new();
        for (table, rows) in tables {
            let schema = self.schema(table);
            let batch = batch(&schema, rows, &mut to);
            files.push(self.lake.encode(table, vec![batch]).await.unwrap());
        }
        self.offset.store(to, Ordering::SeqCst);
        let range = OffsetRange::new(0, from, to);
        let epoch = EncodedEpoch {
            ranges: vec![range],
            records: to - from,
            tables: files,
            passes_gaps: false,
        };
        self.lake.commit_epoch(epoch).await.unwrap();
    }

    fn schema(&self, table: &str) -> SchemaRef {
        let found = self
            .lake
            .tables()
            .iter()
            .find(|known| known.table.name == table);
        found.unwrap().schema.clone()
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.request("GET", path, &[], b"").await
    }

    /// `POST /sql` with text.
    pub(crate) async fn sql(&self, sql: &str) -> Reply {
        self.request(
            "POST",
            "/sql",
            &[("content-type", "text/plain")],
            sql.as_bytes(),
        )
        .await
    }

    /// `POST /sql` with JSON.
    pub(crate) async fn ask(&self, body: &Value) -> Reply {
        let headers = [("content-type", "application/json")];
        self.request("POST", "/sql", &headers, body.to_string().as_bytes())
            .await
    }

    /// The rows of a statement that works.
    pub(crate) async fn rows(&self, sql: &str) -> Value {
        let reply = self.sql(sql).await;
        assert_eq!(reply.status, 200, "{sql}: {}", reply.text());
        reply.json()["rows"].clone()
    }

    /// The code and the text of a statement that fails.
    pub(crate) async fn error(&self, sql: &str) -> (String, String) {
        let reply = self.sql(sql).await;
        assert!(reply.status >= 400, "{sql}: {}", reply.text());
        let problem = reply.json();
        let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        (text("code"), text("detail"))
    }

    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nte: trailers\r\n",
            self.address
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut all = Vec::new();
        // A server that cuts the connection is one of the things that are tested.
        let _ = stream.read_to_end(&mut all).await;
        parse(&all)
    }
}

/// A batch of rows by a table's schema. Every row gets an offset of its own and a day of 2026-01-01.
pub(crate) fn batch(schema: &SchemaRef, rows: &[Value], offset: &mut u64) -> RecordBatch {
    let mut lines = String::new();
    for row in rows {
        let mut row = row.as_object().unwrap().clone();
        row.insert("_event_id".to_owned(), json!(format!("e{offset}")));
        row.insert(
            "_event_time".to_owned(),
            json!("2026-01-01T00:00:00.000000"),
        );
        row.insert("_event_date".to_owned(), json!("2026-01-01"));
        row.insert("_partition".to_owned(), json!(0));
        row.insert("_offset".to_owned(), json!(*offset));
        *offset += 1;
        lines.push_str(&Value::Object(row).to_string());
        lines.push('\n');
    }
    let mut reader = ReaderBuilder::new(schema.clone())
        .with_batch_size(rows.len().max(1))
        .build(lines.as_bytes())
        .unwrap();
    match reader.next() {
        Some(batch) => batch.unwrap(),
        None => RecordBatch::new_empty(schema.clone()),
    }
}

fn parse(all: &[u8]) -> Reply {
    let end = all
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a reply has a head");
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let mut headers = BTreeMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let rest = &all[end + 4..];
    if headers
        .get("transfer-encoding")
        .is_some_and(|coding| coding == "chunked")
    {
        let (body, whole) = dechunk(rest, &mut headers);
        return Reply {
            status,
            headers,
            body,
            whole,
        };
    }
    Reply {
        status,
        headers,
        body: rest.to_vec(),
        whole: true,
    }
}

fn dechunk(mut rest: &[u8], headers: &mut BTreeMap<String, String>) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else {
            return (body, false);
        };
        let size = usize::from_str_radix(&String::from_utf8_lossy(&rest[..end]), 16).unwrap();
        rest = &rest[end + 2..];
        if size == 0 {
            for line in String::from_utf8_lossy(rest)
                .lines()
                .filter(|line| line.contains(": "))
            {
                let (name, value) = line.split_once(": ").unwrap();
                headers.insert(name.to_lowercase(), value.to_owned());
            }
            return (body, true);
        }
        if rest.len() < size + 2 {
            return (body, false);
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}
