use crate::Resources;

/// Whether `capacity` holds what a task needs. A worker that names no resources at all
/// takes every task: it does not count them.
pub fn fits(needs: &Resources, capacity: Option<&Resources>) -> bool {
    capacity.is_none_or(|has| {
        needs
            .iter()
            .all(|(name, amount)| has.amount(name) >= amount)
    })
}

/// What is left of `capacity` beside a task that needs `needs`; `None` when it does not fit.
pub fn take(needs: &Resources, capacity: &Resources) -> Option<Resources> {
    fits(needs, Some(capacity)).then(|| {
        capacity
            .iter()
            .map(|(name, has)| (name.clone(), has - needs.amount(name)))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ResourceName;

    fn resources(amounts: &[(&str, u64)]) -> Resources {
        let named = |(name, n): &(&str, u64)| Some((ResourceName::new(name).ok()?, *n));
        amounts.iter().filter_map(named).collect()
    }

    #[test]
    fn a_task_fits_where_all_its_resources_are_free() {
        let worker = resources(&[("cpu", 4), ("memory_mb", 1_024)]);
        assert!(fits(&resources(&[("cpu", 4)]), Some(&worker)));
        assert!(!fits(&resources(&[("cpu", 5)]), Some(&worker)));
        assert!(!fits(&resources(&[("gpu", 1)]), Some(&worker)));
        assert!(fits(&resources(&[("gpu", 1)]), None));
        assert!(fits(&Resources::NONE, Some(&Resources::NONE)));
    }

    #[test]
    fn taking_leaves_the_rest() {
        let worker = resources(&[("cpu", 4), ("gpu", 1)]);
        let left = take(&resources(&[("cpu", 3), ("gpu", 1)]), &worker);
        assert_eq!(left, Some(resources(&[("cpu", 1)])));
        assert_eq!(take(&resources(&[("gpu", 2)]), &worker), None);
    }
}
