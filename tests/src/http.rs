//! HTTP/1.1 over one connection, without anything that a test would have to trust.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

/// Longest wait for a reply, in seconds: longer than every long poll of the tests.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a server is; it moves when it is started anew.
#[derive(Clone, Debug)]
pub struct Address(Arc<Mutex<SocketAddr>>);

impl Address {
    /// Here, for now.
    pub fn new(at: SocketAddr) -> Self {
        Self(Arc::new(Mutex::new(at)))
    }

    /// Where it is.
    pub fn get(&self) -> SocketAddr {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves it.
    pub fn set(&self, at: SocketAddr) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

/// A client with one connection, opened again when it broke.
#[derive(Debug)]
pub struct Http {
    address: Address,
    connection: Option<BufReader<TcpStream>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The media type.
    pub media_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body of a reply that must be good.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn good(self) -> Value {
        assert!(
            (200..300).contains(&self.status),
            "{}: {}",
            self.status,
            self.text()
        );
        self.json()
    }

    /// The code of a problem; empty when the reply is none.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Http {
    /// A client of the server there.
    pub const fn new(address: Address) -> Self {
        Self {
            address,
            connection: None,
        }
    }

    /// Gets.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn get(&mut self, path: &str) -> io::Result<Reply> {
        self.send("GET", path, &[])
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn post(&mut self, path: &str, body: &Value) -> io::Result<Reply> {
        self.send("POST", path, body.to_string().as_bytes())
    }

    /// Sends a request and reads its reply.
    ///
    /// # Errors
    /// A connection that cannot be made or broke: whether the request was carried out is
    /// unknown.
    pub fn send(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<Reply> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        self.raw(&[head.as_bytes(), body].concat())
    }

    /// Sends these bytes and reads a reply.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn raw(&mut self, request: &[u8]) -> io::Result<Reply> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(self.address.get())?,
        };
        // A connection that broke is not put back.
        let (connection, reply) = exchange(connection, request)?;
        self.connection = connection;
        Ok(reply)
    }
}

fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

type Connection = BufReader<TcpStream>;

fn exchange(mut connection: Connection, request: &[u8]) -> io::Result<(Option<Connection>, Reply)> {
    // A server may refuse before it has read all of a large body: then its reply says why.
    let sent = connection.get_mut().write_all(request);
    let (status, headers) = match read_head(&mut connection) {
        Ok(head) => head,
        Err(error) => return Err(sent.err().unwrap_or(error)),
    };
    let header = |name: &str| {
        let found = headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    let length = header("content-length").and_then(|length| length.parse().ok());
    let length: usize = length.ok_or_else(|| io::Error::other("a reply without its length"))?;
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    let media_type = header("content-type").unwrap_or_default().to_owned();
    let closes = sent.is_err() || header("connection") == Some("close");
    let reply = Reply {
        status,
        media_type,
        body,
    };
    Ok(((!closes).then_some(connection), reply))
}

fn read_head(connection: &mut Connection) -> io::Result<(u16, Vec<(String, String)>)> {
    let line = read_line(connection)?;
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("not a reply: {line:?}")))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(connection)?;
        if line.is_empty() {
            return Ok((status, headers));
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
}

fn read_line(connection: &mut Connection) -> io::Result<String> {
    let mut line = String::new();
    if connection.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end().len());
    Ok(line)
}
