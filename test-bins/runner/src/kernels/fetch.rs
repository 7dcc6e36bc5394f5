//! `fetch`: kernels into the cache, one thread an architecture and suite.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use fs_err as fs;

use super::apt::Apt;
use super::cache::{self, Slot, names};
use super::resolve::{Packages, lines, newest};
use super::select::{self, Choice, TABLE, Wanted};
use super::version::Version;
use super::{install, mirror, unpack};
use crate::{exit, lock};

/// Suites at a time: apt spends as much time on unpacking lists as on getting them.
const THREADS: usize = 6;

/// Gets QEMU and kernels through the system's package manager.
#[derive(Debug, Args)]
#[command(after_help = "Kernels go to $XDG_CACHE_HOME/rseq (else ~/.cache/rseq) and are not fetched twice; \
                        interrupted, it goes on where it was.\n\
                        Exit codes: 0 all is there, 1 something is not, 2 usage error.")]
pub struct FetchArgs {
    /// What to get; without any, every kernel of the table
    #[command(flatten)]
    pub choice: Choice,

    /// Take kernels from this Debian mirror, not from the one in the system's sources
    #[arg(long, value_name = "URI")]
    pub mirror: Option<String>,

    /// Look for newer packages of kernels that are there
    #[arg(long)]
    pub refresh: bool,

    /// Install nothing; only get kernels
    #[arg(long)]
    pub no_install: bool,
}

/// Gets what the options ask for and says what it could not get.
pub fn run(args: &FetchArgs) -> ExitCode {
    let wanted = match select::kernels(&args.choice) {
        Ok(wanted) if wanted.is_empty() => {
            return exit::stop(2, select::none_of(&args.choice));
        }
        Ok(wanted) => wanted,
        Err(error) => return exit::stop(2, error),
    };
    if let Some(built) = wanted.iter().find(|wanted| wanted.is_built()) {
        return exit::stop(2, format_args!("no suite has {}: {}", built.line, built.command()));
    }
    let machines: Vec<_> = wanted.iter().map(|wanted| wanted.machine).collect();
    let installed = if args.no_install { Ok(()) } else { install::run(&machines) };
    let fetched = fetch(&wanted, args).unwrap_or_else(|error| vec![format!("{error:#}")]);
    let problems: Vec<_> = installed.err().map(|error| format!("{error:#}")).into_iter().chain(fetched).collect();
    for problem in &problems {
        note!("error: {problem}");
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Everything that the threads share.
struct Plan {
    cache: PathBuf,
    mirror: String,
    missed: Mutex<Vec<(Key, Missed)>>,
}

/// Why a suite did not give a kernel.
enum Missed {
    /// It has other lines of the flavour, or none.
    Lacks { suite: &'static str, lines: String },
    /// What went wrong.
    Failed(String),
}

/// A kernel's machine and line.
type Key = (&'static str, &'static str);

fn key(on: &Wanted) -> Key {
    (on.machine.name, on.line)
}

/// One suite of one architecture, and the kernels wanted from it.
struct Batch {
    debian: &'static str,
    suite: &'static str,
    kernels: Vec<Wanted>,
}

fn fetch(wanted: &[Wanted], args: &FetchArgs) -> anyhow::Result<Vec<String>> {
    let start = Instant::now();
    let cache = cache::directory()?;
    let missing: Vec<_> = wanted.iter().filter(|wanted| args.refresh || !is_there(&cache, wanted)).copied().collect();
    note!("{} of {} kernels are in {}", wanted.len() - missing.len(), wanted.len(), cache.display());
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    install::check_apt()?;
    let _held = hold(&cache)?;
    let mirror = args.mirror.clone().map_or_else(mirror::of_this_system, Ok)?;
    let plan = Plan { cache, mirror, missed: Mutex::default() };
    let left = plan.rounds(missing);
    let seconds = start.elapsed().as_secs_f64();
    note!("fetched {} kernels in {seconds:.0} s", wanted.iter().filter(|on| is_there(&plan.cache, on)).count());
    let missed = plan.missed.into_inner().unwrap_or_default();
    Ok(left.iter().map(|on| lacking(on, &missed)).collect())
}

/// Keeps other processes from fetching into the cache: they would work in the same directories.
fn hold(cache: &Path) -> anyhow::Result<fs::File> {
    fs::create_dir_all(cache)?;
    let path = cache.join("lock");
    let file = fs::File::create(&path)?;
    let cannot = || format!("cannot lock {}", path.display());
    if !lock::is_taken(file.file()).with_context(cannot)? {
        note!("waiting for another fetch, which has {}", path.display());
        file.file().lock().with_context(cannot)?;
    }
    Ok(file)
}

/// What to do about a kernel that no suite gave, with what each has instead and what went wrong on the way.
fn lacking(on: &Wanted, missed: &[(Key, Missed)]) -> String {
    let (mut have, mut failed, mut others) = (Vec::new(), String::new(), false);
    for (_, missed) in missed.iter().filter(|(of, _)| *of == key(on)) {
        match missed {
            Missed::Lacks { suite, lines } if lines.is_empty() => have.push(format!("{suite} has none")),
            Missed::Lacks { suite, lines } => {
                others = true;
                have.push(format!("{suite} has {lines}"));
            }
            Missed::Failed(words) => failed += &format!("\n  {words}"),
        }
    }
    let (name, line, arch) = (on.machine.name, on.line, on.machine.targets[0].name);
    let have = if have.is_empty() { format!("nothing from {}", on.suites.join(" or ")) } else { have.join(", ") };
    // One that could not be read may have it.
    let is_known = others && failed.is_empty();
    let cure = if is_known { format!("correct its row in {TABLE}") } else { "try again later".into() };
    format!(
        "no kernel {line} for {name}: {have}; {cure}, or boot a kernel of your own with --arch {arch} --kernel-image \
         PATH{failed}"
    )
}

fn is_there(cache: &Path, wanted: &Wanted) -> bool {
    let slot = Slot::new(cache, wanted.machine.name, wanted.line);
    slot.manifest().is_some_and(|manifest| slot.verify(&manifest).is_ok())
}

impl Plan {
    /// Looks in each kernel's first suite, then in the second one for those that are left, and so on.
    fn rounds(&self, mut missing: Vec<Wanted>) -> Vec<Wanted> {
        for round in 0.. {
            let batches = batches(&missing, round);
            if batches.is_empty() {
                break;
            }
            let got = self.side_by_side(&batches);
            missing.retain(|on| !got.contains(&key(on)));
        }
        missing
    }

    fn side_by_side(&self, batches: &[Batch]) -> Vec<Key> {
        let next = AtomicUsize::new(0);
        let got = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..THREADS.min(batches.len()) {
                scope.spawn(|| {
                    while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                        self.batch(batch, &got);
                    }
                });
            }
        });
        got.into_inner().unwrap_or_default()
    }

    fn batch(&self, batch: &Batch, got: &Mutex<Vec<Key>>) {
        let directory = self.cache.join("apt").join(format!("{}-{}", batch.debian, batch.suite));
        let names = Apt::new(directory.clone(), batch.debian, batch.suite, &self.mirror).and_then(|apt| {
            apt.update()?;
            Ok((apt.kernels()?, apt))
        });
        match names {
            Err(error) => batch.kernels.iter().for_each(|on| self.problem(on, &error)),
            Ok((names, apt)) => {
                for on in &batch.kernels {
                    match self.kernel(on, batch.suite, &names, &apt, &directory) {
                        Ok(true) => got.lock().unwrap_or_else(|held| held.into_inner()).push(key(on)),
                        Ok(false) => {
                            let lines = lines(&names, on.machine.flavour).join(", ");
                            self.missed(on, Missed::Lacks { suite: batch.suite, lines });
                        }
                        Err(error) => self.problem(on, &error),
                    }
                }
            }
        }
        // Lists are large and soon out of date.
        let _ = fs::remove_dir_all(directory);
    }

    fn problem(&self, on: &Wanted, error: &anyhow::Error) {
        let message = format!("{error:#}");
        note!("  {:<18} {:<5} not got: {message}", on.machine.name, on.line);
        self.missed(on, Missed::Failed(message));
    }

    fn missed(&self, on: &Wanted, missed: Missed) {
        self.missed.lock().unwrap_or_else(|held| held.into_inner()).push((key(on), missed));
    }

    /// Gets one kernel; `false` where the suite has none.
    fn kernel(&self, on: &Wanted, suite: &str, names: &[String], apt: &Apt, state: &Path) -> anyhow::Result<bool> {
        let Some(packages) = newest(names, on.line, on.machine.flavour) else { return Ok(false) };
        let slot = Slot::new(&self.cache, on.machine.name, on.line);
        if slot.manifest().is_some_and(|have| have.release == packages.release) && is_there(&self.cache, on) {
            return Ok(true);
        }
        let start = Instant::now();
        let work = state.join(format!("new-{}", on.line));
        // Kept until the kernel is there, so that a next try goes on.
        let debs = self.cache.join("partial").join(format!("{}-{}", on.machine.name, on.line));
        let made = self.unpacked(on, &packages, apt, &work, &debs);
        let bytes: u64 = debs_in(&debs).iter().filter_map(|path| Some(fs::metadata(path).ok()?.len())).sum();
        let kept = made.and_then(|packages_got| slot.fill(&work, &packages.release, packages_got, suite));
        let _ = fs::remove_dir_all(&work);
        kept?;
        let _ = fs::remove_dir_all(&debs);
        let (megabytes, seconds) = (bytes as f64 / 1e6, start.elapsed().as_secs_f64());
        note!("  {:<18} {:<5} {} ({megabytes:.0} MB, {seconds:.1} s)", on.machine.name, on.line, packages.release);
        Ok(true)
    }

    /// Downloads the packages and extracts what is needed; returns the packages' full names.
    fn unpacked(
        &self,
        on: &Wanted,
        packages: &Packages,
        apt: &Apt,
        work: &Path,
        debs: &Path,
    ) -> anyhow::Result<Vec<String>> {
        fs::create_dir_all(work)?;
        fs::create_dir_all(debs)?;
        let modules = !on.machine.modules.is_empty();
        let mut wanted = vec![packages.kernel.as_str()];
        if modules && packages.modules != packages.kernel {
            wanted.push(&packages.modules);
        }
        apt.download(&wanted, debs)?;
        let deb = |name: &str| {
            let start = format!("{name}_");
            let of_it = names(debs).into_iter().filter(|file| file.starts_with(&start) && file.ends_with(".deb"));
            // An older one may be left of another try.
            let found = of_it.max_by_key(|file| Version::of(file));
            found.map(|file| debs.join(file)).with_context(|| format!("apt left no {name}"))
        };
        let files = wanted.iter().map(|name| deb(name)).collect::<anyhow::Result<Vec<_>>>()?;
        unpack::kernel(&files[0], work, on.machine.device_tree)?;
        if let Some(last) = files.last().filter(|_| modules) {
            unpack::modules(last, work, on.machine.modules)?;
        }
        Ok(files.iter().filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned())).collect())
    }
}

fn debs_in(directory: &Path) -> Vec<PathBuf> {
    names(directory).iter().map(|name| directory.join(name)).collect()
}

fn batches(missing: &[Wanted], round: usize) -> Vec<Batch> {
    let mut sorted: BTreeMap<_, Vec<Wanted>> = BTreeMap::new();
    for on in missing {
        if let Some(&suite) = on.suites.get(round) {
            sorted.entry((on.machine.debian, suite)).or_default().push(*on);
        }
    }
    sorted.into_iter().map(|((debian, suite), kernels)| Batch { debian, suite, kernels }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_of_one_suite_are_fetched_together() {
        let all = select::kernels(&Choice::default()).unwrap();
        let first = batches(&all, 0);
        let of = |debian, suite| first.iter().find(|batch| batch.debian == debian && batch.suite == suite).unwrap();
        assert!(of("amd64", "trixie-backports").kernels.len() >= 8);
        assert_eq!(of("ppc64el", "sid").kernels.len(), 2);
        assert_eq!(first.iter().map(|batch| batch.kernels.len()).sum::<usize>(), all.len());
    }

    #[test]
    fn what_is_lacking_is_named_with_its_own_problems() {
        let choice = Choice { arch: vec!["riscv64".into()], kernel: vec!["6.12".into()], ..Choice::default() };
        let on = select::kernels(&choice).unwrap()[0];
        let lacks = |lines: &str| (key(&on), Missed::Lacks { suite: "trixie", lines: lines.into() });
        assert!(lacking(&on, &[lacks("")]).contains("6.12 for riscv64: trixie has none; try again later, or"));
        let other = (("s390x", "6.12"), Missed::Failed("other".into()));
        let failed = (key(&on), Missed::Failed("sync in progress".into()));
        let text = lacking(&on, &[other, failed]);
        assert!(text.contains("6.12 for riscv64: nothing from trixie; try again"), "{text}");
        assert!(text.ends_with("--kernel-image PATH\n  sync in progress") && !text.contains("other"), "{text}");
        let failed = (key(&on), Missed::Failed("sync in progress".into()));
        let text = lacking(&on, &[lacks("6.16, 7.2"), failed]);
        assert!(text.contains("trixie has 6.16, 7.2; try again later"), "{text}");
        let text = lacking(&on, &[lacks("6.16, 7.2")]);
        assert!(text.contains("trixie has 6.16, 7.2; correct its row in test-bins/runner/src/"), "{text}");
    }

    #[test]
    fn a_later_round_asks_the_next_suite_and_the_last_none() {
        let choice = Choice { arch: vec!["s390x".into()], kernel: vec!["6.12".into()], ..Choice::default() };
        let all = select::kernels(&choice).unwrap();
        assert_eq!(batches(&all, 1)[0].suite, "bookworm-backports");
        assert!(batches(&all, 2).is_empty());
    }
}
