//! Scripts, run by the real Lua 5.1, without what would make two runs differ.

use std::cell::RefCell;
use std::collections::BTreeMap;

use mlua::{Function, Lua, LuaOptions, MultiValue, StdLib, Table, Value as LuaValue, Variadic};

use super::args::{Answer, error};
use super::core::{Core, Run};
use super::resp::Reply;

/// The scripts that the server knows, and what runs them.
pub(super) struct Scripts {
    lua: Lua,
    known: BTreeMap<String, Function>,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let libraries = StdLib::STRING | StdLib::TABLE | StdLib::MATH;
        let lua = match Lua::new_with(libraries, LuaOptions::default()) {
            Ok(lua) => lua,
            Err(error) => panic!("broken invariant: Lua has its own libraries: {error}"),
        };
        Self {
            lua,
            known: BTreeMap::new(),
        }
    }

    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    pub(super) fn knows(&self, sha: &str) -> bool {
        self.known.contains_key(sha)
    }

    /// Makes a script known by its hash.
    pub(super) fn load(&mut self, body: &[u8]) -> Result<String, Reply> {
        let sha = sha1_smol::Sha1::from(body).digest().to_string();
        if !self.known.contains_key(&sha) {
            let function = self.lua.load(body).into_function();
            let function = function.map_err(|why| {
                Reply::Error(format!("ERR Error compiling script (new function): {why}"))
            })?;
            self.known.insert(sha.clone(), function);
        }
        Ok(sha)
    }

    /// Runs a script that is known.
    pub(super) fn run(
        &self,
        core: &mut Core,
        sha: &str,
        keys: &[Vec<u8>],
        args: &[Vec<u8>],
    ) -> Answer {
        let function = self.known.get(sha);
        let function = function.ok_or_else(|| error("NOSCRIPT No matching script."))?;
        let run = RefCell::new(Run::new(core));
        let call = |lua: &Lua, raise: bool, args: Variadic<LuaValue>| {
            let reply = match words(args) {
                Ok(words) => run.borrow_mut().command(&words),
                Err(refused) => refused,
            };
            match reply {
                Reply::Error(text) if raise => Err(mlua::Error::external(Raised(text))),
                reply => to_lua(lua, reply),
            }
        };
        let done = self.lua.scope(|scope| {
            let redis = self.lua.create_table()?;
            redis.set(
                "call",
                scope.create_function(|lua, args| call(lua, true, args))?,
            )?;
            redis.set(
                "pcall",
                scope.create_function(|lua, args| call(lua, false, args))?,
            )?;
            for (name, field) in [("error_reply", "err"), ("status_reply", "ok")] {
                let make = self
                    .lua
                    .create_function(move |lua, text: mlua::LuaString| {
                        let reply = lua.create_table()?;
                        reply.set(field, text)?;
                        Ok(reply)
                    })?;
                redis.set(name, make)?;
            }
            let globals = self.lua.globals();
            globals.set("redis", redis)?;
            globals.set("KEYS", self.list(keys)?)?;
            globals.set("ARGV", self.list(args)?)?;
            function.call::<MultiValue>(())
        });
        match done {
            Ok(values) => Ok(from_lua(values.into_iter().next().unwrap_or(LuaValue::Nil))),
            Err(why) => Err(raised(&why)),
        }
    }

    fn list(&self, items: &[Vec<u8>]) -> mlua::Result<Table> {
        let items = items.iter().map(|item| self.lua.create_string(item));
        let items = items.collect::<mlua::Result<Vec<_>>>()?;
        self.lua.create_sequence_from(items)
    }
}

/// An error reply that ends a script.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Raised(String);

fn raised(why: &mlua::Error) -> Reply {
    match why.downcast_ref::<Raised>() {
        Some(Raised(text)) => Reply::Error(text.clone()),
        None => Reply::Error(format!("ERR Error running script: {why}")),
    }
}

/// The arguments of `redis.call`.
fn words(args: Variadic<LuaValue>) -> Result<Vec<Vec<u8>>, Reply> {
    let word = |value: LuaValue| match value {
        LuaValue::String(text) => Ok(text.as_bytes().to_vec()),
        LuaValue::Integer(number) => Ok(number.to_string().into_bytes()),
        LuaValue::Number(number) => Ok(super::sorted_sets::written(number)),
        _ => Err(error(
            "ERR Lua redis lib command arguments must be strings or integers",
        )),
    };
    args.into_iter().map(word).collect()
}

fn to_lua(lua: &Lua, reply: Reply) -> mlua::Result<LuaValue> {
    let tagged = |tag: &str, text: String| {
        let table = lua.create_table()?;
        table.set(tag, text)?;
        Ok(LuaValue::Table(table))
    };
    match reply {
        Reply::Int(number) => Ok(LuaValue::Number(number as f64)),
        Reply::Bulk(bytes) => Ok(LuaValue::String(lua.create_string(bytes)?)),
        Reply::Nil => Ok(LuaValue::Boolean(false)),
        Reply::Status(text) => tagged("ok", text),
        Reply::Error(text) => tagged("err", text),
        Reply::Array(items) | Reply::Push(items) => {
            let items = items.into_iter().map(|item| to_lua(lua, item));
            let items = items.collect::<mlua::Result<Vec<_>>>()?;
            Ok(LuaValue::Table(lua.create_sequence_from(items)?))
        }
        Reply::Map(pairs) => {
            let flat = pairs.into_iter().flat_map(|(key, value)| [key, value]);
            to_lua(lua, Reply::Array(flat.collect()))
        }
    }
}

fn from_lua(value: LuaValue) -> Reply {
    match value {
        LuaValue::String(text) => Reply::Bulk(text.as_bytes().to_vec()),
        LuaValue::Integer(number) => Reply::Int(number),
        LuaValue::Number(number) => Reply::Int(number as i64),
        LuaValue::Boolean(true) => Reply::Int(1),
        LuaValue::Table(table) => table_reply(&table),
        _ => Reply::Nil,
    }
}

fn table_reply(table: &Table) -> Reply {
    let text = |tag: &str| {
        let text = table.raw_get::<Option<mlua::LuaString>>(tag).ok().flatten();
        text.map(|text| String::from_utf8_lossy(&text.as_bytes()).into_owned())
    };
    if let Some(error) = text("err") {
        return Reply::Error(error);
    }
    if let Some(status) = text("ok") {
        return Reply::Status(status);
    }
    // An array ends before the first hole.
    let items = (1..).map_while(|at| match table.raw_get::<LuaValue>(at) {
        Ok(LuaValue::Nil) | Err(_) => None,
        Ok(value) => Some(from_lua(value)),
    });
    Reply::Array(items.collect())
}
