use std::collections::BTreeMap;
use std::time::Duration;

use russet_core::IfUnsatisfied;

use super::dependency::{self, Wanted};
use super::error::{Place, Problems};
use super::fields::{Fields, Shape};
use super::limits;
use super::node::Node;
use super::value::{self, Read};
use super::{TaskSpec, Work};

const TASK: Shape = Shape {
    called: "a task",
    fields: &[
        "run",
        "sleep",
        "depends_on",
        "if_unsatisfied",
        "priority",
        "max_retries",
        "retry_delay",
        "timeout",
        "delay",
        "resources",
        "expected",
        "env",
    ],
};

const DEFAULTS: Shape = Shape {
    called: "defaults",
    fields: TASK.fields.split_at(3).1,
};

const IF_UNSATISFIED: [(&str, IfUnsatisfied); 3] = [
    ("cancel", IfUnsatisfied::Cancel),
    ("dead", IfUnsatisfied::Dead),
    ("run", IfUnsatisfied::Run),
];

/// The fields that `defaults` may give for every task.
#[derive(Debug, Default)]
pub(super) struct Settings {
    if_unsatisfied: Option<IfUnsatisfied>,
    priority: Option<u8>,
    max_retries: Option<u32>,
    retry_delay: Option<Duration>,
    timeout: Option<Duration>,
    delay: Option<Duration>,
    resources: BTreeMap<String, u64>,
    expected: Option<Duration>,
    env: BTreeMap<String, String>,
}

pub(super) fn read_defaults(node: &Node, problems: &mut Problems) -> Settings {
    let place = Place {
        task: None,
        prefix: "defaults.",
    };
    let Some(fields) = Fields::of(node, &DEFAULTS, place, problems) else {
        return Settings::default();
    };
    let mut settings = Settings::read(&fields, problems);
    if !settings.fit(place, problems) {
        // Copied into every task they would multiply.
        settings.env.clear();
        settings.resources.clear();
    }
    settings
}

/// One task, its dependencies still by name. What is refused is reported and stands as not given.
pub(super) fn read_task<'a>(
    name: &'a str,
    node: &'a Node,
    defaults: &Settings,
    problems: &mut Problems,
) -> (TaskSpec, Vec<Wanted<'a>>) {
    let place = Place::task(name);
    let fields = Fields::of(node, &TASK, place, problems);
    let work = fields
        .as_ref()
        .and_then(|fields| read_work(fields, problems));
    let own = fields
        .as_ref()
        .map(|fields| Settings::read(fields, problems));
    let settings = own.unwrap_or_default().or(defaults);
    settings.fit(place, problems);
    let depends_on = fields
        .map(|fields| dependency::read_list(&fields, problems))
        .unwrap_or_default();
    let task = TaskSpec {
        name: name.to_owned(),
        work: work.unwrap_or(Work::Sleep(Duration::ZERO)),
        depends_on: Vec::new(),
        if_unsatisfied: settings.if_unsatisfied.unwrap_or_default(),
        priority: settings.priority,
        max_retries: settings.max_retries,
        retry_delay: settings.retry_delay,
        timeout: settings.timeout,
        delay: settings.delay,
        resources: settings.resources,
        expected: settings.expected,
        env: settings.env,
    };
    (task, depends_on)
}

fn read_work(fields: &Fields<'_, '_>, problems: &mut Problems) -> Option<Work> {
    let run = fields.read("run", problems, value::command);
    let sleep = fields.read("sleep", problems, value::duration);
    match (fields.get("run"), fields.get("sleep")) {
        (None, None) => {
            let message = "needs either run (a shell command) or sleep (a duration)";
            problems.add(fields.place(), "", message);
        }
        (Some(_), Some(_)) => {
            let message = "has both run and sleep: keep one, or make two tasks of it";
            problems.add(fields.place(), "", message);
        }
        _ => {}
    }
    run.map(Work::Run).or(sleep.map(Work::Sleep))
}

impl Settings {
    fn read(fields: &Fields<'_, '_>, problems: &mut Problems) -> Self {
        Settings {
            if_unsatisfied: fields.read("if_unsatisfied", problems, |node| {
                value::choice(node, &IF_UNSATISFIED)
            }),
            priority: fields.read("priority", problems, read_priority),
            max_retries: fields.read("max_retries", problems, read_max_retries),
            retry_delay: fields.read("retry_delay", problems, value::some_duration),
            timeout: fields.read("timeout", problems, value::some_duration),
            delay: fields.read("delay", problems, value::duration),
            resources: fields.read_map("resources", problems, |key, node| {
                value::name(key)?;
                value::whole(node, 1..=limits::RESOURCE_AMOUNT, "")
            }),
            expected: fields.read("expected", problems, value::some_duration),
            env: fields.read_map("env", problems, |key, node| {
                value::env_name(key)?;
                value::env_value(node)
            }),
        }
    }

    /// These, and `defaults` where these say nothing. Resources and variables merge entry by entry.
    fn or(self, defaults: &Settings) -> Self {
        let mut resources = defaults.resources.clone();
        resources.extend(self.resources);
        let mut env = defaults.env.clone();
        env.extend(self.env);
        Settings {
            if_unsatisfied: self.if_unsatisfied.or(defaults.if_unsatisfied),
            priority: self.priority.or(defaults.priority),
            max_retries: self.max_retries.or(defaults.max_retries),
            retry_delay: self.retry_delay.or(defaults.retry_delay),
            timeout: self.timeout.or(defaults.timeout),
            delay: self.delay.or(defaults.delay),
            resources,
            expected: self.expected.or(defaults.expected),
            env,
        }
    }

    /// Whether resources and variables are few enough; reports it if not.
    fn fit(&self, place: Place<'_>, problems: &mut Problems) -> bool {
        let env_bytes: usize = self
            .env
            .iter()
            .map(|(name, text)| name.len() + text.len())
            .sum();
        let sizes = [
            (
                "resources",
                "resources",
                self.resources.len(),
                limits::RESOURCES,
            ),
            ("env", "variables", self.env.len(), limits::ENV_VARS),
            (
                "env",
                "bytes of names and values",
                env_bytes,
                limits::ENV_BYTES,
            ),
        ];
        let mut fit = true;
        for (field, what, size, limit) in sizes {
            if size > limit {
                problems.add(
                    place,
                    field,
                    format!("has {size} {what}; the limit is {limit}"),
                );
                fit = false;
            }
        }
        fit
    }
}

fn read_priority(node: &Node) -> Read<u8> {
    let range = 0..=u64::from(limits::PRIORITY);
    let priority = value::whole(node, range, " (9 is the most urgent)")?;
    u8::try_from(priority).map_err(|error| error.to_string())
}

fn read_max_retries(node: &Node) -> Read<u32> {
    let retries = value::whole(node, 0..=u64::from(limits::RETRIES), "")?;
    u32::try_from(retries).map_err(|error| error.to_string())
}
