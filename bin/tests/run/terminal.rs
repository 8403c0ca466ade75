//! What people see who run a workflow in a terminal.

use crate::support::World;

const COLUMNS: u16 = 60;
const SLOW: &str = "name: slow
tasks:
  up: {run: 'true'}
  wait: {run: 'until test -e go; do sleep 0.01; done', depends_on: [up]}
  last: {run: 'true', depends_on: [wait]}
";

/// The frames that were shown one after the other, each without the codes that put it there.
fn frames(shown: &str) -> Vec<String> {
    let frames = shown.split("\x1b[J").map(|frame| {
        let end = frame.rfind("\r\x1b[").unwrap_or(frame.len());
        frame[..end].replace("\r\n", "\n")
    });
    frames.collect()
}

#[test]
fn a_terminal_shows_a_bar_and_what_runs_and_is_left_with_the_summary() {
    let world = World::with(SLOW);
    let terminal = world.start_in_terminal(COLUMNS, &["w.yaml"]);
    terminal.await_shown("  wait  ");
    world.write("go", "");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    let frames = frames(&shown);
    let waiting = frames.iter().find(|frame| frame.contains("  wait  "));
    let waiting = waiting.expect("was shown");
    assert!(
        waiting.contains("slow [") && waiting.contains("1/3, "),
        "{waiting}"
    );
    for line in frames
        .iter()
        .filter(|frame| frame.contains("/3, "))
        .flat_map(|f| f.lines())
    {
        let fits = line.chars().count() <= COLUMNS.into();
        assert!(fits || line.contains("data in"), "{line:?}");
    }
    let last = frames.last().expect("a frame");
    assert!(last.starts_with("slow: 3 of 3 tasks succeeded"), "{last}");
}

#[test]
fn an_interrupt_in_a_terminal_leaves_the_command_that_goes_on() {
    let world = World::with(SLOW);
    let terminal = world.start_in_terminal(COLUMNS, &["w.yaml"]);
    terminal.await_shown("  wait  ");
    terminal.interrupt();
    terminal.await_shown("Ctrl-C again");
    world.write("go", "");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(130), "{shown}");
    assert!(shown.contains("stopped; to go on: "), "{shown}");
}
