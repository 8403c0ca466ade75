//! `cargo sim`

#[cfg(madsim)]
fn main() {
    let seed: u64 = std::env::args()
        .nth(1)
        .and_then(|s| s.parse().ok())
        .unwrap_or(1);
    let world = match std::env::args().nth(2).as_deref() {
        Some("embedded") => russet_sim::plan::WorldKind::Embedded,
        _ => russet_sim::plan::WorldKind::Memory,
    };
    let plan = russet_sim::plan::Plan::of_seed(world, seed);
    let start = std::time::Instant::now();
    let outcome = std::thread::spawn(move || russet_sim::world::run(&plan))
        .join()
        .unwrap();
    println!(
        "seed {seed} entries {} healed {} ended {} drained {} wall {:?}",
        outcome.entries.len(),
        outcome.healed,
        outcome.ended,
        outcome.drained,
        start.elapsed()
    );
}
#[cfg(not(madsim))]
fn main() {}
