use std::time::Duration;

use crate::workflow::testing::{json, problems, yaml};
use russet_core::{DependencyOn, IfUnsatisfied};

use crate::workflow::{Dependency, Format, Work, limits};

const WHOLE: &str = "
name: nightly
defaults:
  priority: 2
  timeout: 5m
  if_unsatisfied: dead
  resources: {cpu: 1, memory_mb: 64}
  env: {LC_ALL: C, MODE: fast}
tasks:
  fetch:
    run: echo fetch
  train:
    depends_on: [fetch]
    run: |
      echo train
      echo done
    if_unsatisfied: run
    priority: 9
    max_retries: 0
    retry_delay: 1.5s
    timeout: 1h30m
    delay: 0
    resources: {cpu: 4, gpu: 1}
    expected: 2
    env: {MODE: slow, PORT: \"8080\"}
  nap:
    sleep: 250ms
    depends_on:
      - train
      - {task: fetch, on: completion}
";

#[test]
fn every_field_of_a_task_is_read() {
    let workflow = yaml(WHOLE).expect("is valid");
    assert_eq!(workflow.name, "nightly");
    assert_eq!(workflow.format, Format::Russet);
    let names: Vec<&str> = workflow
        .tasks
        .iter()
        .map(|task| task.name.as_str())
        .collect();
    assert_eq!(names, ["fetch", "train", "nap"], "in file order");
    let train = &workflow.tasks[1];
    assert_eq!(train.work, Work::Run("echo train\necho done\n".to_owned()));
    let on_fetch = |on| Dependency { task: 0, on };
    assert_eq!(train.depends_on, [on_fetch(DependencyOn::Success)]);
    assert_eq!(train.if_unsatisfied, IfUnsatisfied::Run);
    assert_eq!(train.priority, Some(9));
    assert_eq!(train.max_retries, Some(0));
    assert_eq!(train.retry_delay, Some(Duration::from_millis(1_500)));
    assert_eq!(train.timeout, Some(Duration::from_secs(5_400)));
    assert_eq!(train.delay, Some(Duration::ZERO));
    assert_eq!(train.expected, Some(Duration::from_secs(2)));
    assert_eq!(train.run_time(), Some(Duration::from_secs(2)));
    let nap = &workflow.tasks[2];
    assert_eq!(nap.work, Work::Sleep(Duration::from_millis(250)));
    assert_eq!(nap.run_time(), Some(Duration::from_millis(250)));
    let on_train = Dependency {
        task: 1,
        on: DependencyOn::Success,
    };
    assert_eq!(
        nap.depends_on,
        [on_train, on_fetch(DependencyOn::Completion)]
    );
}

#[test]
fn defaults_hold_where_a_task_says_nothing_and_mappings_merge() {
    let workflow = yaml(WHOLE).expect("is valid");
    let fetch = &workflow.tasks[0];
    assert_eq!(fetch.priority, Some(2));
    assert_eq!(fetch.timeout, Some(Duration::from_secs(300)));
    assert_eq!(fetch.if_unsatisfied, IfUnsatisfied::Dead);
    assert_eq!(fetch.max_retries, None, "not given is visible");
    let train = &workflow.tasks[1];
    let resources: Vec<String> = train
        .resources
        .iter()
        .map(|(name, n)| format!("{name}={n}"))
        .collect();
    assert_eq!(resources, ["cpu=4", "gpu=1", "memory_mb=64"]);
    let env: Vec<String> = train
        .env
        .iter()
        .map(|(name, text)| format!("{name}={text}"))
        .collect();
    assert_eq!(env, ["LC_ALL=C", "MODE=slow", "PORT=8080"]);
}

#[test]
fn json_and_yaml_of_the_same_content_are_the_same_workflow() {
    let text = r#"{"tasks": {"b": {"sleep": 1.5, "depends_on": ["a"]}, "a": {"run": "true", "priority": 3}}}"#;
    let workflow = json(text).expect("is valid");
    assert_eq!(yaml(text).expect("JSON is YAML"), workflow);
    assert_eq!(workflow.name, "w", "the file's stem");
    assert_eq!(
        workflow.tasks[0].depends_on[0].task, 1,
        "a dependency may stand later in the file"
    );
    let block = "tasks:\n  b: {sleep: 1.5, depends_on: [a]}\n  a: {run: true, priority: 3}\n";
    assert_eq!(yaml(block).expect("is valid"), workflow);
}

#[test]
fn anchors_and_merge_keys_share_fields() {
    let text =
        "tasks:\n  a: &a {run: x, priority: 1}\n  b: {<<: *a, priority: 2, depends_on: [a]}\n";
    let workflow = yaml(text).expect("is valid");
    assert_eq!(workflow.tasks[1].work, Work::Run("x".to_owned()));
    assert_eq!(workflow.tasks[1].priority, Some(2));
}

#[test]
fn yaml_words_and_numbers_keep_their_spelling_as_names() {
    let text = "tasks:\n  on: {run: x}\n  no: {run: x, depends_on: [on, 7, 007]}\n  7: {run: x}\n  007: {run: x}\n";
    let workflow = yaml(text).expect("is valid");
    let names: Vec<&str> = workflow
        .tasks
        .iter()
        .map(|task| task.name.as_str())
        .collect();
    assert_eq!(names, ["on", "no", "7", "007"]);
    let waits: Vec<usize> = workflow.tasks[1]
        .depends_on
        .iter()
        .map(|on| on.task)
        .collect();
    assert_eq!(waits, [0, 2, 3]);
}

#[test]
fn every_problem_of_a_file_is_named_at_once() {
    let text = "
name: two words
default: {}
defaults: {run: x, priority: 10, timeout: 0}
tasks:
  a: {run: '', timout: 3}
  b: {}
  c: {run: x, sleep: 1}
  d: {sleep: 5 minutes, max_retries: -1, if_unsatisfied: stop, retry_delay: }
  e: [run]
  f: {run: [x], resources: {cpu: 0}, env: {1A: x, PORT: 80}, expected: 3651d}
  g: {sleep: 1}
  g: {sleep: 2}
  h h: {sleep: 1, priority: 5, priority: 6}
";
    let found = problems(yaml(text));
    let fields = "if_unsatisfied, priority, max_retries, retry_delay, timeout, delay, resources, expected, env";
    let name = "must be 1 to 128 of the characters A-Z a-z 0-9 . _ : -, not";
    let expected = [
        "default: is no field of a workflow; did you mean defaults? The fields are name, defaults, tasks".to_owned(),
        format!("name: {name} \"two words\""),
        format!("defaults.run: is no field of defaults. The fields are {fields}"),
        "defaults.priority: must be a whole number from 0 to 9 (9 is the most urgent), not 10".to_owned(),
        "defaults.timeout: must be longer than zero; the shortest is 1ms".to_owned(),
        format!("task \"a\": timout: is no field of a task; did you mean timeout? The fields are run, sleep, depends_on, {fields}"),
        "task \"a\": run: is empty: give a shell command".to_owned(),
        "task \"b\": needs either run (a shell command) or sleep (a duration)".to_owned(),
        "task \"c\": has both run and sleep: keep one, or make two tasks of it".to_owned(),
        "task \"d\": sleep: \"5 minutes\" will not do: write a duration as 500ms, 2s, 1.5s, 5m, 1h30m, 2d, or a number of seconds".to_owned(),
        "task \"d\": if_unsatisfied: must be one of cancel, dead, run, not \"stop\"".to_owned(),
        "task \"d\": max_retries: must be a whole number from 0 to 10000, not -1".to_owned(),
        "task \"d\": retry_delay: has no value: give one or leave the field out".to_owned(),
        format!("task \"e\": must be a mapping with fields of a task (run, sleep, depends_on, {fields}), not a list"),
        "task \"f\": run: must be a shell command, not a list".to_owned(),
        "task \"f\": resources.cpu: must be a whole number from 1 to 9007199254740992, not 0".to_owned(),
        "task \"f\": expected: \"3651d\" will not do: a duration is at most 3650 days".to_owned(),
        "task \"f\": env.1A: is no name of an environment variable: use A-Z a-z 0-9 _, not starting with a digit".to_owned(),
        "task \"f\": env.PORT: must be a text: put quotes around 80".to_owned(),
        "tasks.g: is given twice".to_owned(),
        format!("tasks: a task's name {name} \"h h\""),
        "task \"h h\": priority: is given twice".to_owned(),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_file_without_tasks_is_refused() {
    assert_eq!(
        problems(yaml("tasks: {}")),
        ["tasks: is empty: a workflow has at least one task"]
    );
    assert_eq!(
        problems(json("{}")),
        ["tasks: is missing: map each task's name to its fields"]
    );
    assert_eq!(
        problems(yaml("tasks: [{run: x}]")),
        ["tasks: must be a mapping of task names to tasks, not a list"]
    );
    for for_a_server in [
        "queue: q\ntasks: [{type: x}]",
        "defaults: {queue: q, type: x}\ntasks: [{name: a}]",
    ] {
        assert_eq!(
            problems(yaml(for_a_server)),
            [
                "tasks: must be a mapping of task names to tasks, not a list; a list of tasks with types is for a \
              server: `russet workflows submit` sends it"
            ]
        );
    }
    assert_eq!(
        problems(yaml("# nothing yet")),
        ["must be a mapping with fields of a workflow (name, defaults, tasks), not nothing"]
    );
}

#[test]
fn the_limits_on_tasks_and_on_what_each_carries_are_held() {
    let tasks = |count: usize| {
        let lines: Vec<String> = (0..count)
            .map(|at| format!("  t{at}: {{sleep: 1}}\n"))
            .collect();
        format!("tasks:\n{}", lines.concat())
    };
    let largest = yaml(&tasks(limits::TASKS)).expect("is within the limit");
    assert_eq!(largest.tasks.len(), limits::TASKS);
    assert_eq!(
        problems(yaml(&tasks(limits::TASKS + 1))),
        ["tasks: has 10001 entries; the limit is 10000"]
    );
    let entries: Vec<String> = (0..10).map(|at| format!("r{at}: 1")).collect();
    let text = format!(
        "defaults: {{resources: {{{0}}}, env: {{BIG: {1}}}}}\ntasks:\n  a: {{run: x, resources: {{{0}, {2}}}}}\n",
        entries.join(", "),
        "x".repeat(limits::ENV_BYTES),
        entries.join(", ").replace('r', "s"),
    );
    assert_eq!(
        problems(yaml(&text)),
        [
            "defaults.env: has 32771 bytes of names and values; the limit is 32768",
            "task \"a\": resources: has 20 resources; the limit is 16",
        ]
    );
}
