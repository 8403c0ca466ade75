//! The address in `russet config check`.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::config::config;
use crate::process::{Ran, Site};

/// An address that is in use, and what uses it.
fn occupied() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let address = listener.local_addr().expect("an address").to_string();
    (listener, address)
}

/// A check of an address for a store in memory.
fn checked(address: &str) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = [
        "check",
        "--set",
        "store.backend=memory",
        "--listen",
        address,
    ];
    config(folder.path(), &arguments, &[])
}

#[test]
fn an_address_that_something_else_uses_is_warned_of() {
    let (listener, address) = occupied();
    let answers = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let _ = stream.read(&mut [0; 1024]);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n";
        stream.write_all(answer).expect("is answered");
        listener
    });
    let said = checked(&address).good().to_owned();
    let line = format!("WARN server   cannot listen on {address}: Address already in use");
    assert!(said.contains(&line), "{said}");
    assert!(said.contains("--listen or [server] listen"), "{said}");
    drop(answers.join().expect("has answered"));
    let said = checked(&address).good().to_owned();
    assert!(
        said.contains(&format!("ok   server   will listen on {address}")),
        "{said}"
    );
}

#[test]
fn an_address_that_cannot_be_had_is_warned_of() {
    let said = checked("127.0.0.1:0").good().to_owned();
    assert!(said.contains("ok   server"), "{said}");
    let (foreign, token) = ("192.0.2.1:7718", [("RUSSET_TOKENS", "0123456789abcdef")]);
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = [
        "check",
        "--set",
        "store.backend=memory",
        "--listen",
        foreign,
    ];
    let checked = config(folder.path(), &arguments, &token);
    let said = checked.good();
    assert!(
        said.contains("WARN server   cannot listen on 192.0.2.1:7718: "),
        "{said}"
    );
}

#[test]
fn an_address_at_which_russet_serves_already_is_as_it_should_be() {
    for token in [None, Some("0123456789abcdef")] {
        let site = Site::with(|command| {
            command.envs(token.map(|token| ("RUSSET_TOKENS", token)));
        });
        let address = site.url.strip_prefix("http://").expect("an address");
        let said = checked(address).good().to_owned();
        let line =
            format!("ok   server   russet serves on {address} already; unless it is this one");
        assert!(said.contains(&line), "{said}");
    }
}

#[test]
fn an_embedded_store_that_the_russet_there_has_is_no_mistake() {
    let mut site = Site::start();
    let address = site
        .url
        .strip_prefix("http://")
        .expect("an address")
        .to_owned();
    let check = |site: &Site, listen: &str| {
        let arguments = ["check", "--data-dir", "data", "--listen", listen];
        config(site.folder.path(), &arguments, &[])
    };
    let served = check(&site, &address);
    let line = "WARN store    embedded: data in data, in use, as it is while russet serves";
    assert!(served.good().contains(line), "{served:?}");
    let said = check(&site, "127.0.0.1:0");
    assert_eq!(said.status, 1, "{said:?}");
    assert!(
        said.stdout.contains("BAD  store    [store] data_dir"),
        "{said:?}"
    );
    site.stop();
    assert!(check(&site, &address).good().contains("ok   store"));
}
