//! A bare ingress: an axum handler that puts what it gets on the shelf, a SQLite database with our
//! tables, one commit for all that came meanwhile. No validation, no triggers, no duplicates.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use rusqlite::{Connection, params};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

/// The most rows of one commit, and how often the writer lets others bring theirs: as ours does.
const BATCH: usize = 256;
const STEPS_BACK: usize = 8;

/// The process; it ends with this.
pub struct Shelf {
    child: Child,
    pub address: String,
    _folder: TempDir,
}

impl Shelf {
    /// Starts one that stores a task with each event, or the event alone.
    pub fn start(with_task: bool) -> Self {
        use std::io::BufRead as _;
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("shelf")
            .arg(folder.path())
            .arg(with_task.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            child,
            address: line.trim().to_owned(),
            _folder: folder,
        }
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An event on its way to the writer.
struct Row {
    id: String,
    source: String,
    ty: String,
    subject: String,
    data: Bytes,
    stored: oneshot::Sender<i64>,
}

/// Becomes the shelf when the arguments ask for it.
pub fn become_shelf(arguments: &[String]) {
    let [role, folder, with_task] = arguments else {
        return;
    };
    assert_eq!(role, "shelf");
    let conn = open(Path::new(folder));
    let with_task = with_task == "true";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (rows, taken) = mpsc::unbounded_channel();
        tokio::spawn(write(conn, with_task, taken));
        let app = Router::new()
            .route("/events", post(take))
            .with_state(Arc::new(rows));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, app).await.unwrap();
    });
    std::process::exit(0);
}

async fn take(
    State(rows): State<Arc<mpsc::UnboundedSender<Row>>>,
    headers: HeaderMap,
    data: Bytes,
) -> (StatusCode, String) {
    let attribute = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (stored, place) = oneshot::channel();
    let id = attribute("ce-id");
    let row = Row {
        id: id.clone(),
        source: attribute("ce-source"),
        ty: attribute("ce-type"),
        subject: attribute("ce-subject"),
        data,
        stored,
    };
    assert!(rows.send(row).is_ok());
    let seq = place.await.unwrap();
    let receipt = format!(r#"{{"id":"{id}","seq":{seq},"takers":[],"detail":"it is stored"}}"#);
    (StatusCode::ACCEPTED, receipt)
}

fn open(folder: &Path) -> Connection {
    let conn = Connection::open(folder.join("shelf.db")).unwrap();
    for (name, value) in [("journal_mode", "WAL"), ("synchronous", "NORMAL")] {
        conn.pragma_update(None, name, value).unwrap();
    }
    conn.execute_batch(include_str!("../../eventing/broker/src/store/schema.sql"))
        .unwrap();
    conn.execute_batch(include_str!(
        "../../eventing/broker/src/store/suspensions.sql"
    ))
    .unwrap();
    conn.execute_batch(include_str!("../../eventing/broker/src/store/events.sql"))
        .unwrap();
    conn
}

/// Writes what there is in one commit, again and again.
async fn write(conn: Connection, with_task: bool, mut taken: mpsc::UnboundedReceiver<Row>) {
    let mut seq = 0;
    while let Some(first) = taken.recv().await {
        let mut batch = vec![first];
        for _ in 0..STEPS_BACK {
            tokio::task::yield_now().await;
            let before = batch.len();
            while batch.len() < BATCH
                && let Ok(row) = taken.try_recv()
            {
                batch.push(row);
            }
            if batch.len() == before {
                break;
            }
        }
        run(&conn, "BEGIN IMMEDIATE");
        for row in &batch {
            seq += 1;
            put_event(&conn, row, seq);
            if with_task {
                put_task(&conn, row, seq);
            }
        }
        run(&conn, "COMMIT");
        let first = seq - i64::try_from(batch.len()).unwrap();
        for (row, place) in batch.into_iter().zip(first + 1..) {
            // Whoever hung up wants no receipt.
            let _ = row.stored.send(place);
        }
    }
}

fn run(conn: &Connection, statement: &str) {
    let mut statement = conn.prepare_cached(statement).unwrap();
    statement.execute([]).unwrap();
}

fn attributes(row: &Row) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{}","source":"{}","type":"{}","subject":"{}","datacontenttype":"application/json"}}"#,
        row.id, row.source, row.ty, row.subject
    )
}

fn put_event(conn: &Connection, row: &Row, seq: i64) {
    conn.prepare_cached(
        "INSERT INTO events (seq, type, source, subject, id, received_at, hops, attributes, data)
         VALUES (?1, 1, ?2, ?3, ?4, 1764000000000, 0, ?5, ?6)",
    )
    .unwrap()
    .execute(params![
        seq,
        row.source,
        row.subject,
        row.id,
        attributes(row),
        &row.data[..]
    ])
    .unwrap();
}

fn put_task(conn: &Connection, row: &Row, seq: i64) {
    let principal = format!("event/{}", row.source);
    let trace = dormouse_contract::trace::TraceParent::random().to_string();
    conn.prepare_cached(
        "INSERT INTO tasks (id, state, pool, capability, principal, round, attempt, tokens,
             accepted_at, changed_at, due, expires_at, policy, trace, history, event, via_trigger)
         VALUES (?1, 0, 'fixture', ?2, ?3, 1, 0, x'', 1764000000000, 1764000000000, 1764000000000,
             1764000600000, 1, ?4, ?5, ?6, '0')",
    )
    .unwrap()
    .execute(params![
        dormouse_broker::TaskId::new().as_bytes(),
        row.ty,
        principal,
        trace,
        "{\"at\":1764000000000,\"to\":\"accepted\",\"by\":\"caller\"}\n",
        seq
    ])
    .unwrap();
}
