//! Lives in batches, submitted, leased and completed together, beside the bare layout. The two
//! take turns, because the machine may be twice as fast a second later.

use std::time::{Duration, Instant};

use russet_engine::Scheduler;

use super::bare::Bare;
use super::server::Server;
use super::{AGAINST_BARE, BATCH, LONG, node};
use crate::bench::figure::{Target, median};
use crate::bench::lives::{Maker, completion};
use crate::bench::{Figure, Measured};

/// How often the two take turns.
const TURNS: usize = 15;
/// Batches in a turn of each.
const BATCHES: usize = 60;

/// What one turn cost.
struct Turn {
    /// The server's time for a life, in µs, of the bare layout and of ours.
    bare: f64,
    ours: f64,
    /// Lives a second.
    rate: f64,
}

pub(super) async fn measure(server: &Server) -> Measured<Vec<Figure>> {
    let node = node(server, "batches", 1).await?;
    let (maker, mut bare) = (Maker::new()?, Bare::new(server));
    let mut turns = Vec::with_capacity(TURNS);
    for _ in 0..TURNS {
        let before = server.processor().await?;
        bare.live(BATCHES).await?;
        let (between, start) = (server.processor().await?, Instant::now());
        for _ in 0..BATCHES {
            live(&node, &maker).await?;
        }
        let elapsed = start.elapsed();
        let after = server.processor().await?;
        turns.push(Turn::new(between - before, after - between, elapsed));
    }
    node.stop().await;
    let of = |part: fn(&Turn) -> f64| median(turns.iter().map(part));
    let name = |what: &str| format!("redis: {what}, batches of {BATCH}");
    let ratio = of(|turn| turn.ours / turn.bare);
    let ours = of(|turn| turn.ours);
    Ok(vec![
        Figure::new(name("server's processor per life"), ours, "µs").against(
            "the bare layout, in turns",
            ours / ratio,
            Target::AtMost(AGAINST_BARE),
        ),
        Figure::new(
            name("task lives, one after the other"),
            of(|turn| turn.rate),
            "/s",
        ),
    ])
}

impl Turn {
    fn new(bare: f64, ours: f64, elapsed: Duration) -> Self {
        let lives = (BATCHES * BATCH) as f64;
        Self {
            bare: bare * 1e6 / lives,
            ours: ours * 1e6 / lives,
            rate: lives / elapsed.as_secs_f64(),
        }
    }
}

/// The lives of one batch.
async fn live(node: &Scheduler, maker: &Maker) -> Measured<()> {
    let tasks = (0..BATCH).map(|_| maker.task(node)).collect();
    node.submit(russet_core::Submit {
        workflow: None,
        tasks,
    })
    .await?;
    let mut left = BATCH;
    while left > 0 {
        let leased = node.lease(maker.lease(left, LONG)).await?;
        if leased.is_empty() {
            return Err(format!("{left} tasks did not become ready").into());
        }
        left -= leased.len();
        let completions = leased.iter().map(|task| completion(task)).collect();
        for result in node.complete_each(completions).await {
            result?;
        }
    }
    Ok(())
}
