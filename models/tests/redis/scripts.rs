//! The scripts of the adapter, on the model and on real servers: with arguments as the adapter makes
//! them, and with memory that is used up from time to time.

use proptest::prelude::*;

use super::{ALL, Pair, Words, sorted, words};

/// What several scripts begin with.
const GROW: &str = include_str!("../../../backends/src/redis/scripts/grow.lua");
const RESTORE: &str = include_str!("../../../backends/src/redis/scripts/restore.lua");
const COMMIT: &str = include_str!("../../../backends/src/redis/scripts/commit.lua");
const TAKE: &str = include_str!("../../../backends/src/redis/scripts/take.lua");
const RELEASE: &str = include_str!("../../../backends/src/redis/scripts/release.lua");
const PEEK: &str = include_str!("../../../backends/src/redis/scripts/peek.lua");
const DEPTH: &str = include_str!("../../../backends/src/redis/scripts/depth.lua");
const ENTER: &str = include_str!("../../../backends/src/redis/scripts/enter.lua");

/// The names of a partition: what it is, its records, the lanes and the queues that hold a task.
const OWN: [&str; 4] = ["meta", "records", "lanes", "queues"];
/// Sorted sets and a set that instructions name, behind those four.
const TIMERS: usize = 5;
const LISTED: usize = 6;
const NAMES: usize = 7;
/// The ready tasks of two lanes, each with the hidden ones behind it.
const READY: [usize; 2] = [8, 10];
const NAMED: [&str; 7] = [
    "timers", "listed", "names", "ready a", "hidden a", "ready b", "hidden b",
];
const LATER: &str = "\0\0";

/// What is done to both servers.
#[derive(Clone, Debug)]
enum Step {
    Run(Words),
    /// Memory is used up, or there is some again.
    Fill(bool),
}

fn eval(body: &str, keys: &[&str], args: impl IntoIterator<Item = Vec<u8>>) -> Words {
    let count = keys.len().to_string();
    let head = [body, &count].into_iter().chain(keys.iter().copied());
    let head = head.map(|part| part.as_bytes().to_vec());
    words("EVAL", head.chain(args))
}

/// A script at a time that is given instead of the server's.
fn eval_at(now: u64, body: &str, keys: &[&str], args: Vec<Vec<u8>>) -> Words {
    let (seconds, rest) = (now / 1_000_000, now % 1_000_000);
    let time = format!("{{ '{seconds}', '{rest}' }}");
    let body = [GROW, RESTORE, body]
        .concat()
        .replace("call('TIME')", &time);
    eval(&body, keys, args)
}

fn text(text: impl ToString) -> Vec<u8> {
    text.to_string().into_bytes()
}

/// Few of each, so that they meet.
fn field() -> impl Strategy<Value = Vec<u8>> + Clone {
    (1..5u8).prop_map(|n| text(format!("field {n}")))
}

fn version() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => Just(Vec::new()),
        3 => (1..3u8).prop_map(|n| text(format!("version{n}"))),
        1 => (1..3u8).prop_map(|n| text(format!("version{n}{LATER}"))),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    (1..3u8, any::<u8>()).prop_map(|(n, more)| {
        let mut value = text(format!("version{n}"));
        value.push(more);
        value
    })
}

/// Eight bytes of a score, and an id.
fn place() -> impl Strategy<Value = Vec<u8>> + Clone {
    let score = prop_oneof![3 => 0..4u64, 1 => any::<u64>()];
    (score, 0..3u8).prop_map(|(score, id)| {
        let mut place = (score ^ 1 << 63).to_be_bytes().to_vec();
        place.push(id);
        place
    })
}

fn score() -> impl Strategy<Value = Vec<u8>> + Clone {
    prop_oneof![3 => 0..5i64, 1 => any::<i64>()].prop_map(text)
}

fn now() -> impl Strategy<Value = u64> {
    (0..6u64).prop_map(|n| 1_700_000_000_000_000 + n * 400_000)
}

/// Until when something is hidden: as [`now`] and the times that are hidden for come to.
fn until() -> impl Strategy<Value = Vec<u8>> {
    (now(), 0..3u64).prop_map(|(now, n)| text(now + n * 400_000))
}

/// Of how many members a script is told: so many that it makes a set grow, or fewer.
fn few_or_many() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 1..4usize, 1 => 8..12usize]
}

/// An instruction about members that follow it.
fn about(
    what: &'static str,
    key: usize,
    scored: bool,
    member: impl Strategy<Value = Vec<u8>> + Clone,
) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let members = (score(), member);
    let members = few_or_many().prop_flat_map(move |n| prop::collection::vec(members.clone(), n));
    (members, any::<bool>(), 0..2u8).prop_map(move |(members, alike, name)| {
        let given = match (scored, alike) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => members.len(),
        };
        let mut all = vec![text(what), text(key), text(format!("name {name}"))];
        all.extend([members.len(), 0, given].map(text));
        all.extend(members.iter().take(given).map(|(score, _)| score.clone()));
        all.extend(members.into_iter().map(|(_, member)| member));
        all
    })
}

/// An instruction about the first fields of a commit.
fn of_fields(what: &'static str) -> impl Strategy<Value = (&'static str, Vec<Vec<u8>>)> {
    prop::collection::vec(value(), 4).prop_map(move |values| (what, values))
}

fn instruction() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let ready = || prop::sample::select(READY.to_vec());
    prop_oneof![
        2 => about("insert", TIMERS, true, field()),
        1 => about("delete", TIMERS, false, field()),
        2 => about("list", LISTED, true, field()),
        1 => about("unlist", LISTED, false, field()),
        1 => about("name", NAMES, false, field()),
        1 => about("forget", NAMES, false, field()),
        4 => ready().prop_flat_map(|key| about("announce", key, true, place())),
        2 => ready().prop_flat_map(|key| about("withdraw", key, false, place())),
        1 => about("nonsense", TIMERS, false, field()),
    ]
}

/// A commit whose fields are set or removed by instructions, among others.
fn commit() -> impl Strategy<Value = Words> {
    let what = prop::sample::select(vec!["set", "set later", "remove", "remove both"]);
    let own = what.prop_flat_map(of_fields);
    let fields = prop::collection::btree_set(field(), 0..4);
    let versions = prop::collection::vec(version(), 4);
    let more = prop::collection::vec(instruction(), 0..4);
    let epoch = prop_oneof![6 => Just("0"), 1 => Just("1"), 1 => Just("1001")];
    (
        epoch,
        any::<bool>(),
        fields,
        versions,
        any::<bool>(),
        own,
        more,
    )
        .prop_map(
            |(epoch, exceed, fields, versions, alike, (what, values), more)| {
                let count = fields.len();
                let shown = if alike { 1 } else { count };
                let exceed = if exceed { "1" } else { "" };
                let mut args = vec![text(epoch), text(exceed), text("channel")];
                args.extend([count, shown].map(text));
                args.extend(fields);
                args.extend(versions.into_iter().take(shown));
                if count > 0 {
                    let given = if what.starts_with("set") { count } else { 0 };
                    args.extend([text(what), text(2), text("")]);
                    args.extend([count, 1, given].map(text));
                    args.extend(values.into_iter().take(given));
                }
                args.extend(more.into_iter().flatten());
                eval(
                    &[GROW, COMMIT].concat(),
                    &[OWN.as_slice(), &NAMED].concat(),
                    args,
                )
            },
        )
}

/// Beginnings of epochs, of a partition of their own: no commit would name the epoch that is left.
fn enter() -> impl Strategy<Value = Words> {
    let run = prop::sample::select(vec!["one", "other"]);
    let since = prop::sample::select(vec![1_700_000_000u64, 1_699_999_997]);
    let apart = prop::sample::select(vec![1, 7, 1_000]);
    let asking = prop::sample::select(vec!["0", "0", "1"]);
    let all = (now(), run, -1..4i64, since, apart, 0..9u8, asking);
    all.prop_map(|(now, run, seen, since, apart, own, asking)| {
        let args = [
            text(run),
            text(seen),
            text(since),
            text(apart),
            text(own),
            text(asking),
        ];
        eval_at(now, ENTER, &["begun"], args.to_vec())
    })
}

const LANES: [&str; 4] = ["ready a", "hidden a", "ready b", "hidden b"];

/// The scripts of the queue.
fn deliveries() -> impl Strategy<Value = Words> {
    let hide = (0..4u64).prop_map(|n| text(n * 400_000));
    let most = || few_or_many().prop_map(text);
    let given = prop::collection::vec((1..3u8, until(), place()), 0..4);
    let delay = (0..3u64).prop_map(|n| text(n * 400_000));
    prop_oneof![
        4 => (now(), hide, most(), most()).prop_map(|(now, hide, a, b)| {
            eval_at(now, TAKE, &LANES, vec![hide, a, b])
        }),
        3 => (now(), delay, given).prop_map(|(now, delay, given)| {
            let mut args = vec![delay, text("channel"), text("lane a"), text("lane b")];
            for (lane, until, place) in given {
                args.extend([text(lane), until, place]);
            }
            eval_at(now, RELEASE, &LANES, args)
        }),
        1 => (now(), most()).prop_map(|(now, most)| eval_at(now, PEEK, &LANES, vec![most])),
        1 => now().prop_map(|now| eval_at(now, DEPTH, &LANES[..2], Vec::new())),
    ]
}

/// Commands by themselves and in a script that goes on whatever becomes of them. What has tried to
/// write is not refused for want of memory any more.
fn mixed() -> impl Strategy<Value = Words> {
    const BODY: &str = "
        local said, at = {}, 1
        while ARGV[at] do
            local count = tonumber(ARGV[at])
            local reply = redis.pcall(unpack(ARGV, at + 1, at + count))
            if type(reply) == 'table' and reply.err then
                reply = string.find(reply.err, 'OOM') and 'no memory' or 'refused'
            end
            said[#said + 1] = reply and type(reply) ~= 'table' and reply or 'something'
            at = at + count + 1
        end
        return said";
    let script = prop::collection::vec(super::command(), 1..6).prop_map(|commands| {
        let parts = commands.into_iter().flat_map(|command| {
            let count = text(command.len());
            std::iter::once(count).chain(command)
        });
        eval(BODY, &[], parts)
    });
    prop_oneof![1 => super::command(), 2 => script]
}

fn step(run: impl Strategy<Value = Words>) -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => run.prop_map(Step::Run),
        1 => any::<bool>().prop_map(Step::Fill),
    ]
}

/// Reads everything that scripts write.
fn all() -> Vec<Words> {
    let fields = (1..5).flat_map(|n| ["", LATER].map(|ending| format!("field {n}{ending}")));
    let records = std::iter::once("records".to_owned()).chain(fields);
    let begun = ["begun", "run_id", "epoch"].map(text);
    let sets = ["lanes", "queues", "names"].map(|key| words("SMEMBERS", [text(key)]));
    let places = ["timers", "listed"].iter().chain(&LANES);
    let places = places.map(|key| words("ZRANGE", [key, "0", "-1", "WITHSCORES"].map(text)));
    let hashes = [words("HMGET", records.map(text)), words("HMGET", begun)];
    hashes.into_iter().chain(sets).chain(places).collect()
}

/// Takes the steps on every server, and reads what they come to.
fn agree(pairs: &mut [Pair], steps: &[Step], rest: &[Words]) -> Result<(), TestCaseError> {
    for pair in pairs {
        pair.fill(false);
        pair.agree(&words("FLUSHALL", []));
        for step in steps {
            match step {
                Step::Run(command) => same(pair, command)?,
                Step::Fill(full) => pair.fill(*full),
            }
        }
        for read in rest {
            same(pair, read)?;
        }
    }
    Ok(())
}

fn same(pair: &mut Pair, command: &Words) -> Result<(), TestCaseError> {
    let (real, model) = pair.ask(command);
    let (real, model) = match command[0].as_slice() {
        b"SMEMBERS" => (sorted(real), sorted(model)),
        _ => (real, model),
    };
    let shown = command.iter().map(|word| word.escape_ascii().to_string());
    let shown: Vec<_> = shown.collect();
    prop_assert_eq!(real, model, "{:?}, then model: {:?}", pair.version, shown);
    Ok(())
}

#[test]
fn the_scripts_of_the_adapter_do_and_answer_the_same_with_any_arguments() {
    let pairs = std::cell::RefCell::new(ALL.map(Pair::new));
    let run = prop_oneof![4 => commit(), 1 => enter(), 4 => deliveries()];
    let steps = prop::collection::vec(step(run), 1..40);
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(steps in steps)| {
        let begun = Step::Run(words("HSET", ["meta", "epoch", "0"].map(text)));
        let steps: Vec<_> = std::iter::once(begun).chain(steps).collect();
        agree(&mut *pairs.borrow_mut(), &steps, &all())?;
    });
}

#[test]
fn the_same_commands_are_refused_once_memory_is_used_up() {
    let pairs = std::cell::RefCell::new(ALL.map(Pair::new));
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(steps in prop::collection::vec(step(mixed()), 1..60))| {
        let full = std::iter::once(Step::Fill(true));
        let steps: Vec<_> = full.chain(steps).collect();
        agree(&mut *pairs.borrow_mut(), &steps, &[])?;
    });
}
