//! Records the sites that install and uninstall the app.

fn main() -> std::process::ExitCode {
    atlassian_hooks::lifecycle::run()
}
