//! The model of Redis beside a real server: the same commands, the same answers.

mod cluster;
mod replicas;
mod scripts;

use proptest::prelude::*;
use redis::{Connection, ConnectionLike, Value};
use russet_models::redis::{Condition, Redis, Reply, Session};
use russet_servers::{RedisServer, RedisVersion};

type Words = Vec<Vec<u8>>;

const ALL: [RedisVersion; 3] = [
    RedisVersion::Redis6,
    RedisVersion::Redis7,
    RedisVersion::Valkey9,
];

/// A real server and a model of one, both empty.
struct Pair {
    version: RedisVersion,
    server: RedisServer,
    real: Connection,
    model: Redis,
    session: Session,
}

impl Pair {
    fn new(version: RedisVersion) -> Self {
        Self::with(version, &[])
    }

    /// A server that was started with more arguments.
    fn with(version: RedisVersion, arguments: &[&str]) -> Self {
        let server = RedisServer::start_with(version, arguments);
        let client = redis::Client::open(server.url()).expect("a URL");
        let real = client.get_connection().expect("a connection");
        let mut model = Redis::new(1);
        let session = model.open();
        Self {
            version,
            server,
            real,
            model,
            session,
        }
    }

    fn ask(&mut self, words: &Words) -> (Value, Value) {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(word);
        }
        let real = self.real.req_packed_command(&command.get_packed_command());
        let real = real.unwrap_or_else(|error| {
            let code = error.code().unwrap_or("ERR").to_owned();
            Value::SimpleString(format!("error {code}"))
        });
        let model = self.model.run(&mut self.session, words);
        let [real, model] = [real, value(model)].map(known);
        match self.version {
            RedisVersion::Redis6 => (older(words, real), older(words, model)),
            RedisVersion::Redis7 => (real, model),
            RedisVersion::Valkey9 => (counted(real), counted(model)),
        }
    }

    /// Uses up all memory, or gives some again.
    fn fill(&mut self, full: bool) {
        let most = if full { "1" } else { "0" };
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg("maxmemory").arg(most);
        let done = self.real.req_command(&command);
        assert_eq!(done, Ok(Value::Okay), "{:?}", self.version);
        let known = self.model.condition();
        self.model.set_condition(Condition { full, ..known });
    }

    fn agree(&mut self, words: &Words) {
        let (real, model) = self.ask(words);
        let shown: Vec<_> = words
            .iter()
            .map(|word| word.escape_ascii().to_string())
            .collect();
        assert_eq!(real, model, "{:?}, then model: {shown:?}", self.version);
    }
}

/// A reply as the client library reads it. Of errors only the code is compared.
fn value(reply: Reply) -> Value {
    match reply {
        Reply::Status(text) if text == "OK" => Value::Okay,
        Reply::Status(text) => Value::SimpleString(text),
        Reply::Error(text) => {
            let code = text.split(' ').next().unwrap_or_default();
            Value::SimpleString(format!("error {code}"))
        }
        Reply::Int(number) => Value::Int(number),
        Reply::Bulk(bytes) => Value::BulkString(bytes),
        Reply::Nil => Value::Nil,
        Reply::Array(items) | Reply::Push(items) => {
            Value::Array(items.into_iter().map(value).collect())
        }
        Reply::Map(pairs) => {
            let flat = pairs
                .into_iter()
                .flat_map(|(key, item)| [value(key), value(item)]);
            Value::Array(flat.collect())
        }
    }
}

/// Errors of the library by their code.
fn known(value: Value) -> Value {
    match value {
        Value::ServerError(error) => Value::SimpleString(format!("error {}", error.code())),
        Value::Array(items) => Value::Array(items.into_iter().map(known).collect()),
        other => other,
    }
}

/// What Redis 6.2 answers otherwise, and nobody relies on: of an error in a script it does not say
/// the code first.
fn older(words: &Words, answer: Value) -> Value {
    match (words[0].as_slice(), answer) {
        (b"EVAL", Value::SimpleString(text)) if text.starts_with("error ") => Value::Nil,
        (_, other) => other,
    }
}

/// Numbers by what they are: Valkey writes large scores in other words.
fn counted(answer: Value) -> Value {
    match answer {
        Value::Array(items) => Value::Array(items.into_iter().map(counted).collect()),
        Value::BulkString(bytes) => match str::from_utf8(&bytes).map(str::parse) {
            Ok(Ok(number)) if !f64::is_nan(number) => Value::Double(number),
            _ => Value::BulkString(bytes),
        },
        other => other,
    }
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()])
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[x-z]{1,2}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..3),
    ]
}

fn score() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        4 => (-3..4i64).prop_map(|n| n.to_string()),
        1 => any::<i64>().prop_map(|n| n.to_string()),
        1 => any::<f64>().prop_map(|n| n + 0.0).prop_filter("a number", |n| n.is_finite()).prop_map(|n| n.to_string()),
        1 => prop::sample::select(vec!["inf", "-inf", "many", "1e3", "0.1"]).prop_map(str::to_owned),
    ];
    text.prop_map(String::into_bytes)
}

fn edge() -> impl Strategy<Value = Vec<u8>> {
    (any::<bool>(), score()).prop_map(|(exclusive, score)| {
        let sign: &[u8] = if exclusive { b"(" } else { b"" };
        [sign, &score].concat()
    })
}

fn lex_edge() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"-".to_vec()),
        Just(b"+".to_vec()),
        (prop::sample::select(vec![b'[', b'(']), member()).prop_map(|(sign, member)| [
            vec![sign],
            member
        ]
        .concat()),
    ]
}

fn number() -> impl Strategy<Value = Vec<u8>> {
    (-4..5i64).prop_map(|n| n.to_string().into_bytes())
}

fn limit() -> impl Strategy<Value = Words> {
    prop_oneof![
        Just(Vec::new()),
        (number(), number()).prop_map(|(offset, count)| vec![b"LIMIT".to_vec(), offset, count]),
    ]
}

fn with_scores() -> impl Strategy<Value = Words> {
    prop_oneof![Just(Vec::new()), Just(vec![b"WITHSCORES".to_vec()])]
}

fn some<T: std::fmt::Debug>(item: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(item, 0..4)
}

fn words(name: &str, parts: impl IntoIterator<Item = Vec<u8>>) -> Words {
    std::iter::once(name.as_bytes().to_vec())
        .chain(parts)
        .collect()
}

/// A key whose members all have the score 0: only then their order by bytes is defined.
const EVEN: &[u8] = b"even";

/// Commands on data, right and wrong ones.
fn command() -> impl Strategy<Value = Words> {
    let names = |names: &'static [&'static str]| prop::sample::select(names.to_vec());
    prop_oneof![
        3 => (key(), some((score(), member()))).prop_map(|(key, pairs)| {
            let pairs = pairs.into_iter().flat_map(|(score, member)| [score, member]);
            words("ZADD", std::iter::once(key).chain(pairs))
        }),
        2 => (key(), some((member(), member()))).prop_map(|(key, pairs)| {
            let pairs = pairs.into_iter().flat_map(|(field, value)| [field, value]);
            words("HSET", std::iter::once(key).chain(pairs))
        }),
        4 => (names(&["HDEL", "HMGET", "SADD", "SREM", "ZREM", "HGET", "HSETNX", "ZSCORE"]), key(), some(member()))
            .prop_map(|(name, key, members)| words(name, std::iter::once(key).chain(members))),
        2 => (names(&["SMEMBERS", "SCARD", "ZCARD", "HLEN", "EXISTS", "DEL"]), some(key()))
            .prop_map(|(name, keys)| words(name, keys)),
        1 => (key(), number(), number())
            .prop_map(|(key, first, last)| words("ZREMRANGEBYRANK", [key, first, last])),
        2 => (key(), number(), number(), with_scores())
            .prop_map(|(key, first, last, more)| words("ZRANGE", [key, first, last].into_iter().chain(more))),
        1 => (key(), edge(), edge()).prop_map(|(key, first, last)| words("ZCOUNT", [key, first, last])),
        2 => (names(&["ZRANGEBYSCORE", "ZREVRANGEBYSCORE"]), key(), edge(), edge(), with_scores(), limit())
            .prop_map(|(name, key, first, last, scores, limit)| {
                words(name, [key, first, last].into_iter().chain(scores).chain(limit))
            }),
        1 => some(member()).prop_map(|members| {
            let pairs = members.into_iter().flat_map(|member| [b"0".to_vec(), member]);
            words("ZADD", std::iter::once(EVEN.to_vec()).chain(pairs))
        }),
        2 => (names(&["ZRANGEBYLEX", "ZREVRANGEBYLEX"]), lex_edge(), lex_edge(), limit())
            .prop_map(|(name, first, last, limit)| {
                words(name, [EVEN.to_vec(), first, last].into_iter().chain(limit))
            }),
    ]
}

/// Sets answer in no order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(mut items) => {
            items.sort_by_key(|item| format!("{item:?}"));
            Value::Array(items)
        }
        other => other,
    }
}

#[test]
fn the_model_answers_every_sequence_of_commands_as_the_server_does() {
    let pairs = std::cell::RefCell::new(ALL.map(Pair::new));
    let sequences = prop::collection::vec(command(), 1..60);
    proptest!(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }, |(sequence in sequences)| {
        for pair in pairs.borrow_mut().iter_mut() {
            pair.agree(&words("FLUSHALL", []));
            for command in &sequence {
                let (real, model) = pair.ask(command);
                let (real, model) = match command[0].as_slice() {
                    b"SMEMBERS" => (sorted(real), sorted(model)),
                    _ => (real, model),
                };
                let shown: Vec<_> = command.iter().map(|word| word.escape_ascii().to_string()).collect();
                prop_assert_eq!(real, model, "{:?}, then model: {:?}", pair.version, shown);
            }
        }
    });
}

#[test]
fn scripts_see_and_say_the_same() {
    let mut pairs = ALL.map(Pair::new);
    let eval = |body: &str, keys: &[&str], args: &[&str]| {
        let count = keys.len().to_string();
        let parts = [body, &count].into_iter().chain(keys.iter().copied());
        let parts = parts.chain(args.iter().copied());
        words("EVAL", parts.map(|part| part.as_bytes().to_vec()))
    };
    for body in [
        "return 1",
        "return 3.99",
        "return 'text'",
        "return true",
        "return false",
        "return nil",
        "return {1, 'two', false, 4}",
        "return {1, nil, 3}",
        "return {ok = 'FINE'}",
        "return {err = 'BAD things'}",
        "return redis.error_reply('BAD things')",
        "return redis.status_reply('FINE')",
        "return {KEYS[1], ARGV[1], #KEYS, #ARGV}",
        "return redis.call('ZADD', KEYS[1], 1, 'x', '2', 'y')",
        "return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')",
        "return redis.call('HGET', KEYS[1], 'x')",
        "return redis.pcall('HGET', KEYS[1], 'x')",
        "local r = redis.pcall('HGET', KEYS[1], 'x') return r.err and 'refused'",
        "return redis.call('ZSCORE', KEYS[1], 'nobody')",
        "return redis.call('EXISTS', KEYS[1], KEYS[2])",
        "return string.format('%.17g', 1 / 3)",
        "return string.format('%.0f', 2 ^ 53)",
        "return {string.byte(ARGV[1], 1, 8)}",
        "return math.max(1, 2) .. ''",
        "return redis.call('NONSENSE')",
        "return redis.call()",
        "return #redis.call('TIME')",
        "return nonsense()",
        "return (",
        "return {unpack(ARGV, 1, 2)}",
    ] {
        for pair in &mut pairs {
            pair.agree(&eval(body, &["a", "b"], &["one", "two"]));
        }
    }
}

#[test]
fn a_script_is_known_by_its_hash_once_it_has_run() {
    ALL.into_iter().for_each(knows_by_hash);
}

fn knows_by_hash(version: RedisVersion) {
    let mut pair = Pair::new(version);
    let body = b"return 7".to_vec();
    let sha = sha1_smol::Sha1::from(&body)
        .digest()
        .to_string()
        .into_bytes();
    let by_hash = words("EVALSHA", [sha.clone(), b"0".to_vec()]);
    pair.agree(&by_hash);
    pair.agree(&words("EVAL", [body.clone(), b"0".to_vec()]));
    pair.agree(&by_hash);
    pair.agree(&words("SCRIPT", [b"FLUSH".to_vec()]));
    pair.agree(&by_hash);
    pair.agree(&words("SCRIPT", [b"LOAD".to_vec(), body]));
    pair.agree(&words(
        "SCRIPT",
        [b"EXISTS".to_vec(), sha, b"0000".to_vec()],
    ));
}
