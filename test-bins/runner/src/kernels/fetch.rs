//! `fetch`: kernels into the cache, one thread an architecture and suite.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::Context;
use fs_err as fs;

use super::apt::Apt;
use super::cache::{self, Slot, names};
use super::resolve::{Packages, newest};
use super::select::{self, Wanted};
use super::version::Version;
use super::{install, mirror, unpack};
use crate::cmd::{self, FetchArgs};

/// Suites at a time: apt spends as much time on unpacking lists as on getting them.
const THREADS: usize = 6;

/// Gets what the options ask for and says what it could not get.
pub fn run(args: &FetchArgs) -> ExitCode {
    let wanted = match select::kernels(&args.choice) {
        Ok(wanted) if wanted.is_empty() => {
            return cmd::stop(2, "no architecture of the table has such a kernel");
        }
        Ok(wanted) => wanted,
        Err(error) => return cmd::stop(2, error),
    };
    if let Some(built) = wanted.iter().find(|wanted| wanted.is_built()) {
        return cmd::stop(2, format_args!("no suite has {}: {}", built.line, built.command()));
    }
    let machines: Vec<_> = wanted.iter().map(|wanted| wanted.machine).collect();
    let installed = if args.no_install { Ok(()) } else { install::run(&machines) };
    let fetched = fetch(&wanted, args).unwrap_or_else(|error| vec![format!("{error:#}")]);
    let problems: Vec<_> = installed.err().map(|error| format!("{error:#}")).into_iter().chain(fetched).collect();
    for problem in &problems {
        eprintln!("error: {problem}");
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Everything that the threads share.
struct Plan {
    cache: PathBuf,
    mirror: String,
    problems: Mutex<Vec<(Key, String)>>,
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
    eprintln!("{} of {} kernels are in {}", wanted.len() - missing.len(), wanted.len(), cache.display());
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    install::check_apt()?;
    let mirror = args.mirror.clone().map_or_else(mirror::of_this_system, Ok)?;
    let plan = Plan { cache, mirror, problems: Mutex::default() };
    let left = plan.rounds(missing);
    let seconds = start.elapsed().as_secs_f64();
    eprintln!("fetched {} kernels in {seconds:.0} s", wanted.iter().filter(|on| is_there(&plan.cache, on)).count());
    let problems = plan.problems.into_inner().unwrap_or_default();
    Ok(left.iter().map(|on| lacking(on, &problems)).collect())
}

/// What to do about a kernel that no suite gave, with what went wrong on the way.
fn lacking(on: &Wanted, problems: &[(Key, String)]) -> String {
    let suites = on.suites.join(" or ");
    let (name, line, arch) = (on.machine.name, on.line, on.machine.targets[0].name);
    let own = format!("try again later, or boot a kernel of your own with --arch {arch} --kernel-image PATH");
    let words: Vec<_> = problems.iter().filter(|(of, _)| *of == key(on)).map(|(_, words)| words.as_str()).collect();
    match words.as_slice() {
        [] => format!("no kernel {line} for {name}: {suites} has none; {own}"),
        words => format!("no kernel {line} for {name} from {suites}: {own}\n  {}", words.join("\n  ")),
    }
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
                        Ok(false) => {}
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
        eprintln!("  {:<18} {:<5} not got: {message}", on.machine.name, on.line);
        self.problems.lock().unwrap_or_else(|held| held.into_inner()).push((key(on), message));
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
        eprintln!("  {:<18} {:<5} {} ({megabytes:.0} MB, {seconds:.1} s)", on.machine.name, on.line, packages.release);
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
    use crate::cmd::Choice;

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
        assert!(lacking(&on, &[]).contains("6.12 for riscv64: trixie has none; try again"));
        let problems = [(("s390x", "6.12"), "other".to_owned()), (key(&on), "sync in progress".to_owned())];
        let text = lacking(&on, &problems);
        assert!(text.ends_with("--kernel-image PATH\n  sync in progress") && !text.contains("other"), "{text}");
    }

    #[test]
    fn a_later_round_asks_the_next_suite_and_the_last_none() {
        let choice = Choice { arch: vec!["s390x".into()], kernel: vec!["6.12".into()], ..Choice::default() };
        let all = select::kernels(&choice).unwrap();
        assert_eq!(batches(&all, 1)[0].suite, "bookworm-backports");
        assert!(batches(&all, 2).is_empty());
    }
}
