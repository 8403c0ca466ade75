//! The plans that have broken a promise once keep all of them. Only a simulated build can run
//! them: it is made here, where `cargo sim` makes it.

use std::path::Path;
use std::process::Command;

#[test]
fn plans_that_have_broken_a_promise_once_keep_them_all() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(env!("CARGO"));
    command.args(["sim", "regressions"]).current_dir(root);
    // They would take the place of the flags that make the build a simulated one.
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_RUSTFLAGS",
    ] {
        command.env_remove(name);
    }
    let output = command.output().expect("cargo runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
}
