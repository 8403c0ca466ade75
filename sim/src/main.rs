//! `cargo sim`

fn main() -> std::process::ExitCode {
    russet_sim::cli::main()
}
