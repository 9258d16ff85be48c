//! The receiver of Forge events of the tests' app.

fn main() -> std::process::ExitCode {
    atlassian_hooks::receiver::forge::run()
}
