use super::*;

#[test]
fn a_plan_reads_back_as_it_was_written() {
    for seed in 0..200 {
        for world in WorldKind::ALL {
            let plan = Plan::of_seed(world, seed);
            let text = serde_json::to_string(&plan).expect("a plan is plain data");
            assert_eq!(serde_json::from_str::<Plan>(&text).expect("a plan"), plan);
        }
    }
}

#[test]
fn some_seeds_have_no_fault_and_every_fault_is_the_only_one_of_some_seed() {
    let worlds = WorldKind::ALL.into_iter();
    let plans = worlds.flat_map(|world| (0..2_000).map(move |seed| Plan::of_seed(world, seed)));
    let faults: Vec<_> = plans.map(|plan| plan.faults).collect();
    assert!(faults.iter().any(BTreeMap::is_empty));
    for kind in FaultKind::ALL {
        let alone = |on: &BTreeMap<FaultKind, u64>| on.len() == 1 && on.contains_key(&kind);
        assert!(faults.iter().any(alone), "{kind:?} is never alone");
    }
}

#[test]
fn unless_a_plan_is_to_break_it_clocks_start_within_half_of_their_bound() {
    for seed in 0..1_000 {
        let plan = Plan::of_seed(WorldKind::Memory, seed);
        let bound = plan.max_clock_skew_ms as i64;
        let within = |clock: &ClockPlan| 2 * clock.offset_ms.abs() <= bound;
        assert!(
            !plan.clocks_within_bound() || plan.clocks.iter().all(within),
            "seed {seed}"
        );
    }
}

#[test]
fn a_plan_with_an_unknown_part_is_refused_by_its_name() {
    let mut plan = serde_json::to_value(Plan::of_seed(WorldKind::Memory, 1)).expect("plain data");
    plan["fautls"] = serde_json::json!({});
    let error = serde_json::from_value::<Plan>(plan).expect_err("it is refused");
    assert!(error.to_string().contains("fautls"), "{error}");
}
