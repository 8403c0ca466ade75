//! Requests to a server on this machine, as a client of AWS's JSON protocol makes them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use russet_models::aws::Reply;
use russet_servers::ACCESS_KEY;
use serde_json::Value as Json;

/// A server, and a connection to it.
pub struct Http {
    host: String,
    stream: BufReader<TcpStream>,
    /// Whether the server closes the connection after this reply.
    ends: bool,
}

impl Http {
    /// Connects to `http://HOST:PORT`.
    pub fn open(url: &str) -> Self {
        let host = url.trim_start_matches("http://").to_owned();
        let stream = connect(&host);
        let ends = false;
        Self { host, stream, ends }
    }

    pub fn call(&mut self, service: &str, target: &str, body: &Json) -> Reply {
        let (host, body) = (&self.host, body.to_string());
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nX-Amz-Target: {target}\r\n\
             Content-Type: application/x-amz-json-1.0\r\nX-Amz-Date: 20260101T000000Z\r\n\
             Authorization: AWS4-HMAC-SHA256 \
             Credential={ACCESS_KEY}/20260101/us-east-1/{service}/aws4_request, \
             SignedHeaders=host, Signature=0\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if std::mem::take(&mut self.ends) {
            self.stream = connect(&self.host);
        }
        let sent = self.stream.get_mut().write_all(head.as_bytes());
        sent.expect("a request is sent");
        self.read()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    fn read(&mut self) -> Reply {
        let line = self.line();
        let status = line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let (mut length, mut chunked, mut headers) = (0, false, Vec::new());
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            match (name.to_ascii_lowercase().as_str(), value.trim()) {
                ("content-length", value) => length = value.parse().expect("a length"),
                ("transfer-encoding", value) => chunked = value == "chunked",
                ("connection", "close") => self.ends = true,
                ("x-amzn-query-error", value) => {
                    headers.push(("x-amzn-query-error", value.to_owned()));
                }
                _ => {}
            }
        }
        let mut body = Vec::new();
        if chunked {
            while let length @ 1.. = usize::from_str_radix(&self.line(), 16).expect("a length") {
                body.extend(self.bytes(length));
                self.line();
            }
            self.line();
        } else {
            body = self.bytes(length);
        }
        Reply {
            status: status.unwrap_or_else(|| panic!("no status: {line}")),
            headers,
            body,
        }
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("a body");
        bytes
    }
}

fn connect(host: &str) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(host).expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    BufReader::new(stream)
}

/// What a reply says.
pub fn json(reply: &Reply) -> Json {
    serde_json::from_slice(&reply.body).unwrap_or(Json::Null)
}
