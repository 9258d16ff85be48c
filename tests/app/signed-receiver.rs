//! The receiver of one URL of signed webhooks.

fn main() -> std::process::ExitCode {
    atlassian_hooks::receiver::signed::run()
}
