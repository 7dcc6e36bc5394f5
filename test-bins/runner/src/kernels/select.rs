//! From `--arch` and `--kernel` to machines, rows and kernels.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use clap::Args;

use super::catalog::{self, MACHINES};
use super::machine::{Machine, Target};
use super::recipe::RECIPES;
use super::version::sort_lines;

const NEWEST: &str = "newest";

/// The file that lists machines and kernels.
pub const TABLE: &str = "test-bins/runner/src/kernels/catalog.rs";

/// Which machines and kernels.
#[derive(Debug, Clone, Default, Args)]
pub struct Choice {
    /// Only this architecture (several times: these)
    #[arg(long, value_name = "ARCH")]
    pub arch: Vec<String>,

    /// Only this kernel, such as 6.12, or `newest` of each architecture (several times: these)
    #[arg(long, value_name = "VERSION")]
    pub kernel: Vec<String>,

    /// This cell, as --list shows it, such as "s390x 7.2", beside what the other options choose (several times: these)
    #[arg(long, value_name = "CELL")]
    pub cell: Vec<String>,
}

impl Choice {
    /// What was chosen, in one line.
    pub fn chosen(&self) -> String {
        self.cell.iter().chain(&self.arch).chain(&self.kernel).map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Whether nothing was chosen, which means all.
    pub fn is_empty(&self) -> bool {
        self.arch.is_empty() && self.kernel.is_empty() && self.cell.is_empty()
    }
}

/// A kernel of the table.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// What it boots on.
    pub machine: &'static Machine,
    /// The first two numbers of its version.
    pub line: &'static str,
    /// The suites to look in; none where it is built here.
    pub suites: &'static [&'static str],
}

impl Wanted {
    /// Whether no suite has it: such a kernel is chosen by its name alone.
    pub fn is_built(&self) -> bool {
        self.suites.is_empty()
    }

    /// The command that gets it.
    pub fn command(&self) -> String {
        match self.is_built() {
            true => format!("cargo run --release -- kernel {}", self.line),
            false => format!("cargo run --release -- fetch --arch {} --kernel {}", self.machine.name, self.line),
        }
    }
}

/// Binaries of one kind on one kernel.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    /// The binaries' target.
    pub target: Target,
    /// The kernel.
    pub on: Wanted,
}

impl Cell {
    /// The name of its row.
    pub fn row(&self) -> String {
        match (self.target == self.on.machine.targets[0], self.target.name) {
            (true, _) => self.on.machine.name.to_owned(),
            (false, target) => format!("{target} on {}", self.on.machine.name),
        }
    }

    /// Its name in lists.
    pub fn name(&self) -> String {
        format!("{} {}", self.row(), self.on.line)
    }

    /// A name for its files.
    pub fn slug(&self) -> String {
        self.name().replace(' ', "-")
    }
}

/// The kernels that the choice means, each once.
pub fn kernels(choice: &Choice) -> anyhow::Result<Vec<Wanted>> {
    let mut seen = BTreeSet::new();
    let cells = cells(choice)?;
    Ok(cells.into_iter().map(|cell| cell.on).filter(|on| seen.insert((on.machine.name, on.line))).collect())
}

/// The cells that the choice means, in the table's order.
pub fn cells(choice: &Choice) -> anyhow::Result<Vec<Cell>> {
    check(choice)?;
    let all = MACHINES.iter().flat_map(of_machine);
    let product = choice.cell.is_empty() || !choice.arch.is_empty() || !choice.kernel.is_empty();
    let chosen = |cell: &Cell| product && is_arch(choice, cell) && is_kernel(choice, cell);
    Ok(all.filter(|cell| chosen(cell) || is_named(choice, cell)).collect())
}

/// The cell for a kernel from elsewhere, on the machine of this name: with programs for `built_for`, else for its own
/// target.
pub fn on_machine(name: &str, built_for: Option<&str>) -> anyhow::Result<Cell> {
    let names = || MACHINES.iter().map(|machine| machine.name).collect::<Vec<_>>().join(", ");
    let machine = catalog::find(name);
    let machine = machine.with_context(|| format!("no machine is called '{name}': there are {}", names()))?;
    let [own, ..] = machine.targets else { bail!("{name} runs no programs") };
    let fits = |target: &&Target| built_for.is_none_or(|built_for| target.name == built_for);
    let target = machine
        .targets
        .iter()
        .find(fits)
        .with_context(|| mismatch(built_for.unwrap_or(own.name), name, machine.targets))?;
    let &(line, suites) = machine.kernels.last().with_context(|| format!("{name} has no kernels"))?;
    Ok(Cell { target: *target, on: Wanted { machine, line, suites } })
}

/// What the architectures of a choice have, where none of them has a kernel that it names.
pub fn none_of(choice: &Choice) -> String {
    let of = |arch: &String| {
        let only = Choice { arch: vec![arch.clone()], ..Choice::default() };
        format!(
            "{arch} has {}",
            lines(MACHINES.iter().flat_map(of_machine).filter(|cell| is_arch(&only, cell))).join(", ")
        )
    };
    let have = choice.arch.iter().map(of).collect::<Vec<_>>().join("; ");
    format!("no kernel {} for {}: {have} (the table is {TABLE})", choice.kernel.join(" or "), choice.arch.join(" or "))
}

/// Why a program does not run on what was chosen.
pub fn mismatch(built_for: &str, chosen: &str, targets: &[Target]) -> String {
    let runs = targets.iter().map(|target| target.name).collect::<Vec<_>>().join(" and ");
    format!("the program is built for {built_for}, and {chosen} runs programs for {runs}")
}

/// What binaries are built for, each once, in the table's order.
pub fn targets() -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    for target in MACHINES.iter().flat_map(|machine| machine.targets) {
        if !targets.contains(target) {
            targets.push(*target);
        }
    }
    targets
}

fn of_machine(machine: &'static Machine) -> impl Iterator<Item = Cell> {
    let fetched = machine.kernels.iter().map(|&(line, suites)| Wanted { machine, line, suites });
    let built = RECIPES.iter().filter(|recipe| recipe.machine == machine.name);
    let built = built.map(|recipe| Wanted { machine, line: recipe.line, suites: &[] });
    let wanted: Vec<_> = fetched.chain(built).collect();
    machine.targets.iter().flat_map(move |&target| wanted.clone().into_iter().map(move |on| Cell { target, on }))
}

fn is_arch(choice: &Choice, cell: &Cell) -> bool {
    let own = |name: &String| *name == cell.target.name && !cell.on.machine.variant;
    choice.arch.is_empty() || choice.arch.iter().any(|name| own(name) || *name == cell.row())
}

fn is_kernel(choice: &Choice, cell: &Cell) -> bool {
    let newest = cell.on.machine.kernels.last().is_some_and(|(line, _)| *line == cell.on.line);
    let all = choice.kernel.is_empty() && !cell.on.is_built();
    all || choice.kernel.iter().any(|name| name == cell.on.line || (newest && name == NEWEST))
}

fn is_named(choice: &Choice, cell: &Cell) -> bool {
    choice.cell.contains(&cell.name())
}

/// The lines of these cells, each once, in order.
fn lines(cells: impl Iterator<Item = Cell>) -> Vec<&'static str> {
    let mut lines = cells.map(|cell| cell.on.line).collect();
    sort_lines(&mut lines);
    lines
}

fn check(choice: &Choice) -> anyhow::Result<()> {
    let rows: BTreeSet<_> =
        MACHINES.iter().flat_map(of_machine).flat_map(|cell| [cell.row(), cell.target.name.into()]).collect();
    if let Some(name) = choice.arch.iter().find(|name| !rows.contains(*name)) {
        let names: Vec<_> = rows.iter().filter(|row| !row.contains(' ')).map(String::as_str).collect();
        bail!("no architecture is called '{name}': there are {}", names.join(", "));
    }
    let lines = lines(MACHINES.iter().flat_map(of_machine));
    if let Some(name) = choice.kernel.iter().find(|name| *name != NEWEST && !lines.contains(&name.as_str())) {
        bail!("no kernel is called '{name}': {TABLE} has {}, and {NEWEST}", lines.join(", "));
    }
    let cells: Vec<_> = MACHINES.iter().flat_map(of_machine).map(|cell| cell.name()).collect();
    if let Some(name) = choice.cell.iter().find(|name| !cells.contains(name)) {
        bail!("no cell is called '{name}': `boot --all --list` shows all");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(arch: &[&str], kernel: &[&str]) -> anyhow::Result<Vec<String>> {
        let words = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let choice = Choice { arch: words(arch), kernel: words(kernel), cell: Vec::new() };
        Ok(cells(&choice)?.iter().map(Cell::slug).collect())
    }

    #[test]
    fn nothing_chosen_means_all_and_all_are_many() {
        let all = chosen(&[], &[]).unwrap();
        assert!(all.len() >= 75, "{}", all.len());
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn an_architecture_means_its_binaries_wherever_they_run() {
        assert_eq!(chosen(&["i686"], &["6.1"]).unwrap(), ["i686-on-x86_64-6.1", "i686-6.1"]);
        assert_eq!(chosen(&["x86_64"], &["6.1", "7.3"]).unwrap(), ["x86_64-6.1", "x86_64-7.3"]);
        assert_eq!(chosen(&["armv7 on aarch64"], &["7.3"]).unwrap(), ["armv7-on-aarch64-7.3"]);
    }

    #[test]
    fn kernels_of_another_kind_are_chosen_by_the_name_of_their_row() {
        assert_eq!(chosen(&["aarch64"], &["6.12"]).unwrap(), ["aarch64-6.12"]);
        assert_eq!(chosen(&["aarch64-rt", "aarch64-16k"], &["6.12"]).unwrap(), ["aarch64-16k-6.12", "aarch64-rt-6.12"]);
        let all = chosen(&[], &[]).unwrap();
        assert!(all.contains(&"x86_64-rt-7.3".into()) && all.contains(&"armv7-5.10".into()));
    }

    #[test]
    fn newest_is_each_machines_own() {
        assert_eq!(chosen(&["mips64el"], &["newest"]).unwrap(), ["mips64el-6.12", "mips64el-loongson3-6.12"]);
        assert_eq!(chosen(&["s390x"], &["newest"]).unwrap(), ["s390x-7.2"]);
    }

    #[test]
    fn named_cells_stand_alone_or_come_on_top() {
        let named = |kernel: &[&str]| {
            let cell = ["s390x 7.2", "i686 on x86_64 6.1"].map(str::to_owned).to_vec();
            let kernel = kernel.iter().map(|&line| line.to_owned()).collect();
            cells(&Choice { kernel, cell, ..Choice::default() }).unwrap().iter().map(Cell::name).collect::<Vec<_>>()
        };
        assert_eq!(named(&[]), ["i686 on x86_64 6.1", "s390x 7.2"]);
        assert_eq!(named(&["6.5"]), ["i686 on x86_64 6.1", "i686 6.5", "s390x 7.2"]);
        let unknown = Choice { cell: vec!["s390x 2.4".into()], ..Choice::default() };
        assert!(cells(&unknown).unwrap_err().to_string().contains("'s390x 2.4'"));
    }

    #[test]
    fn what_is_built_is_chosen_by_name_alone() {
        assert_eq!(chosen(&["x86_64"], &["7.2-slice"]).unwrap(), ["x86_64-7.2-slice"]);
        for kernels in [&[][..], &["newest"], &["7.2"]] {
            assert!(chosen(&[], kernels).unwrap().iter().all(|cell| !cell.ends_with("slice")), "{kernels:?}");
        }
        let choice = Choice { kernel: vec!["7.2-slice".into()], arch: vec!["x86_64".into()], ..Choice::default() };
        let built = kernels(&choice).unwrap();
        assert_eq!(built[0].command(), "cargo run --release -- kernel 7.2-slice");
    }

    #[test]
    fn a_program_for_another_machine_is_refused_with_both_names() {
        let name = |machine, program| on_machine(machine, program).map(|cell| cell.row());
        assert_eq!(name("x86_64", Some("i686")).unwrap(), "i686 on x86_64");
        assert_eq!(name("aarch64-16k", None).unwrap(), "aarch64-16k");
        let text = name("aarch64", Some("x86_64")).unwrap_err().to_string();
        assert_eq!(text, "the program is built for x86_64, and aarch64 runs programs for aarch64 and armv7");
        assert!(name("vax", None).unwrap_err().to_string().contains("there are x86_64, x86_64-rt,"));
    }

    #[test]
    fn kernels_are_listed_once() {
        let choice =
            Choice { arch: vec!["x86_64".into(), "i686".into()], kernel: vec!["7.3".into()], ..Choice::default() };
        assert_eq!(kernels(&choice).unwrap().len(), 1);
    }

    #[test]
    fn unknown_names_get_the_list() {
        assert!(chosen(&["vax"], &[]).unwrap_err().to_string().contains("there are aarch64, aarch64-16k,"));
        let kernels = chosen(&[], &["2.4"]).unwrap_err().to_string();
        assert!(kernels.contains("has 5.10, 6.1, 6.5, 6.12, 6.16, ") && kernels.contains("catalog.rs"), "{kernels}");
    }

    #[test]
    fn a_kernel_that_others_have_gets_the_list_of_those_chosen() {
        let arch = ["riscv64", "i686"].map(str::to_owned).to_vec();
        let choice = Choice { arch, kernel: vec!["7.3".into()], ..Choice::default() };
        assert!(kernels(&Choice { arch: vec!["riscv64".into()], ..choice.clone() }).unwrap().is_empty());
        let text = none_of(&choice);
        assert!(text.starts_with("no kernel 7.3 for riscv64 or i686: riscv64 has 6.12, 7.2; i686 has 5.10, 6.1, 6.5,"));
        assert!(text.ends_with("(the table is test-bins/runner/src/kernels/catalog.rs)"), "{text}");
    }
}
