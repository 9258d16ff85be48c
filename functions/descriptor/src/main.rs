//! Serves the app descriptor.

fn main() -> std::process::ExitCode {
    atlassian_hooks::descriptor::run(include_str!("../../../infra/atlassian-connect.json"))
}
