//! The command line.

use crate::types::{CONTROLS, Kind, TYPES};
use anyhow::{Context, Result, bail, ensure};
use std::time::{SystemTime, UNIX_EPOCH};

/// What to run.
#[derive(Debug)]
pub struct Options {
    pub kinds: Vec<Kind>,
    pub seed: u64,
    /// Of all types together.
    pub operations: u64,
}

const OPERATIONS: u64 = 10_000_000;

impl Options {
    /// None if help was asked for.
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let (mut kinds, mut seed, mut operations) = (Vec::new(), None, OPERATIONS);
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("{arg} takes a value"));
            match arg.as_str() {
                "--help" | "-h" => return Ok(None),
                "--type" => kinds.push(find(&TYPES, "type", &value()?)?),
                "--control" => kinds.push(find(&CONTROLS, "control", &value()?)?),
                "--seed" => seed = Some(number(&value()?)?),
                "--operations" => operations = number(&value()?)?,
                _ => bail!("unknown argument {arg}"),
            }
        }
        ensure!(operations > 0, "a run has one operation at least");
        if kinds.is_empty() {
            kinds.extend(TYPES);
        }
        Ok(Some(Self { kinds, seed: seed.unwrap_or_else(from_clock), operations }))
    }

    /// The command that does the same operations on one type.
    pub fn again(&self, kind: Kind) -> String {
        let share = self.operations.div_ceil(self.kinds.len() as u64);
        let option = if CONTROLS.contains(&kind) { "control" } else { "type" };
        format!("fuzz --{option} {} --seed {} --operations {share}", kind.name(), self.seed)
    }
}

fn find(kinds: &[Kind], what: &str, name: &str) -> Result<Kind> {
    kinds.iter().copied().find(|kind| kind.name() == name).with_context(|| format!("there is no {what} {name}"))
}

/// A number, with `_` between digits and in the form 1e8 too.
fn number(text: &str) -> Result<u64> {
    let digits = text.replace('_', "");
    let parsed = match digits.split_once('e') {
        Some((digits, exponent)) => digits
            .parse::<u64>()
            .ok()
            .zip(exponent.parse::<u32>().ok())
            .and_then(|(number, exponent)| 10u64.checked_pow(exponent).and_then(|power| number.checked_mul(power))),
        None => digits.parse().ok(),
    };
    parsed.with_context(|| format!("{text} is not a number, such as 42 or 1e8"))
}

fn from_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_nanos() as u64)
}

pub fn usage() -> String {
    let names = |kinds: &[Kind]| kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    format!(
        "usage: fuzz [--type NAME]... [--seed N] [--operations N] [--control NAME]...

  --type NAME       only this type; all of them otherwise: {}
  --seed N          what the operations follow from; from the clock otherwise, and printed
  --operations N    of all types together, such as 1e8; {OPERATIONS} otherwise
  --control NAME    a type that is wrong on purpose, which must be found out: {}

Exit codes: 0 nothing was found, 1 a fault was, 4 skipped, {} a bad argument.
",
        names(&TYPES),
        names(&CONTROLS),
        crate::EX_USAGE,
    )
}
