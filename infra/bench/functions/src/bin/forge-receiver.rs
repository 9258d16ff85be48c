//! The receiver of a Forge app's events.

fn main() -> std::process::ExitCode {
    atlassian_hooks::receiver::forge::run()
}
