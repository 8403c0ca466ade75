//! What the tasks that run at once may use together.

use std::collections::BTreeSet;

use russet_core::{NameError, ResourceName, Resources};

use super::RunError;
use crate::workflow::Workflow;

/// More of a resource than all tasks of a workflow can need.
const BOUNDLESS: u64 = u64::MAX;

/// The capacity that `limits` leave: resources that are not among them are not limited.
///
/// # Errors
/// A name that no resource can have, or that is given twice.
pub(super) fn capacity(
    limits: &[(String, u64)],
    workflow: &Workflow,
) -> Result<Resources, RunError> {
    let refused = |why: String| RunError::Option {
        option: "capacity",
        why,
    };
    for (at, (name, _)) in limits.iter().enumerate() {
        if limits[..at].iter().any(|(other, _)| other == name) {
            return Err(refused(format!("{name} is given twice")));
        }
    }
    let mut amounts = Vec::with_capacity(limits.len());
    for (name, has) in limits {
        amounts.push((ResourceName::new(name)?, *has));
    }
    let named = |name: &String| limits.iter().any(|(limited, _)| limited == name);
    let mut others: Vec<&String> = workflow
        .tasks
        .iter()
        .flat_map(|task| task.resources.keys())
        .filter(|name| !named(name))
        .collect();
    others.sort_unstable();
    others.dedup();
    let others = others
        .into_iter()
        .map(|name| Ok((ResourceName::new(name)?, BOUNDLESS)));
    amounts.extend(others.collect::<Result<Vec<_>, NameError>>()?);
    Ok(amounts.into_iter().collect())
}

/// What is to be said of amounts that limit nothing, one by one.
pub(super) fn unneeded(limits: &[(String, u64)], workflow: &Workflow) -> Vec<String> {
    let needs = workflow.tasks.iter().flat_map(|task| task.resources.keys());
    let needs: BTreeSet<&str> = needs.map(String::as_str).collect();
    let needed = match needs.is_empty() {
        true => "they need nothing".to_owned(),
        false => {
            let names: Vec<_> = needs.iter().copied().collect();
            format!("they need {}", names.join(", "))
        }
    };
    let names = limits.iter().map(|(name, _)| name.as_str());
    names
        .filter(|name| !needs.contains(name))
        .map(|name| format!("no task needs {name}; {needed}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn workflow() -> Workflow {
        let text = "tasks: {a: {run: 'true', resources: {cpu: 4, gpu: 1}}}";
        crate::workflow::parse(Path::new("w.yaml"), text.as_bytes()).expect("a workflow")
    }

    fn limit(cpu: u64) -> Vec<(String, u64)> {
        vec![("cpu".to_owned(), cpu)]
    }

    #[test]
    fn what_is_not_named_is_not_limited() {
        let capacity = capacity(&limit(8), &workflow()).expect("fits");
        let amount = |name| capacity.amount(&ResourceName::new(name).expect("a name"));
        assert_eq!((amount("cpu"), amount("gpu")), (8, BOUNDLESS));
    }

    #[test]
    fn what_no_task_needs_is_told() {
        let limits = [("cpus".to_owned(), 4), ("gpu".to_owned(), 4)];
        assert_eq!(
            unneeded(&limits, &workflow()),
            ["no task needs cpus; they need cpu, gpu"]
        );
    }

    #[test]
    fn a_resource_is_limited_once() {
        let twice = [limit(8), limit(9)].concat();
        let error = capacity(&twice, &workflow()).expect_err("is ambiguous");
        assert_eq!(error.to_string(), "--capacity: cpu is given twice");
    }
}
