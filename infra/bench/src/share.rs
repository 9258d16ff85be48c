//! The share of a processor that Lambda gives to a function of some memory.

use std::fs;
use std::path::{Path, PathBuf};

/// A control group whose process gets a share of one processor, and gets it at once, whatever else the
/// machine does. It is removed when it is dropped, by when its process must have ended.
pub(crate) struct Share {
    folder: PathBuf,
}

impl Share {
    /// The share of a function with so many megabytes, none of which is used up. `None` if this machine lets
    /// nobody make a group.
    pub(crate) fn of_memory(megabytes: u32) -> Option<Self> {
        let quota = PERIOD * megabytes / MEGABYTES_OF_A_PROCESSOR;
        let (parent, limits) = if Path::new(FIRST_VERSION).join("cpu.cfs_quota_us").exists() {
            let limits = vec![
                ("cpu.cfs_period_us", PERIOD.to_string()),
                ("cpu.cfs_quota_us", quota.to_string()),
                ("cpu.shares", "262144".to_owned()),
            ];
            (FIRST_VERSION, limits)
        } else {
            let limits =
                vec![("cpu.max", format!("{quota} {PERIOD}")), ("cpu.weight", "10000".to_owned())];
            (SECOND_VERSION, limits)
        };
        let share =
            Self { folder: Path::new(parent).join(format!("bench-{}", std::process::id())) };
        fs::create_dir(&share.folder).ok()?;
        for (file, limit) in limits {
            fs::write(share.folder.join(file), limit).ok()?;
        }
        Some(share)
    }

    /// Limits a process from now on.
    pub(crate) fn limit(&self, process: u32) -> anyhow::Result<()> {
        Ok(fs::write(self.folder.join("cgroup.procs"), process.to_string())?)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

/// AWS Lambda Developer Guide, "Configure Lambda function memory".
const MEGABYTES_OF_A_PROCESSOR: u32 = 1_769;
/// The period of a share in microseconds, as functions observe it in Lambda.
const PERIOD: u32 = 20_000;

/// Where control groups are, if the processor has a hierarchy of its own, and if it has not.
const FIRST_VERSION: &str = "/sys/fs/cgroup/cpu";
const SECOND_VERSION: &str = "/sys/fs/cgroup";
