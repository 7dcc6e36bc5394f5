//! What is compared: the tests of param_test, each by CPU and by concurrency ID.

use std::path::PathBuf;

use super::CompareArgs;
use super::time::Program;

/// Names, and the options that they stand for.
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

/// All modes that there are peers for.
pub fn all(args: &CompareArgs, ours: &PathBuf) -> Vec<Mode> {
    let by_mm_cid = match &args.ours_mm_cid {
        Some(program) => (program, None),
        None => (ours, Some("--mm-cid")),
    };
    let indexes = [("cpu_id", &args.peer, (ours, None)), ("mm_cid", &args.peer_mm_cid, by_mm_cid)];
    let mut modes = Vec::new();
    for (index, peers, (ours, option)) in indexes.into_iter().filter(|(_, peers, _)| !peers.is_empty()) {
        for (test, options) in TESTS {
            let threads = args.threads.to_string();
            let options = options.iter().copied().chain(["-t", &threads]).map(str::to_owned);
            let options: Vec<_> = options.chain(args.options.iter().cloned()).collect();
            let program = |path: &PathBuf| Program { path: path.clone(), options: options.clone() };
            let peers = peers.iter().map(|peer| (peer.name.clone(), program(&peer.path))).collect();
            let mut ours = program(ours);
            ours.options.extend(option.map(str::to_owned));
            modes.push(Mode { name: format!("{test} by {index}"), ours, peers });
        }
    }
    modes
}
