//! What is compared: the tests of param_test, or the operations of C headers, each by CPU and by concurrency ID; or
//! pools.

use std::path::PathBuf;

use super::args::{Code, CompareArgs};
use super::time::Program;

/// Tests of param_test, and the options that they stand for.
const TESTS: [(&str, &[&str]); 8] = [
    ("spinlock", &["-T", "s"]),
    ("list", &["-T", "l"]),
    ("buffer", &["-T", "b"]),
    ("buffer, release", &["-T", "b", "-M"]),
    ("memcpy", &["-T", "m"]),
    ("memcpy, release", &["-T", "m", "-M"]),
    ("increment", &["-T", "i"]),
    ("membarrier", &["-T", "r"]),
];

/// One line of the comparison.
#[derive(Debug)]
pub struct Mode {
    /// Such as `list by mm_cid`.
    pub name: String,
    /// Ours.
    pub ours: Program,
    /// The others, at least one.
    pub peers: Vec<(String, Program)>,
}

/// Operations of C headers.
const OPERATIONS: [&str; 9] = [
    "load_cbne_store",
    "load_add_store",
    "load_cbeq_store_add_load_store",
    "load_add_load_load_add_store",
    "load_cbne_load_cbne_store",
    "load_cbne_store_store",
    "load_cbne_store_store_release",
    "load_cbne_memcpy_store",
    "load_cbne_memcpy_store_release",
];

/// What the program of pools does, and the option's letter for it.
const POOLS: [(&str, &str); 5] =
    [("malloc", "a"), ("zmalloc", "z"), ("malloc_init", "i"), ("malloc of a set", "s"), ("malloc, 32 kept", "b")];

/// All modes that there are peers for.
pub fn all(args: &CompareArgs, ours: &PathBuf) -> Vec<Mode> {
    match args.code {
        Code::ParamTest => param_test(args, ours),
        Code::Operations => {
            let of_index = |index| OPERATIONS.iter().map(move |name| (*name, index));
            let all = of_index("cpu_id").chain(of_index("mm_cid"));
            all.map(|(name, index)| same(args, ours, format!("{name} by {index}"), &["-T", name, "-i", index]))
                .collect()
        }
        Code::Mempool => POOLS.iter().map(|(name, letter)| same(args, ours, (*name).into(), &["-T", letter])).collect(),
    }
}

/// A mode of a program that takes the same options on each side.
fn same(args: &CompareArgs, ours: &PathBuf, name: String, options: &[&str]) -> Mode {
    let options = with_threads(args, options);
    let program = |path: &PathBuf| Program { path: path.clone(), options: options.clone() };
    let peers = args.peer.iter().map(|peer| (peer.name.clone(), program(&peer.path))).collect();
    Mode { name, ours: program(ours), peers }
}

/// The options of all sides.
fn with_threads(args: &CompareArgs, options: &[&str]) -> Vec<String> {
    let threads = args.threads.to_string();
    let options = options.iter().copied().chain(["-t", &threads]).map(str::to_owned);
    options.chain(args.options.iter().cloned()).collect()
}

fn param_test(args: &CompareArgs, ours: &PathBuf) -> Vec<Mode> {
    let by_mm_cid = match &args.ours_mm_cid {
        Some(program) => (program, None),
        None => (ours, Some("--mm-cid")),
    };
    let indexes = [("cpu_id", &args.peer, (ours, None)), ("mm_cid", &args.peer_mm_cid, by_mm_cid)];
    let mut modes = Vec::new();
    for (index, peers, (ours, option)) in indexes.into_iter().filter(|(_, peers, _)| !peers.is_empty()) {
        for (test, options) in TESTS {
            let options = with_threads(args, options);
            let program = |path: &PathBuf| Program { path: path.clone(), options: options.clone() };
            let peers = peers.iter().map(|peer| (peer.name.clone(), program(&peer.path))).collect();
            let mut ours = program(ours);
            ours.options.extend(option.map(str::to_owned));
            modes.push(Mode { name: format!("{test} by {index}"), ours, peers });
        }
    }
    modes
}
