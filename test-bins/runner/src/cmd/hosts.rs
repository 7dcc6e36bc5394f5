//! `hosts`: the suite under tracers, emulators, filters, namespaces and limits, a row for each.

mod child;
mod criu;
mod docs;
mod group;
mod known;
mod prepare;
mod reasons;
mod seccomp;
mod suite;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

use crate::build::{self, Linking, Purpose};
use crate::exit::{self, Stop};
use crate::interrupt::Interrupt;
use crate::workspace;
use known::{HOSTS, Host};
use suite::{Row, Session};

/// Runs the short native suite under each kind of host that is here, and says what passes, fails and is skipped.
#[derive(Debug, Args)]
#[command(after_help = "A host that is not here is skipped, with the Debian package that has it. Most need root.\n\
                        Exit codes: 0 nothing failed, 1 something did, 2 usage error, 130 interrupted.")]
pub struct HostsArgs {
    /// Run only these tests (complete names, or parts of names)
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// Only under this host (several times: these)
    #[arg(long, value_name = "HOST")]
    pub host: Vec<String>,

    /// Show the hosts and run nothing
    #[arg(long)]
    pub list: bool,

    /// End each test after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,

    /// Write the rows into test-bins/HOSTS.md
    #[arg(long, conflicts_with_all = ["names", "list"])]
    pub docs: bool,
}

/// Does what the options ask for and says how it went.
pub fn run(args: &HostsArgs) -> ExitCode {
    exit::code(hosts(args))
}

fn hosts(args: &HostsArgs) -> Result<u8, Stop> {
    let hosts = chosen(&args.host).map_err(Stop::Usage)?;
    let entries = crate::suite::select(crate::suite::SUITE, &args.names).map_err(Stop::usage)?;
    if args.list {
        return Ok(list(&hosts)?);
    }
    let root = workspace::root()?;
    let binaries = build::build(&root, Purpose::Here, Linking::Fixed)?;
    let interrupt = Interrupt::watch().context("cannot watch for Ctrl-C")?;
    let session = Session { entries: &entries, binaries: &binaries, seconds: args.timeout, interrupt: &interrupt };
    let mut rows = Vec::new();
    for host in hosts {
        let row = session.row(host);
        if interrupt.requested() {
            break;
        }
        show(&row)?;
        rows.push(row);
        if args.docs {
            docs::write(&root, &rows)?;
        }
    }
    Ok(exit::of_run(rows.iter().any(Row::is_bad), &interrupt))
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Host>> {
    let known = || HOSTS.iter().map(|host| host.name).collect::<Vec<_>>().join(", ");
    if let Some(name) = names.iter().find(|name| HOSTS.iter().all(|host| host.name != name.as_str())) {
        bail!("no host is called '{name}': there are {}", known());
    }
    Ok(HOSTS.iter().filter(|host| names.is_empty() || names.iter().any(|name| name == host.name)).collect())
}

fn list(hosts: &[&Host]) -> io::Result<u8> {
    let mut out = io::stdout().lock();
    for host in hosts {
        writeln!(out, "{:<18} {}", host.name, host.about)?;
    }
    Ok(0)
}

fn show(row: &Row) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{:<18} {}", row.host.name, row.result())?;
    for line in &row.failures {
        writeln!(out, "    {line}")?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_chosen_by_name_in_the_tables_order() {
        let names = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
            chosen(&words).map(|hosts| hosts.iter().map(|host| host.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).unwrap().len(), HOSTS.len());
        assert_eq!(names(&["gdb", "plain"]).unwrap(), ["plain", "gdb"]);
        assert!(names(&["vmware"]).unwrap_err().to_string().contains("there are plain, strace,"));
    }
}
