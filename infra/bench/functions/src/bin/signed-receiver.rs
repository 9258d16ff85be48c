//! The receiver of signed webhooks.

fn main() -> std::process::ExitCode {
    atlassian_hooks::receiver::signed::run()
}
