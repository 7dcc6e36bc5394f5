//! The options of `boot`.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::kernels::accel::Accel;
use crate::kernels::select::Choice;
use crate::report::ReportArgs;
use crate::shell;

/// Boots kernels under QEMU and runs the suite, or any static program, as their first process.
#[derive(Debug, Clone, Parser)]
#[command(
    after_help = "Without --arch, --kernel, --cell and --all: this machine's architecture on its newest kernel; \
                        a PROGRAM on all kernels of the architecture that it is built for.\n\
                        Exit codes: 0 nothing failed, 1 something did, 2 usage error, 130 interrupted.\n\
                        With a PROGRAM also 125 if no guest was booted, which `git bisect run` takes for a commit that \
                        cannot be tested; on one kernel the program's own code, unless that is 0 and its guest failed."
)]
pub struct BootArgs {
    /// Which cells of the matrix
    #[command(flatten)]
    pub choice: Choice,

    /// Run only these tests (complete names, or parts of names)
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// All architectures on all kernels
    #[arg(long, conflicts_with_all = ["arch", "kernel", "cell"])]
    pub all: bool,

    /// Show the cells, and which could run, and boot none
    #[arg(long, conflicts_with_all = ["junit", "html"])]
    pub list: bool,

    /// Build the cells' binaries and check their critical sections, and boot none
    #[arg(long, conflicts_with_all = ["list", "program", "json", "junit", "html"])]
    pub check: bool,

    /// CPUs of each guest, up to 64 (a machine that takes fewer says so)
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub cpus: u32,

    /// Take these CPUs offline before the first test, such as 1,2
    #[arg(long, value_name = "CPUS", value_delimiter = ',')]
    pub offline: Vec<u32>,

    /// MiB of memory of each guest, in place of its machine's own
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(16..=1_048_576))]
    pub memory: Option<u32>,

    /// What runs the guests' code: KVM for those of this machine's kind (`kvm`: or fail; `auto`: where it works), or
    /// emulation
    #[arg(long, value_enum, default_value_t)]
    pub accel: Accel,

    /// NUMA nodes of each guest
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8))]
    pub numa: u32,

    /// What is reported
    #[command(flatten)]
    pub report: ReportArgs,

    /// Also write the matrix into rseq-core/docs/kernels.md, from a run of the whole suite in all cells
    #[arg(long, requires = "all", conflicts_with_all = ["names", "program", "as_init", "list", "check"])]
    pub docs: bool,

    /// Guests at a time (default: what cores and memory allow). A guest that is alone has a thread for each of its
    /// CPUs, those that run side by side have one for all, where their kernels get on with that
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub jobs: Option<u32>,

    /// Boot a cell again for tests that missed a deadline and nothing else, up to so many times; what passes then is
    /// reported as flaky
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub retries: u32,

    /// Boot only what did not pass by this report: the JSON of a run like this one, of the same programs. What passed
    /// stands in the new report
    #[arg(long, value_name = "REPORT", conflicts_with_all = ["program", "list", "check"])]
    pub resume: Option<PathBuf>,

    /// End each guest after so many seconds (default: what its tests may take, and 90 to boot)
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: Option<u64>,

    /// Boot this kernel image (with one --arch)
    #[arg(long, value_name = "PATH", conflicts_with_all = ["kernel", "cell", "all"])]
    pub kernel_image: Option<PathBuf>,

    /// Boot the kernel that was built in this tree, with its modules (with one --arch)
    #[arg(long, value_name = "DIR", conflicts_with_all = ["kernel", "cell", "all", "kernel_image"])]
    pub kernel_tree: Option<PathBuf>,

    /// More words for the kernel's command line
    #[arg(long, value_name = "WORDS", default_value = "", allow_hyphen_values = true)]
    pub append: String,

    /// Link the programs as static-pie, which the kernel puts where it likes (not on MIPS)
    #[arg(long, conflicts_with = "program")]
    pub static_pie: bool,

    /// Start this test itself as the first process, not below `init`
    #[arg(long, value_name = "NAME", conflicts_with_all = ["names", "program"])]
    pub as_init: Option<String>,

    /// Files for the program: what is in this directory is in the root directory of the guest
    #[arg(long, value_name = "DIR", requires = "program")]
    pub files: Option<PathBuf>,

    /// A static program and its arguments, to run in place of the suite
    #[arg(last = true, value_name = "PROGRAM", conflicts_with = "names")]
    pub program: Vec<String>,
}

impl Default for BootArgs {
    /// What the command line gives where no option says otherwise.
    fn default() -> Self {
        Self::parse_from(["boot"])
    }
}

impl BootArgs {
    /// The command line of a boot like this one, up to the cell and the names of tests.
    pub fn again(&self) -> String {
        let mut words = vec!["cargo run --release -- boot".to_owned()];
        if let Some(image) = &self.kernel_image {
            words.push(format!("--arch {} --kernel-image {}", self.choice.arch.join(" "), shell::word(image)));
        }
        if let Some(tree) = &self.kernel_tree {
            words.push(format!("--arch {} --kernel-tree {}", self.choice.arch.join(" "), shell::word(tree)));
        }
        let default = Self::default();
        words.extend((self.cpus != default.cpus).then(|| format!("--cpus {}", self.cpus)));
        let offline = self.offline.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        words.extend((!offline.is_empty()).then(|| format!("--offline {offline}")));
        words.extend(self.memory.map(|mebibytes| format!("--memory {mebibytes}")));
        let accel = self.accel.to_possible_value().filter(|_| self.accel != default.accel);
        words.extend(accel.map(|accel| format!("--accel {}", accel.get_name())));
        words.extend((self.numa != default.numa).then(|| format!("--numa {}", self.numa)));
        words.extend(self.timeout.map(|seconds| format!("--timeout {seconds}")));
        words.extend((!self.append.is_empty()).then(|| format!("--append {}", shell::word(&self.append))));
        words.extend(self.static_pie.then(|| "--static-pie".into()));
        words.extend(self.as_init.as_ref().map(|name| format!("--as-init {name}")));
        words.extend(self.files.as_ref().map(|directory| format!("--files {}", shell::word(directory))));
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_run_again_is_run_in_the_same_way() {
        let args = BootArgs {
            cpus: 3,
            offline: vec![1, 2],
            memory: Some(512),
            accel: Accel::Auto,
            numa: 2,
            timeout: Some(9),
            append: "quiet single".into(),
            static_pie: true,
            files: Some("the output".into()),
            ..BootArgs::default()
        };
        let expected = "cargo run --release -- boot --cpus 3 --offline 1,2 --memory 512 --accel auto --numa 2 \
                        --timeout 9 --append 'quiet single' --static-pie --files 'the output'";
        assert_eq!(args.again(), expected);
        assert_eq!(BootArgs::default().again(), "cargo run --release -- boot");
    }
}
