//! What a guest runs, and the initramfs with it.
//!
//! `/suite` tells the guest's `init` what to run: fields that end with a NUL byte. The first one is `1` if the whole is to
//! run again with the kernel's rseq checks on; then for each run its kind, its limit in seconds, the number of words, and
//! the words: variables of its environment as `NAME=VALUE`, the program's path, its arguments. `/modules` names modules in loading order, in the same way.

use std::fs;

use super::cpio::Archive;
use crate::build::Binaries;
use crate::kernels::cache::Slot;
use crate::kernels::version::Version;
use crate::ktap::Document;
use crate::suite::{Entry, GUEST_INIT, Kind, Need};

/// The program of a user.
pub const PROGRAM: &str = "program";

/// One program of a guest's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// `test`, `once` (a test that is not run again), `report`, `report-once` or `program`.
    pub kind: &'static str,
    /// Seconds after which it is killed.
    pub timeout: u64,
    /// Variables of its environment as `NAME=VALUE`, its path, and its arguments.
    pub words: Vec<String>,
}

impl Run {
    /// Variables, and from the path on.
    fn parts(&self) -> (&[String], &[String]) {
        let path = self.words.iter().position(|word| word.starts_with('/'));
        self.words.split_at(path.unwrap_or_default())
    }

    /// The program's name.
    pub fn name(&self) -> &str {
        let path = self.parts().1.first().map_or("", String::as_str);
        path.rsplit('/').next().unwrap_or(path)
    }

    /// Whether it is left out of the second pass.
    fn is_once(&self) -> bool {
        matches!(self.kind, "once" | "report-once")
    }

    /// Whether a result is its own: `init` names it after the words, and after the pass in parentheses.
    fn is_called(&self, result: &str) -> bool {
        let (variables, command) = self.parts();
        let words = variables.iter().map(String::as_str).chain([self.name()]);
        let words: Vec<_> = words.chain(command.iter().skip(1).map(String::as_str)).collect();
        let pass = result.strip_prefix(&words.join(" "));
        pass.is_some_and(|pass| pass.is_empty() || pass.starts_with(" ("))
    }

    /// Whether it is one with the original registration.
    pub fn is_legacy(&self) -> bool {
        self.words.iter().any(|word| word == LEGACY)
    }
}

/// How the name of a result of the second pass ends.
const AGAIN: &str = " (rseq debug on)";

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
    Program(Vec<String>, Vec<u8>),
}

impl Payload {
    /// The guest's part of the suite.
    pub fn suite(entries: &[&Entry]) -> Self {
        let runs =
            entries.iter().flat_map(|&entry| entry.with_legacy(entry.guest).map(move |arguments| (entry, arguments)));
        let runs = runs.map(|(entry, arguments)| Run {
            kind: match entry.kind {
                // The kernel's rseq checks have no say in it, and emulated virtualisation gets worse with each machine.
                Kind::Test if entry.needs.contains(&Need::Kvm) => "once",
                // Debugging makes the kernel treat both lengths alike.
                Kind::Test if arguments.contains(&LEGACY) => "once",
                Kind::Test => "test",
                Kind::Report => "report",
            },
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

    /// Whether the results are of one pass, though a kernel of this line has the switch for the other.
    pub fn lacks_second_pass(&self, line: &str, document: &Document) -> bool {
        let Self::Suite(runs) = self else { return false };
        let again = || document.results.iter().any(|case| case.name.ends_with(AGAIN));
        runs.iter().any(|run| !run.is_once()) && Version::of(line) >= Version::of("6.19") && !again()
    }

    /// Whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Suite(runs) if runs.is_empty())
    }

    /// How often the list runs at most, and the seconds that it may take in all.
    pub fn limit(&self, one: u64) -> u64 {
        match self {
            Self::Suite(runs) => 2 * runs.iter().map(|run| run.timeout + 1).sum::<u64>(),
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
    ) -> Result<Vec<u8>, String> {
        let mut archive = Archive::default();
        for directory in ["dev", "proc", "sys", "tmp", "bin", "mods"] {
            archive.directory(directory);
        }
        archive.device("dev/console", 5, 1);
        archive.device("dev/null", 1, 3);
        let read = |name: &str| {
            let path = binaries.get(name).ok_or_else(|| format!("test-bins has no binary '{name}'"))?;
            fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
        };
        match self {
            Self::AsInit(name) => archive.program("init", &read(name)?),
            Self::Suite(_) | Self::Program(..) => archive.program("init", &read(GUEST_INIT)?),
        }
        for name in names.iter().filter(|name| **name != GUEST_INIT) {
            archive.program(&format!("bin/{name}"), &read(name)?);
        }
        if let Self::Program(_, bytes) = self {
            archive.program(&format!("bin/{PROGRAM}"), bytes);
        }
        archive.file("suite", &self.list(limit));
        if let Some((slot, names)) = slot {
            modules(&mut archive, slot, names)?;
        }
        Ok(archive.finish())
    }

    fn list(&self, limit: u64) -> Vec<u8> {
        match self {
            Self::Suite(runs) => list(true, runs),
            Self::AsInit(_) => list(false, &[]),
            Self::Program(arguments, _) => {
                let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
                list(false, &[Run { kind: "program", timeout: limit, words: words(PROGRAM, &arguments) }])
            }
        }
    }
}

fn words(name: &str, arguments: &[&str]) -> Vec<String> {
    let path = format!("/bin/{name}");
    [path].into_iter().chain(arguments.iter().map(|&word| word.to_owned())).collect()
}

fn list(twice: bool, runs: &[Run]) -> Vec<u8> {
    let mut fields = vec![u8::from(twice).to_string()];
    for run in runs {
        fields.extend([run.kind.to_owned(), run.timeout.to_string(), run.words.len().to_string()]);
        fields.extend(run.words.iter().cloned());
    }
    fields.into_iter().flat_map(|field| field.into_bytes().into_iter().chain([0])).collect()
}

/// Adds modules, and their names in loading order; one that the kernel has built in has no file.
fn modules(archive: &mut Archive, slot: &Slot, names: &[&str]) -> Result<(), String> {
    let mut order = Vec::new();
    for name in names {
        if let Some(path) = slot.module(name) {
            let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            archive.file(&format!("mods/{name}.ko"), &bytes);
            order.extend(format!("/mods/{name}.ko\0").into_bytes());
        }
    }
    archive.file("modules", &order);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ktap::Parser;
    use crate::suite::SUITE;

    #[test]
    fn the_list_says_what_to_run() {
        let runs = [Run { kind: "test", timeout: 60, words: words("a", &["--short", ""]) }];
        assert_eq!(list(true, &runs), b"1\0test\x0060\x003\0/bin/a\0--short\0\0");
        assert_eq!(list(false, &[]), b"0\0");
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
    fn a_kernel_with_the_switch_has_to_run_all_twice() {
        let payload = Payload::suite(&SUITE.iter().collect::<Vec<_>>());
        let lacks = |payload: &Payload, line: &str, name: &str| {
            let mut parser = Parser::new();
            parser.line(&format!("ok 1 {name}"));
            payload.lacks_second_pass(line, &parser.finish())
        };
        assert!(lacks(&payload, "6.19", "probe") && lacks(&payload, "7.2-slice", "probe (rseq debug off)"));
        assert!(!lacks(&payload, "6.18", "probe") && !lacks(&payload, "7.0", "probe (rseq debug on)"));
        assert!(!lacks(&payload.only(&["node_test --short --legacy"]), "7.0", "node_test --short --legacy"));
        assert!(!lacks(&Payload::AsInit("probe".into()), "7.0", "probe"));
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
    fn variables_stand_before_the_path_and_in_the_name() {
        let run = Run { kind: "report", timeout: 1, words: ["A=1", "/bin/b", "c=/d"].map(str::to_owned).to_vec() };
        assert_eq!(run.name(), "b");
        assert!(run.is_called("A=1 b c=/d (rseq debug on)") && !run.is_called("b c=/d"));
        assert_eq!(Payload::Suite(vec![run]).binaries(), ["b", GUEST_INIT]);
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
        let message = payload.initramfs(&payload.binaries(), &Binaries::new(), None, 1).unwrap_err();
        assert!(message.contains("'basic_test'"), "{message}");
    }
}
