//! The body of a request may be anything: it is refused with a problem that says why, or it
//! is the same when it is written and read again, and is carried out or refused. The first
//! byte chooses the request and whether the others are its body, or patches of a sound one.
#![no_main]

mod patched;

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use libfuzzer_sys::fuzz_target;
use russet::Api;
use russet::core::{LeaseId, TaskId, Timestamp, WorkflowId};
use russet::wire::{
    CancelTask, CancelTasks, CancelWorkflow, CompleteLease, ConfigureQueue, ExtendLease, FailLease, LeaseRequest, ListTasks,
    OneOrMany, Problem, PurgeTasks, RedriveTask, RedriveTasks, RedriveWorkflow, ReleaseLease, SubmitTask,
    SubmitWorkflow, WaitTask, from_json,
};
use russet_backends::memory::Memory;
use russet_engine::{Backend, Clock, Configuration, Entropy, Scheduler};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else {
        return;
    };
    let (request, sound) = &SOUND[usize::from(choice % 128) % SOUND.len()];
    let body = match choice / 128 {
        0 => patched::patched(sound, bytes, &PIECES),
        _ => bytes.to_vec(),
    };
    if tell() {
        println!("{request:?} {}", String::from_utf8_lossy(&body));
    }
    play(*request, &body);
});

/// `TELL=1 fuzz/run.sh 0 api_json FILE` tells the story of a file.
fn tell() -> bool {
    std::env::var_os("TELL").is_some()
}

#[derive(Clone, Copy, Debug)]
enum Request {
    Submit,
    SubmitWorkflow,
    Lease,
    Extend,
    Complete,
    Fail,
    Release,
    Configure,
    List,
    Wait,
    Cancel,
    Redrive,
    RedriveEach,
    RedriveWorkflow,
    CancelWorkflow,
    CancelEach,
    PurgeEach,
}

fn play(request: Request, body: &[u8]) {
    match request {
        Request::Submit => ask(body, async |world, it: OneOrMany<SubmitTask>| {
            world.api.submit(it).await
        }),
        Request::SubmitWorkflow => ask(body, async |world, it: SubmitWorkflow| {
            world.api.submit_workflow(it).await
        }),
        Request::Lease => ask(body, async |world, it: LeaseRequest| {
            world.api.lease(it).await
        }),
        Request::Extend => ask(body, async |world, it: OneOrMany<ExtendLease>| {
            world.api.extend(it).await
        }),
        Request::Complete => ask(body, async |world, it: OneOrMany<CompleteLease>| {
            world.api.complete(it).await
        }),
        Request::Fail => ask(body, async |world, it: OneOrMany<FailLease>| {
            world.api.fail(it).await
        }),
        Request::Release => ask(body, async |world, it: OneOrMany<ReleaseLease>| {
            world.api.release(it).await
        }),
        Request::Configure => ask(body, async |world, it: ConfigureQueue| {
            world.api.configure("default", it).await
        }),
        Request::List => ask(body, async |world, it: ListTasks| {
            let page = world.api.workflow(world.ids.workflow, it.clone()).await;
            page.map(|_| ()).unwrap_or_else(|problem| refused(&problem));
            world.api.list(it).await
        }),
        Request::Wait => ask(body, async |world, it: WaitTask| {
            world.api.wait(world.ids.task, it).await
        }),
        Request::Cancel => ask(body, async |world, it: CancelTask| {
            world.api.cancel(world.ids.task, it).await
        }),
        Request::Redrive => ask(body, async |world, it: RedriveTask| {
            world.api.redrive(world.ids.dead, it).await
        }),
        Request::RedriveEach => ask(body, async |world, it: RedriveTasks| {
            world.api.redrive_each(it).await
        }),
        Request::CancelEach => ask(body, async |world, it: CancelTasks| {
            world.api.cancel_each(it).await
        }),
        Request::PurgeEach => ask(body, async |world, it: PurgeTasks| {
            world.api.purge_each(it).await
        }),
        Request::CancelWorkflow => ask(body, async |world, it: CancelWorkflow| {
            world.api.cancel_workflow(world.ids.workflow, it).await
        }),
        Request::RedriveWorkflow => ask(body, async |world, it: RedriveWorkflow| {
            world.api.redrive_workflow(world.ids.workflow, it).await
        }),
    }
}

/// Reads the request and, if it is one, makes it twice in a world of its own.
fn ask<Q, A>(body: &[u8], ask: impl AsyncFn(&World, Q) -> Result<A, Problem>)
where
    Q: DeserializeOwned + Serialize + Clone + PartialEq + Debug,
    A: Serialize,
{
    let request: Q = match from_json(body) {
        Ok(request) => request,
        Err(problem) => return refused(&problem),
    };
    same(&request);
    let runtime = runtime();
    runtime.block_on(async {
        let world = World::start().await;
        for _ in 0..2 {
            match ask(&world, request.clone()).await {
                Ok(reply) => answered(&reply),
                Err(problem) => refused(&problem),
            }
        }
        world.look().await;
    });
}

/// What is written is read as it was.
fn same<T: DeserializeOwned + Serialize + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_vec(value).expect("serialises");
    let read = from_json::<T>(&text);
    assert_eq!(
        read.as_ref(),
        Ok(value),
        "{}",
        String::from_utf8_lossy(&text)
    );
}

/// The problem says what is wrong, and that the request is at fault.
fn refused(problem: &Problem) {
    if tell() {
        println!("{problem:?}");
    }
    assert!((400..500).contains(&problem.status), "{problem:?}");
    assert!(!problem.detail.trim().is_empty(), "{problem:?}");
    assert!(!problem.code.is_empty(), "{problem:?}");
    assert!(problem.field.as_deref() != Some(""), "{problem:?}");
    same(problem);
}

fn answered(reply: &impl Serialize) {
    let text = serde_json::to_string(reply).expect("serialises");
    if tell() {
        println!("{text}");
    }
    // Values deeper than serde_json reads may stand in payloads.
    let Ok(reply) = serde_json::from_str::<Value>(&text) else {
        return;
    };
    let items = reply.get("results").and_then(Value::as_array);
    for item in items.into_iter().flatten() {
        if let Some(problem) = item.get("error") {
            refused(&from_json(problem.to_string().as_bytes()).expect("is a problem"));
        }
    }
}

/// A scheduler with some tasks. It is the same in every run: its time passes only while
/// nothing happens, and its random numbers are counted.
struct World {
    api: Api,
    ids: Ids,
}

/// What requests name.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ids {
    /// A running task of the workflow.
    task: TaskId,
    /// Its lease.
    lease: LeaseId,
    workflow: WorkflowId,
    /// A task that is dead.
    dead: TaskId,
}

impl World {
    async fn start() -> Self {
        let clock = Arc::new(TestClock(Instant::now()));
        let memory = Memory::new(1, clock.clone());
        let backend = Backend {
            store: memory.clone(),
            queue: memory,
        };
        let configuration = Configuration::default();
        let entropy = Arc::new(Counted(AtomicU64::new(1)));
        let api = Api::new(Scheduler::start(backend, configuration, clock, entropy));

        let dead = api.submit_one(request(r#"{"type": "mail"}"#)).await;
        let dead = dead.expect("is submitted").task;
        let lease = r#"{"worker": "w", "queues": ["default"]}"#;
        let leased = api.lease(request(lease)).await.expect("leases");
        let id = leased.tasks[0].lease_id.expect("has a lease");
        let fail = format!(
            r#"{{"task": "{dead}", "lease_id": "{id}", "message": "no", "kind": "final"}}"#
        );
        api.fail(request(&fail)).await.expect("fails");

        let workflow = r#"{"name": "three", "tasks": [{"name": "a", "type": "load"},
            {"name": "b", "type": "mail", "depends_on": ["a"]},
            {"name": "c", "type": "mail", "resource_requirements": {"cpu": 2}}]}"#;
        let workflow = api.submit_workflow(request(workflow)).await;
        let workflow = workflow.expect("is submitted").workflow;
        let leased = api.lease(request(lease)).await.expect("leases");
        let once = r#"{"type": "mail", "idempotency_key": "once", "queue": "mail"}"#;
        api.submit(request(once)).await.expect("is submitted");
        let ids = Ids {
            task: leased.tasks[0].id,
            lease: leased.tasks[0].lease_id.expect("has a lease"),
            workflow,
            dead,
        };
        Self { api, ids }
    }

    /// All tasks and queues can be shown, and what shows them is read as it was.
    async fn look(&self) {
        let page = self.api.list(ListTasks::default()).await.expect("lists");
        page.items.iter().for_each(same);
        same(&self.api.queues().await.expect("lists"));
    }
}

fn request<T: DeserializeOwned>(text: &str) -> T {
    from_json(text.as_bytes()).expect("is sound")
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build();
    runtime.expect("starts")
}

struct TestClock(Instant);

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let passed = self.0.elapsed().as_millis() as u64;
        Timestamp::from_millis(1_800_000_000_000 + passed)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

struct Counted(AtomicU64);

impl Entropy for Counted {
    fn next_u64(&self) -> u64 {
        self.0.fetch_add(1 << 32, Ordering::Relaxed)
    }
}

/// Sound requests of every kind about a [`World`].
static SOUND: LazyLock<Vec<(Request, String)>> = LazyLock::new(|| {
    let runtime = runtime();
    let ids = runtime.block_on(World::start()).ids;
    let texts = [
        (
            Request::Submit,
            r#"{"type":"mail","name":"a","queue":"q","payload":{"to":[1.50]},"priority":9,
            "max_retries":3,"retry":{"backoff_ms":5,"backoff_cap_ms":9,"jitter_percent":50},
            "delay_ms":1000,"expires_in_ms":60000,"visibility_timeout_ms":5000,
            "timeout_ms":10000,"retention_ms":1,"if_unsatisfied":"run","expected_ms":1,
            "dependencies":["$TASK",{"task":"$DEAD","on":"completion"}],
            "resource_requirements":{"cpu":2},"idempotency_key":"k",
            "idempotency_window_ms":"while_live","partition_key":"p","metadata":{"a":1}}"#,
        ),
        (
            Request::Submit,
            r#"{"tasks":[{"type":"a","id":"$WORKFLOW"},{"type":"b","payload":null,
            "scheduled_at":"2026-01-31T09:00:00.0009+01:00","expires_at":"9999-12-30T00:00:00Z"},
            {"type":"mail","queue":"mail","idempotency_key":"once"},
            {"type":"b","depends_on":["a"],"idempotency_window_ms":5}]}"#,
        ),
        (
            Request::SubmitWorkflow,
            r#"{"name":"w","idempotency_key":"k","idempotency_window_ms":1000,
            "partition_key":"p","defaults":{"queue":"q","priority":1,"max_retries":0,
            "retry":{"backoff_ms":1},"expires_in_ms":5,"resource_requirements":{"cpu":1},
            "metadata":{"of":"w"}},"tasks":[{"name":"a","type":"x","expected_ms":5},
            {"name":"b","type":"x","depends_on":["a",{"task":"c","on":"failure"}]},
            {"name":"c","type":"x","dependencies":["$TASK"]}]}"#,
        ),
        (
            Request::SubmitWorkflow,
            r#"{"id":"$DEAD","tasks":[{"name":"a","type":"x"}]}"#,
        ),
        (
            Request::Lease,
            r#"{"queues":["mail","default"],"worker":"w","capacity":{"cpu":4},"max":10,
            "visibility_timeout_ms":1000,"wait_ms":60000}"#,
        ),
        (
            Request::Extend,
            r#"{"task":"$TASK","lease_id":"$LEASE","visibility_timeout_ms":1000,
            "progress":{"percent":50,"message":"half","checkpoint":{"page":3}}}"#,
        ),
        (
            Request::Extend,
            r#"{"items":[{"task":"$TASK","lease_id":"$LEASE"},{"task":"$DEAD","lease_id":"$LEASE"}]}"#,
        ),
        (
            Request::Complete,
            r#"{"task":"$TASK","lease_id":"$LEASE","result":[1.0],"follow_ups":[
            {"type":"x","name":"n","depends_on":["m"]},{"type":"y","name":"m","delay_ms":1}],
            "progress":{"percent":100}}"#,
        ),
        (
            Request::Complete,
            r#"{"items":[{"task":"$TASK","lease_id":"$LEASE"},{"task":"$TASK","lease_id":"$TASK"}]}"#,
        ),
        (
            Request::Fail,
            r#"{"task":"$TASK","lease_id":"$LEASE","message":"no","kind":"timed_out","retry_after_ms":5,
            "progress":{"percent":7,"message":"here","checkpoint":[9]}}"#,
        ),
        (
            Request::Fail,
            r#"{"items":[{"task":"$TASK","lease_id":"$LEASE","message":"no","kind":"final"}]}"#,
        ),
        (
            Request::Release,
            r#"{"task":"$TASK","lease_id":"$LEASE","delay_ms":5,"progress":{"percent":100}}"#,
        ),
        (
            Request::Release,
            r#"{"items":[{"task":"$TASK","lease_id":"$LEASE"}]}"#,
        ),
        (
            Request::Configure,
            r#"{"paused":true,"concurrency":3,"aging_ms":1,"keep_finished_ms":0,"keep_dead_ms":5}"#,
        ),
        (Request::Configure, r#"{"concurrency":null}"#),
        (
            Request::List,
            r#"{"queue":"default","status":"queued","workflow_id":"$WORKFLOW","after":"$DEAD",
            "limit":2,"order":"newest"}"#,
        ),
        (Request::Wait, r#"{"timeout_ms":60000}"#),
        (Request::Cancel, r#"{"reason":"not needed"}"#),
        (Request::Redrive, r#"{"request_id":"r","cancelled":true}"#),
        (
            Request::RedriveEach,
            r#"{"queue":"default","after":"00000000000000000000000001","limit":9}"#,
        ),
        (
            Request::RedriveWorkflow,
            r#"{"request_id":"r","cancelled":true}"#,
        ),
        (Request::CancelWorkflow, r#"{"reason":"not needed"}"#),
        (
            Request::CancelEach,
            r#"{"queue":"default","status":"queued","reason":"no","after":"00000000000000000000000001","limit":9}"#,
        ),
        (Request::PurgeEach, r#"{"all":true,"status":"dead","limit":1}"#),
    ];
    let named = |text: &str| {
        text.replace("$TASK", &ids.task.to_string())
            .replace("$LEASE", &ids.lease.to_string())
            .replace("$WORKFLOW", &ids.workflow.to_string())
            .replace("$DEAD", &ids.dead.to_string())
    };
    texts.map(|(request, text)| (request, named(text))).into()
});

const PIECES: [&str; 40] = [
    "null",
    "true",
    "0",
    "1",
    "-1",
    "255",
    "256",
    "1.0",
    "1e400",
    "1000",
    "60001",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "\"\"",
    "\"a\"",
    "\"b\"",
    "\"c\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"é\u{85}\"",
    "\"while_live\"",
    "\"failure\"",
    "\"final\"",
    "\"panicked\"",
    "\"dead\"",
    "\"oldest\"",
    "\"1969-12-31T23:59:59Z\"",
    "\"7zzzzzzzzzzzzzzzzzzzzzzzzz\"",
    "\"00000000000000000000000000\"",
    "[]",
    "[\"a\"]",
    "{}",
    "{\"name\": 1}",
    "{\"a\": 1, \"a\": 2}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    ",",
    "}",
    "{\"type\":\"x\"}",
    "\"id\":\"00000000000000000000000009\",",
];
