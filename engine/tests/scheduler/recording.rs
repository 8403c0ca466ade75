use russet_engine::core::*;

use crate::faulty::Faults;
use crate::world::*;

#[tokio::test(start_paused = true)]
async fn a_recording_run_through_the_rules_again_gives_the_same_decisions() {
    let faults = Faults {
        conflict: 100,
        reply_lost: 50,
        ..Faults::default()
    };
    let world = World::new(Plan {
        nodes: 2,
        partitions: 2,
        faults,
        ..Plan::default()
    });
    let parents = [0, 1].map(|p| world.node(0).new_task_id_in(PartitionId(p)));
    for parent in parents {
        world.submit(world.task_with(parent)).await;
    }
    let mut child = world.task();
    let on = DependencyOn::Completion;
    child.dependencies = parents
        .iter()
        .map(|task| Dependency { task: *task, on })
        .collect();
    world.submit(child).await;
    world.work(3).await;
    let recorded = world.recordings.0.lock().expect("lock").clone();
    assert!(recorded.len() > 12, "{} decisions", recorded.len());
    for one in recorded {
        assert_eq!(
            one.replay().as_ref(),
            Ok(&one.decision),
            "{:?}",
            one.command
        );
    }
}
