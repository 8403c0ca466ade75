use alloc::vec;
use alloc::vec::Vec;

/// Puts tasks behind their parents; `parents[i]` are positions of the parents of task `i`.
/// A cycle is returned as its positions in order of dependence, the first repeated at the end.
pub fn order(parents: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let (ordered, waiting) = behind_parents(parents);
    if ordered.len() == parents.len() {
        Ok(ordered)
    } else {
        Err(cycle(parents, &waiting))
    }
}

/// Tasks that cannot be put behind their parents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// A cycle among them, as [`order`] returns it.
    pub cycle: Vec<usize>,
    /// All that are on a cycle, or behind one.
    pub tasks: Vec<usize>,
}

/// What [`order`] cannot put into an order; `None` when it can.
pub fn stuck(parents: &[Vec<usize>]) -> Option<Stuck> {
    let (ordered, waiting) = behind_parents(parents);
    (ordered.len() < parents.len()).then(|| Stuck {
        cycle: cycle(parents, &waiting),
        tasks: (0..parents.len()).filter(|at| waiting[*at] > 0).collect(),
    })
}

/// The tasks that can be put behind their parents, in such an order.
pub fn behind(parents: &[Vec<usize>]) -> Vec<usize> {
    behind_parents(parents).0
}

/// The tasks that can be put behind their parents, in that order, and how many parents of each
/// task cannot.
fn behind_parents(parents: &[Vec<usize>]) -> (Vec<usize>, Vec<usize>) {
    let children = children(parents);
    let mut waiting: Vec<usize> = parents.iter().map(Vec::len).collect();
    let mut ordered: Vec<usize> = (0..parents.len()).filter(|i| waiting[*i] == 0).collect();
    let mut next = 0;
    while let Some(task) = ordered.get(next).copied() {
        next += 1;
        for child in &children[task] {
            waiting[*child] -= 1;
            if waiting[*child] == 0 {
                ordered.push(*child);
            }
        }
    }
    (ordered, waiting)
}

/// Every task that still waits has a parent that still waits: going from one to the next
/// must come back to where it was.
fn cycle(parents: &[Vec<usize>], waiting: &[usize]) -> Vec<usize> {
    let mut seen_at = vec![None; parents.len()];
    let mut path = Vec::new();
    let mut at = waiting.iter().position(|n| *n > 0).unwrap_or(0);
    loop {
        if let Some(start) = seen_at[at] {
            path.push(at);
            return path.split_off(start);
        }
        seen_at[at] = Some(path.len());
        path.push(at);
        match parents[at].iter().find(|parent| waiting[**parent] > 0) {
            Some(parent) => at = *parent,
            None => return path,
        }
    }
}

fn children(parents: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut children = vec![Vec::new(); parents.len()];
    for (task, its_parents) in parents.iter().enumerate() {
        for parent in its_parents {
            children[*parent].push(task);
        }
    }
    children
}

/// Ranks tasks by the longest path that remains from their start to the end of the workflow:
/// 65,535 for the longest of all. `costs[i]` is how long task `i` is expected to take; a task
/// of unknown cost counts as the mean of the known ones, or as 1. `ordered` is from [`order`].
pub fn ranks(parents: &[Vec<usize>], ordered: &[usize], costs: &[Option<u64>]) -> Vec<u16> {
    let known: Vec<u64> = costs.iter().copied().flatten().collect();
    let sum: u128 = known.iter().map(|cost| u128::from(*cost)).sum();
    let mean = sum
        .checked_div(known.len() as u128)
        .map_or(1, |mean| mean.max(1));
    let mut remaining = vec![0u128; parents.len()];
    for task in ordered.iter().rev() {
        remaining[*task] += costs[*task].map_or(mean, u128::from);
        for parent in &parents[*task] {
            remaining[*parent] = remaining[*parent].max(remaining[*task]);
        }
    }
    let longest = remaining.iter().copied().max().unwrap_or(0).max(1);
    let scaled = remaining.iter().map(|r| r * u128::from(u16::MAX) / longest);
    scaled.map(|rank| rank as u16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_order_puts_parents_first_and_a_cycle_is_one(
            edges in prop::collection::vec((0usize..12, 0usize..12), 0..30),
        ) {
            let mut parents = vec![Vec::new(); 12];
            for (child, parent) in edges {
                parents[child].push(parent);
            }
            match order(&parents) {
                Ok(ordered) => {
                    prop_assert_eq!(stuck(&parents), None);
                    let place = |task: usize| ordered.iter().position(|t| *t == task);
                    for (child, its_parents) in parents.iter().enumerate() {
                        for parent in its_parents {
                            prop_assert!(place(*parent) < place(child));
                        }
                    }
                }
                Err(path) => {
                    prop_assert!(path.len() > 1);
                    prop_assert_eq!(path.first(), path.last());
                    let stuck = stuck(&parents).expect("a cycle");
                    let is_stuck = |task: &usize| stuck.tasks.contains(task);
                    prop_assert!(path.iter().all(is_stuck));
                    for (child, its_parents) in parents.iter().enumerate() {
                        prop_assert_eq!(is_stuck(&child), its_parents.iter().any(is_stuck));
                    }
                    for step in path.windows(2) {
                        prop_assert!(parents[step[0]].contains(&step[1]));
                    }
                }
            }
        }
    }

    #[test]
    fn the_longest_remaining_path_ranks_first() {
        // 0 -> 1 -> 3, 0 -> 2 -> 3
        let parents = [vec![], vec![0], vec![0], vec![1, 2]];
        let ordered = order(&parents).unwrap_or_default();
        let ranks = ranks(&parents, &ordered, &[Some(1), Some(10), Some(2), Some(1)]);
        assert_eq!(ranks[0], u16::MAX);
        assert!(ranks[1] > ranks[2] && ranks[2] > ranks[3]);
    }

    #[test]
    fn a_chain_of_ten_thousand_needs_no_deep_stack() {
        let parents: Vec<Vec<usize>> = (0..10_000usize)
            .map(|i| i.checked_sub(1).into_iter().collect())
            .collect();
        assert_eq!(order(&parents), Ok((0..10_000).collect()));
    }
}
