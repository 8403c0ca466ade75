//! Stands before a server that speaks as AWS does, and denies some actions.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// A server of one connection for each request. It listens until the test ends.
pub struct Front {
    url: String,
}

impl Front {
    /// Passes everything on to the server at `url`, but for requests of these kinds.
    pub fn start(url: &str, denied: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = listener.local_addr().expect("an address");
        let server = url.strip_prefix("http://").expect("an address").to_owned();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = server.clone();
                thread::spawn(move || answer(client, &server, denied));
            }
        });
        Self {
            url: format!("http://{address}"),
        }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }
}

/// Answers one request; a client that goes away meanwhile is none of ours.
fn answer(mut client: TcpStream, server: &str, denied: &[&str]) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut head = String::new();
    let (mut length, mut kind) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "x-amz-target" => kind = value.trim().rsplit('.').next()?.to_owned(),
            "connection" => continue,
            _ => {}
        }
        if line.trim().is_empty() {
            break;
        }
        head += &line;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    if denied.contains(&kind.as_str()) {
        let said = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"User: arn:aws:iam::000000000000:user/test is not authorized"}"#;
        let length = said.len();
        let head = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\
                    Content-Type: application/x-amz-json-1.0\r\n";
        let denial = format!("{head}Content-Length: {length}\r\n\r\n{said}");
        return client.write_all(denial.as_bytes()).ok();
    }
    let mut stream = TcpStream::connect(server).ok()?;
    let head = format!("{head}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&body).ok()?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).ok()?;
    client.write_all(&reply).ok()
}
