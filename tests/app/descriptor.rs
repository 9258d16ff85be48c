//! The descriptor function of the tests' app.

fn main() -> std::process::ExitCode {
    atlassian_hooks::descriptor::run(include_str!("atlassian-connect.json"))
}
