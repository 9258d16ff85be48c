//! Receives the webhooks of one declared URL.

fn main() -> std::process::ExitCode {
    atlassian_hooks::receiver::run()
}
