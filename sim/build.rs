//! Stops a build that could not simulate before it has begun, where it is plain that it should.

fn main() {
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    println!("cargo::rustc-check-cfg=cfg(madsim)");
    let folder = std::env::var("OUT_DIR").unwrap_or_default();
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if folder.contains("target/sim/") && !flags.contains("madsim") {
        println!(
            "cargo::error=this build cannot simulate: it has no --cfg madsim. A variable such as \
             RUSTFLAGS goes before the flags of the alias: unset it, or add --cfg madsim to it"
        );
    }
}
