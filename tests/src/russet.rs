//! `russet`, to be killed.

fn main() -> std::process::ExitCode {
    russet_cli::cli::main()
}
