//! A table of requests and their refusals.

use russet_tests::{Http, Reply};
use serde_json::Value;

/// A request, and how it is to be refused.
#[derive(Clone, Debug)]
pub struct Case {
    method: &'static str,
    path: String,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
    field: Option<String>,
    /// What stands in the detail: the problem and the limit.
    says: Vec<String>,
}

/// A request that is refused with this status and code.
pub fn refused(
    method: &'static str,
    path: &str,
    body: impl Into<Vec<u8>>,
    (status, code): (u16, &'static str),
) -> Case {
    let (path, body) = (path.to_owned(), body.into());
    Case {
        method,
        path,
        body,
        status,
        code,
        field: None,
        says: Vec::new(),
    }
}

/// JSON to be posted that has a field that cannot be.
pub fn invalid(path: &str, body: Value, field: &str, says: &[&str]) -> Case {
    let case = refused("POST", path, body.to_string(), (422, "invalid"));
    case.field(field).says(says)
}

impl Case {
    pub fn field(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    pub fn says(mut self, words: &[&str]) -> Self {
        self.says
            .extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// What is wrong with the reply; `None` when it is as it should be.
    fn wrong(&self, reply: &Reply) -> Option<String> {
        let problem = reply.json();
        let mut wrong = Vec::new();
        let mut same = |what: &str, is: &Value, should: Value| {
            if *is != should {
                wrong.push(format!("{what} is {is}, not {should}"));
            }
        };
        same("the HTTP status", &reply.status.into(), self.status.into());
        same(
            "the media type",
            &reply.media_type.clone().into(),
            "application/problem+json".into(),
        );
        same("status", &problem["status"], self.status.into());
        same("code", &problem["code"], self.code.into());
        let kind = format!("urn:russet:problem:{}", self.code.replace('_', "-"));
        same("type", &problem["type"], kind.into());
        if let Some(field) = &self.field {
            same("field", &problem["field"], field.as_str().into());
        }
        let detail = problem["detail"].as_str().unwrap_or_default();
        for word in self
            .says
            .iter()
            .filter(|word| !detail.contains(word.as_str()))
        {
            wrong.push(format!("the detail does not say {word:?}"));
        }
        if wrong.is_empty() {
            return None;
        }
        let shown: String = String::from_utf8_lossy(&self.body)
            .chars()
            .take(120)
            .collect();
        let (method, path, text) = (self.method, &self.path, reply.text());
        Some(format!(
            "{method} {path} {shown}\n  {}\n  {text}",
            wrong.join("\n  ")
        ))
    }
}

/// Sends every request of the table; fails with all replies that are not as they should be.
#[track_caller]
pub fn check(client: &mut Http, table: Vec<Case>) {
    let wrong = table.iter().filter_map(|case| {
        let reply = client.send(case.method, &case.path, &case.body);
        case.wrong(&reply.expect("the server answers"))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        table.len(),
        wrong.join("\n")
    );
}
