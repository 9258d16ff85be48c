//! Processes of functions.

/// Kills the processes of a binary that are configured with a service at this URL.
pub(crate) fn kill(binary: &str, url: &str) {
    let mut killed = 0;
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let path = process.path();
        let runs = std::fs::read_link(path.join("exe")).is_ok_and(|exe| exe.ends_with(binary));
        let told = std::fs::read(path.join("environ"))
            .is_ok_and(|environ| String::from_utf8_lossy(&environ).contains(url));
        if runs && told {
            let id = process.file_name();
            let status = std::process::Command::new("kill").arg("-9").arg(id).status().unwrap();
            killed += usize::from(status.success());
        }
    }
    assert!(killed > 0, "no process of {binary} was there to be killed");
}
