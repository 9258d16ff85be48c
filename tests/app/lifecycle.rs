//! The lifecycle function of the tests' app.

fn main() -> std::process::ExitCode {
    atlassian_hooks::lifecycle::run()
}
