//! node_id on every CPU, against what sysfs says of the CPU.
#![no_std]
#![no_main]

use core::ffi::CStr;

use harness::args;
use harness::each_cpu::on_each_cpu;
use harness::index::Here;
use harness::ktap::{OrFail, Reason, Unmet, Verdict};
use harness::sys::cpu;
use harness::sys::file::File;
use harness::text::Text;
use harness::{ensure, note, program, registration, require, skip, tests};
use linux_raw_sys::general::{AT_FDCWD, O_PATH};
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

const USAGE: &str = "node_test: node_id on every CPU is the node that sysfs names\n\
usage: node_test [--short]\n\
exit codes: 0 pass, 1 fail, 4 skip, 64 usage";

/// Node numbers that are counted.
const NODES: u32 = 64;

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    args::only_short(USAGE);
    let (token, nodes) = require!(registration::token().and_then(|token| Ok((token, nodes(token)?))));
    let mut seen = 0;
    tests! {
        "node_id is the CPU's node" => visit(token, &mut seen),
        "every node was seen" => all_seen(seen, nodes),
    }
}

/// The nodes with CPUs, as bits.
fn nodes(token: Here) -> Result<u64, Unmet> {
    if token.node_id().is_none() {
        return Err(skip!("this kernel has no node_id (Linux 6.3)"));
    }
    let listed = cpu::listed(c"/sys/devices/system/node/has_cpu")
        .map_err(|errno| skip!("no list of nodes in sysfs: {errno}"))?;
    let mut nodes = 0;
    for node in listed.iter() {
        ensure!(node < NODES, "node {node}, where {} is the highest that is counted", NODES - 1);
        nodes |= 1 << node;
    }
    Ok(nodes)
}

/// Goes to each CPU that this thread may use, and looks there.
fn visit(token: Here, seen: &mut u64) -> Verdict {
    let mut cpus = 0;
    let verdict = on_each_cpu(&mut |cpu| {
        let node = token.node_id().or_fail("node_id is gone")?;
        ensure!(is_on_node(cpu, node)?, "node_id {node} on CPU {cpu}, which is not on that node");
        *seen |= 1u64.checked_shl(node).unwrap_or(0);
        cpus += 1;
        Ok(())
    });
    note!("{cpus} CPUs on {} nodes", seen.count_ones());
    verdict
}

/// Whether sysfs has the CPU on the node.
fn is_on_node(cpu: u32, node: u32) -> Result<bool, Unmet> {
    let path = Text::<80>::of(format_args!("/sys/devices/system/cpu/cpu{cpu}/node{node}\0"));
    let path =
        CStr::from_bytes_with_nul(path.as_bytes()).map_err(|_| Unmet::Fail(Reason::of(format_args!("a path"))))?;
    Ok(File::open_at(AT_FDCWD, path, O_PATH).is_ok())
}

fn all_seen(seen: u64, nodes: u64) -> Verdict {
    if nodes.count_ones() < 2 {
        return Err(skip!("one node only"));
    }
    ensure!(seen == nodes, "nodes {seen:#b} of {nodes:#b}");
    Ok(())
}
