//! Short ways for tests to read a workflow from text.

use std::path::Path;

use super::{Workflow, WorkflowError, parse};

pub(super) fn yaml(text: &str) -> Result<Workflow, WorkflowError> {
    parse(Path::new("w.yaml"), text.as_bytes())
}

pub(super) fn json(text: &str) -> Result<Workflow, WorkflowError> {
    parse(Path::new("w.json"), text.as_bytes())
}

/// Each problem of a refused file, as it is shown.
pub(super) fn problems(result: Result<Workflow, WorkflowError>) -> Vec<String> {
    match result {
        Err(WorkflowError::Problems { problems, .. }) => {
            problems.iter().map(ToString::to_string).collect()
        }
        other => vec![format!("not refused for problems, but: {other:?}")],
    }
}

/// A workflow whose tasks `t0, t1, …` each depend on the listed ones and sleep that many seconds.
pub(super) fn sleepers(tasks: &[(u64, &[usize])]) -> Workflow {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use russet_core::{DependencyOn, IfUnsatisfied};

    use super::{Dependency, Format, TaskSpec, Work};

    let task = |(index, (seconds, depends_on)): (usize, &(u64, &[usize]))| TaskSpec {
        name: format!("t{index}"),
        work: Work::Sleep(Duration::from_secs(*seconds)),
        depends_on: depends_on
            .iter()
            .map(|&task| Dependency {
                task,
                on: DependencyOn::Success,
            })
            .collect(),
        if_unsatisfied: IfUnsatisfied::Cancel,
        priority: None,
        max_retries: None,
        retry_delay: None,
        timeout: None,
        delay: None,
        resources: BTreeMap::new(),
        expected: None,
        env: BTreeMap::new(),
    };
    Workflow {
        name: "sleepers".to_owned(),
        format: Format::Russet,
        tasks: tasks.iter().enumerate().map(task).collect(),
    }
}
