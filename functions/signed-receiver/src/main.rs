//! Receives the webhooks of one URL that an administrator or an OAuth 2.0 app registered.

fn main() -> std::process::ExitCode {
    atlassian_hooks::receiver::signed::run()
}
