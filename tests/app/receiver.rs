//! The receiver of the tests' app.

fn main() -> std::process::ExitCode {
    atlassian_hooks::receiver::run()
}
