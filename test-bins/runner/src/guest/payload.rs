//! What a guest runs, and the initramfs with it.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use fs_err as fs;
use protocol::list::{self, LIST, Listed, MODULES, Unlistable};
use protocol::name::{Pass, ResultName, file_name};

use super::cpio::{Archive, in_archive};
use super::user_files;
use crate::build::Binaries;
use crate::kernels::cache::Slot;
use crate::suite::{Entry, GUEST_INIT, Kind, Need};

/// One program of a guest's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// How `init` reads it.
    pub kind: list::Kind,
    /// Whether it is left out of the second pass.
    pub once: bool,
    /// Seconds after which it is killed.
    pub timeout: u64,
    /// Variables of its environment as `NAME=VALUE`, its path, and its arguments.
    pub words: Vec<String>,
}

impl Run {
    /// The program's name.
    pub fn name(&self) -> &str {
        let path = self.words.iter().find(|word| !list::is_assignment(word.as_bytes()));
        path.map_or("", |path| file_name(path))
    }

    /// The name of its result of a pass, as it is read.
    pub fn result(&self, pass: Pass) -> String {
        let words = self.words.iter().map(String::as_str);
        ResultName { kind: self.kind, words, pass }.text().as_str().trim().to_owned()
    }

    /// Whether a result is its own, of whichever pass.
    pub fn is_called(&self, result: &str) -> bool {
        [Pass::First, Pass::Checked].into_iter().any(|pass| self.result(pass) == result)
    }

    /// Whether it is one with the original registration.
    pub fn is_legacy(&self) -> bool {
        self.words.iter().any(|word| word == LEGACY)
    }
}

/// The option for the original registration.
const LEGACY: &str = "--legacy";

/// What a guest runs.
#[derive(Debug, Clone)]
pub enum Payload {
    /// A list, under our `init`.
    Suite(Vec<Run>),
    /// One binary as the first process.
    AsInit(String),
    /// A user's program, under our `init`.
    Program(Program),
}

/// A user's program.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// What it is called, in `/bin`.
    pub name: String,
    /// What it is made of.
    pub bytes: Vec<u8>,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The directory with files that it finds in the root directory.
    pub files: Option<PathBuf>,
}

impl Payload {
    /// The guest's part of the suite.
    pub fn suite(entries: &[&Entry]) -> Self {
        let runs =
            entries.iter().flat_map(|&entry| entry.with_legacy(entry.guest).map(move |arguments| (entry, arguments)));
        let runs = runs.map(|(entry, arguments)| Run {
            kind: match entry.kind {
                Kind::Test => list::Kind::Test,
                Kind::Report => list::Kind::Report,
            },
            // The kernel's rseq checks have no say in KVM, and emulated virtualisation gets worse with each machine.
            // They make the kernel treat both lengths of registrations alike.
            once: entry.needs.contains(&Need::Kvm) || arguments.contains(&LEGACY),
            timeout: entry.timeout,
            words: words(entry.name, arguments),
        });
        Self::Suite(runs.collect())
    }

    /// The binaries of `test-bins` that it needs.
    pub fn binaries(&self) -> Vec<&str> {
        let mut names = match self {
            Self::Suite(runs) => runs.iter().map(Run::name).collect(),
            Self::AsInit(name) => return vec![name],
            Self::Program(..) => Vec::new(),
        };
        names.sort_unstable();
        names.dedup();
        names.push(GUEST_INIT);
        names
    }

    /// The same with another argument in place of this one, in whichever run has it.
    pub fn replaced(&self, argument: &str, other: &str) -> Self {
        let Self::Suite(runs) = self else { return self.clone() };
        let mut runs = runs.clone();
        runs.iter_mut()
            .flat_map(|run| &mut run.words)
            .filter(|word| *word == argument)
            .for_each(|word| *word = other.into());
        Self::Suite(runs)
    }

    /// The same with these arguments more for each run of one program.
    pub fn with(&self, program: &str, arguments: &[&str]) -> Self {
        let Self::Suite(runs) = self else { return self.clone() };
        let mut runs = runs.clone();
        for run in runs.iter_mut().filter(|run| run.name() == program) {
            run.words.extend(arguments.iter().map(|&argument| argument.to_owned()));
        }
        Self::Suite(runs)
    }

    /// Those of its runs that have results with these names; all of it where none has.
    pub fn only(&self, names: &[&str]) -> Self {
        let Self::Suite(runs) = self else { return self.clone() };
        let named = |run: &&Run| names.iter().any(|name| run.is_called(name));
        match runs.iter().filter(named).cloned().collect::<Vec<_>>() {
            runs if runs.is_empty() => self.clone(),
            runs => Self::Suite(runs),
        }
    }

    /// Whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Suite(runs) if runs.is_empty())
    }

    /// How often the list runs at most, and the seconds that it may take in all.
    pub fn limit(&self, one: u64) -> u64 {
        match self {
            Self::Suite(runs) => {
                runs.iter().fold(0, |sum: u64, run| sum.saturating_add(run.timeout.saturating_add(1))).saturating_mul(2)
            }
            Self::AsInit(_) | Self::Program(..) => one,
        }
    }

    /// The archive: devices, the programs `names`, modules, list.
    pub fn initramfs(
        &self,
        names: &[&str],
        binaries: &Binaries,
        slot: Option<(&Slot, &[&str])>,
        limit: u64,
    ) -> anyhow::Result<Vec<u8>> {
        let mut archive = Archive::default();
        for directory in ["dev", "proc", "sys", "tmp", "bin", "mods"] {
            archive.directory(directory);
        }
        archive.device("dev/console", 5, 1);
        archive.device("dev/null", 1, 3);
        let read = |name: &str| {
            let path = binaries.get(name).with_context(|| format!("test-bins has no binary '{name}'"))?;
            anyhow::Ok(fs::read(path)?)
        };
        match self {
            Self::AsInit(name) => archive.program("init", &read(name)?),
            Self::Suite(_) | Self::Program(..) => archive.program("init", &read(GUEST_INIT)?),
        }
        for name in names.iter().filter(|name| **name != GUEST_INIT) {
            archive.program(&format!("bin/{name}"), &read(name)?);
        }
        if let Self::Program(program) = self {
            if let Some(directory) = &program.files {
                user_files::add(&mut archive, directory)?;
            }
            archive.program(&format!("bin/{}", program.name), &program.bytes);
        }
        archive.file(in_archive(LIST), &self.list(limit).map_err(|why| anyhow!("the list of programs: {why}"))?);
        if let Some((slot, names)) = slot {
            modules(&mut archive, slot, names)?;
        }
        Ok(archive.finish())
    }

    fn list(&self, limit: u64) -> Result<Vec<u8>, Unlistable> {
        match self {
            Self::Suite(runs) => list(true, runs),
            Self::AsInit(_) => list(false, &[]),
            Self::Program(program) => {
                let arguments: Vec<_> = program.arguments.iter().map(String::as_str).collect();
                let words = words(&program.name, &arguments);
                list(false, &[Run { kind: list::Kind::Program, once: false, timeout: limit, words }])
            }
        }
    }
}

fn words(name: &str, arguments: &[&str]) -> Vec<String> {
    let path = format!("/bin/{name}");
    [path].into_iter().chain(arguments.iter().map(|&word| word.to_owned())).collect()
}

fn list(twice: bool, runs: &[Run]) -> Result<Vec<u8>, Unlistable> {
    let mut bytes = Vec::new();
    let listed = runs.iter().map(|Run { kind, once, timeout, words }| Listed {
        kind: *kind,
        once: *once,
        seconds: *timeout,
        words,
    });
    list::write(twice, listed, |part| bytes.extend_from_slice(part)).map(|()| bytes)
}

/// Adds modules, and their names in loading order; one that the kernel has built in has no file.
fn modules(archive: &mut Archive, slot: &Slot, names: &[&str]) -> anyhow::Result<()> {
    let mut order = Vec::new();
    for name in names {
        if let Some(path) = slot.module(name) {
            archive.file(&format!("mods/{name}.ko"), &fs::read(&path)?);
            order.extend(format!("/mods/{name}.ko\0").into_bytes());
        }
    }
    archive.file(in_archive(MODULES), &order);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::SUITE;

    #[test]
    fn init_reads_the_list_of_the_suite() {
        let payload = Payload::suite(&SUITE.iter().collect::<Vec<_>>());
        let bytes = payload.list(1).unwrap();
        let Payload::Suite(runs) = &payload else { panic!() };
        let list = list::List::parse(&bytes).unwrap();
        assert!(list.twice);
        let read = list.runs().map(|run| Run {
            kind: run.kind,
            once: run.once,
            timeout: run.seconds,
            words: run.words().map(|word| word.to_str().unwrap().to_owned()).collect(),
        });
        assert_eq!(&read.collect::<Vec<_>>(), runs);
    }

    #[test]
    fn a_program_with_more_arguments_than_init_takes_is_refused() {
        let payload = Payload::Program(Program { arguments: vec!["x".into(); 63], ..Program::default() });
        assert!(payload.list(1).unwrap_err().to_string().contains("64 words"));
    }

    #[test]
    fn every_guest_run_of_the_suite_is_listed_and_has_its_binary() {
        let entries: Vec<_> = SUITE.iter().collect();
        let payload = Payload::suite(&entries);
        let Payload::Suite(runs) = &payload else { panic!() };
        assert_eq!(runs.len(), SUITE.iter().map(|entry| entry.guest.len() + entry.legacy.len()).sum::<usize>());
        assert_eq!(payload.binaries().len(), SUITE.len() + 1);
        assert!(payload.limit(0) > runs.iter().map(|run| run.timeout).sum::<u64>());
    }

    #[test]
    fn runs_are_found_by_their_results_and_get_arguments_of_their_own() {
        let payload = Payload::suite(&SUITE.iter().collect::<Vec<_>>());
        let names = |payload: &Payload| match payload {
            Payload::Suite(runs) => runs.iter().map(|run| run.words.join(" ")).collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        let only = payload.only(&["node_test --short (rseq debug on)", "node_test", "node_test --shor"]);
        assert_eq!(names(&only), ["/bin/node_test --short"]);
        assert_eq!(names(&only.with("node_test", &["-x"]).with("probe", &["-y"])), ["/bin/node_test --short -x"]);
        assert_eq!(names(&payload.only(&["nothing"])), names(&payload));
    }

    #[test]
    fn one_argument_is_replaced_alone() {
        let payload = Payload::suite(&SUITE.iter().collect::<Vec<_>>());
        let (Payload::Suite(all), Payload::Suite(other)) = (&payload, payload.replaced("--hotplug", "x")) else {
            panic!()
        };
        let words = |runs: &[Run]| runs.iter().flat_map(|run| run.words.clone()).collect::<Vec<_>>();
        let differing: Vec<_> = words(all).into_iter().zip(words(&other)).filter(|(one, other)| one != other).collect();
        assert_eq!(differing, [("--hotplug".to_owned(), "x".to_owned()), ("--hotplug".to_owned(), "x".to_owned())]);
    }

    #[test]
    fn a_missing_binary_is_named() {
        let payload = Payload::AsInit("basic_test".into());
        let message = payload.initramfs(&payload.binaries(), &Binaries::new(), None, 1).unwrap_err().to_string();
        assert!(message.contains("'basic_test'"), "{message}");
    }
}
