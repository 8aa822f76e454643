//! `/drain` and `/resume`, of the platform and of single pools: nothing more is handed out, what
//! runs finishes, what comes is stored and waits. A drain lasts until it is resumed or the platform
//! starts again.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;
use dormouse_contract::duration::DurationText;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::operation::{Content, Operation, Tag, post};
use super::problem::{Kind, Problem};
use super::read::Asked;
use super::segment::Segment;
use super::{Api, pools};

/// No request waits longer for a drain.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// How often the number of running tasks is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How a drain goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DrainView {
    /// How far it is.
    pub state: DrainState,
    /// How many tasks still run.
    pub running: usize,
    /// How many tasks wait; they stay stored.
    pub waiting: usize,
}

/// How far a drain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DrainState {
    /// Tasks are handed out.
    Open,
    /// Nothing more is handed out, and something still runs.
    Draining,
    /// Nothing is handed out, and nothing runs.
    Drained,
}

/// The query of a drain.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct DrainQuery {
    /// How long to wait until nothing runs any more, such as `30s`, at most `10m`. Default: not at
    /// all.
    #[serde(with = "dormouse_contract::duration::option")]
    #[schemars(with = "Option<DurationText>")]
    wait: Option<Duration>,
}

pub(super) fn operations() -> Vec<Operation> {
    let draining = || {
        Content::json(DrainView {
            state: DrainState::Draining,
            running: 3,
            waiting: 12,
        })
    };
    let open = || {
        Content::json(DrainView {
            state: DrainState::Open,
            running: 3,
            waiting: 0,
        })
    };
    vec![
        post("/drain", drain)
            .named(
                Tag::Platform,
                "drain",
                "Drain the platform",
                "Hands out nothing more: what runs finishes, what comes is stored and waits. It \
                 lasts until it is resumed or the platform starts again.",
            )
            .query::<DrainQuery>()
            .answers(StatusCode::OK, "How far it is.", draining())
            .problems(&[Kind::Stopping]),
        post("/resume", resume)
            .named(
                Tag::Platform,
                "resume",
                "Resume the platform",
                "Ends a drain. Pools that were drained by themselves stay so.",
            )
            .answers(StatusCode::OK, "Tasks are handed out again.", open())
            .problems(&[Kind::Stopping]),
        post("/pools/{pool}/drain", drain_pool)
            .named(
                Tag::Pools,
                "drainPool",
                "Drain a pool",
                "Hands out nothing more of this pool: what runs finishes, what comes is stored \
                 and waits. It lasts until it is resumed or the platform starts again.",
            )
            .query::<DrainQuery>()
            .answers(StatusCode::OK, "How far it is.", draining())
            .problems(&[Kind::UnknownPool, Kind::Stopping]),
        post("/pools/{pool}/resume", resume_pool)
            .named(
                Tag::Pools,
                "resumePool",
                "Resume a pool",
                "Ends the drain of this pool.",
            )
            .answers(StatusCode::OK, "Its tasks are handed out again.", open())
            .problems(&[Kind::UnknownPool, Kind::Stopping]),
    ]
}

async fn drain(
    State(api): State<Api>,
    Asked(query): Asked<DrainQuery>,
) -> Result<Json<DrainView>, Problem> {
    api.coordinator.drain(None, true).await?;
    Ok(Json(wait(&api, None, query.wait).await))
}

async fn resume(State(api): State<Api>) -> Result<Json<DrainView>, Problem> {
    api.coordinator.drain(None, false).await?;
    Ok(Json(view(&api, None)))
}

async fn drain_pool(
    State(api): State<Api>,
    Segment(pool): Segment,
    Asked(query): Asked<DrainQuery>,
) -> Result<Json<DrainView>, Problem> {
    let pool = pools::find(&api, pool)?.pool.to_string();
    api.coordinator.drain(Some(&pool), true).await?;
    Ok(Json(wait(&api, Some(&pool), query.wait).await))
}

async fn resume_pool(
    State(api): State<Api>,
    Segment(pool): Segment,
) -> Result<Json<DrainView>, Problem> {
    let pool = pools::find(&api, pool)?.pool.to_string();
    api.coordinator.drain(Some(&pool), false).await?;
    Ok(Json(view(&api, Some(&pool))))
}

async fn wait(api: &Api, pool: Option<&str>, patience: Option<Duration>) -> DrainView {
    let end = Instant::now() + patience.unwrap_or_default().min(LONGEST_WAIT);
    loop {
        let view = view(api, pool);
        if view.running == 0 || Instant::now() >= end {
            return view;
        }
        sleep(LOOK).await;
    }
}

fn view(api: &Api, pool: Option<&str>) -> DrainView {
    let depths = api.coordinator.broker().depths();
    let of_it = depths
        .iter()
        .filter(|(name, ..)| pool.is_none_or(|pool| *pool == **name));
    let (waiting, running) = of_it.fold((0, 0), |(waiting, running), (_, queued, runs)| {
        (waiting + queued, running + runs)
    });
    let is_drained = match pool {
        Some(pool) => api.coordinator.is_pool_drained(pool),
        None => api.coordinator.is_drained(),
    };
    DrainView {
        state: match (is_drained, running) {
            (false, _) => DrainState::Open,
            (true, 0) => DrainState::Drained,
            (true, _) => DrainState::Draining,
        },
        running,
        waiting,
    }
}
