//! A control group for the programs of one host; either version of the hierarchy.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, ensure};
use fs_err as fs;

const ROOT: &str = "/sys/fs/cgroup";
/// Microseconds of each period, and a fifth of them.
const PERIOD: &str = "50000";
const QUOTA: &str = "10000";
const CHANGE: Duration = Duration::from_millis(20);
const TRIES: u32 = 100;

/// A group that goes away with its value.
#[derive(Debug)]
pub struct Group {
    directory: PathBuf,
    changes: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Group {
    /// One that may run for a fifth of each period.
    pub fn with_quota() -> anyhow::Result<Self> {
        let (group, unified) = Self::new("cpu")?;
        if unified {
            group.set("cpu.max", &format!("{QUOTA} {PERIOD}"))?;
        } else {
            group.set("cpu.cfs_period_us", PERIOD)?;
            group.set("cpu.cfs_quota_us", QUOTA)?;
        }
        Ok(group)
    }

    /// One whose CPUs are in turn all and one of them.
    pub fn with_changing_cpus() -> anyhow::Result<Self> {
        let (mut group, unified) = Self::new("cpuset")?;
        let parent = group.directory.parent().unwrap_or(Path::new(ROOT));
        let read = |name: &str| fs::read_to_string(parent.join(name)).map(|text| text.trim().to_owned());
        let kind = if unified { ".effective" } else { "" };
        let cpus = read(&format!("cpuset.cpus{kind}"))?;
        let first = cpus.split(['-', ',']).next().unwrap_or_default().to_owned();
        let last = cpus.rsplit(['-', ',']).next().unwrap_or_default().to_owned();
        ensure!(first != last, "there is one CPU");
        if !unified {
            let nodes = read("cpuset.mems")?;
            group.set("cpuset.mems", &nodes)?;
        }
        group.set("cpuset.cpus", &cpus)?;
        let (end, file) = (Arc::new(AtomicBool::new(false)), group.directory.join("cpuset.cpus"));
        let ended = end.clone();
        let change = move || {
            for cpus in [first, cpus.clone(), last, cpus].iter().cycle() {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                let _ = fs::write(&file, cpus);
                thread::sleep(CHANGE);
            }
        };
        group.changes = Some((end, thread::spawn(change)));
        Ok(group)
    }

    /// A new group, and whether its hierarchy is the unified one.
    fn new(controller: &str) -> anyhow::Result<(Self, bool)> {
        let unified = Path::new(ROOT).join("cgroup.controllers").is_file();
        let parent = if unified { PathBuf::from(ROOT) } else { Path::new(ROOT).join(controller) };
        if unified {
            // If it is on already, or another program manages it, the group's files show that.
            let _ = fs::write(parent.join("cgroup.subtree_control"), format!("+{controller}"));
        }
        let directory = parent.join(format!("rseq-hosts-{}", std::process::id()));
        let made = match directory.is_dir() {
            true => Ok(()),
            false => fs::create_dir(&directory),
        };
        made.with_context(|| format!("no group for {controller}"))?;
        Ok((Self { directory, changes: None }, unified))
    }

    fn set(&self, name: &str, value: &str) -> anyhow::Result<()> {
        let file = self.directory.join(name);
        Ok(fs::write(file, value)?)
    }

    /// The file that takes the numbers of processes to move here.
    pub fn processes(&self) -> PathBuf {
        self.directory.join("cgroup.procs")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.changes.take() {
            end.store(true, Ordering::Relaxed);
            let _ = thread.join();
        }
        // The last processes may be on their way out.
        for _ in 0..TRIES {
            if fs::remove_dir(&self.directory).is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
