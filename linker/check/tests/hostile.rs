//! Whatever is done to a file, the answer is findings or an error, soon: no panic, no endless loop, no unbounded
//! memory.
//!
//! `HOSTILE_INPUTS=1000000 cargo test -p rseq-check --release --test hostile -- --nocapture` tries as many.

mod elf;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use elf::{ARCHES, Plan};
use rseq_check::check_data;

/// How many files are tried, unless the environment says.
const INPUTS: usize = 20_000;
/// The longest that one of these small files may take, on a machine busy with other things.
const PATIENCE: Duration = Duration::from_secs(20);

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    /// A number that programs get wrong.
    fn value(&mut self) -> u64 {
        const EDGES: [u64; 12] =
            [0, 1, 7, 8, 31, 32, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 32, i64::MAX as u64, u64::MAX];
        match self.below(3) {
            0 => EDGES[self.below(EDGES.len())],
            1 => EDGES[self.below(EDGES.len())].wrapping_sub(self.below(64) as u64),
            _ => self.below(0x2_0000) as u64,
        }
    }
}

/// Small files of every architecture, right and wrong.
fn corpus() -> Vec<Vec<u8>> {
    let plans = ARCHES.iter().flat_map(|arch| {
        let right = Plan::right(arch);
        let relocated = Plan { relocated: true, ..right.clone() };
        let symbols = vec![("$x", -64), ("$d", -32), ("$t", -16)];
        let entered =
            Plan { entered: Some(arch.branch.len()), slot: arch.elsewhere.to_vec(), symbols, ..right.clone() };
        [right, relocated, entered]
    });
    plans.map(|plan| plan.file()).collect()
}

fn mutated(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut data = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(4) {
        let len = data.len();
        if len < 16 {
            break;
        }
        // Headers in front and at the end, or anywhere.
        let at = match random.below(3) {
            0 => random.below(len.min(120)),
            1 => len - 1 - random.below(len.min(64 * 8)),
            _ => random.below(len),
        };
        match random.below(6) {
            0 => data.truncate(at),
            1 => data[at] = random.below(256) as u8,
            2 => data[at] ^= 1 << random.below(8),
            3 => write(&mut data, at & !3, &random.value().to_le_bytes()[..4]),
            4 => write(&mut data, at & !7, &random.value().to_le_bytes()),
            _ => {
                // One part of it, or of another, over another part.
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len());
                let piece = other[from..].iter().copied().take(1 + random.below(96)).collect::<Vec<_>>();
                write(&mut data, at, &piece);
            }
        }
    }
    data
}

fn write(data: &mut [u8], at: usize, bytes: &[u8]) {
    let room = data.len().saturating_sub(at).min(bytes.len());
    data[at..at + room].copy_from_slice(&bytes[..room]);
}

/// What the checker said, and that it said it in time.
fn answer(data: &[u8], what: &str) -> &'static str {
    let began = Instant::now();
    let answer = match check_data(what, data, &[]) {
        Ok(checked) if checked.findings.is_empty() => "clean",
        Ok(_) => "faulty",
        Err(_) => "unreadable",
    };
    assert!(began.elapsed() < PATIENCE, "{what}: {:?}", began.elapsed());
    answer
}

#[test]
fn mutated_files_are_survived() {
    let inputs = std::env::var("HOSTILE_INPUTS").ok().and_then(|text| text.parse().ok()).unwrap_or(INPUTS);
    let seed = std::env::var("HOSTILE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(88_172_645_463_325_252);
    let (corpus, mut random) = (corpus(), Random(seed));
    let mut answers: BTreeMap<&str, usize> = BTreeMap::new();
    for number in 0..inputs {
        let data = mutated(&mut random, &corpus);
        *answers.entry(answer(&data, &format!("input {number} of seed {seed}"))).or_default() += 1;
    }
    println!("{inputs} inputs from {} files: {answers:?}", corpus.len());
    // Mutations that ruin nothing, or everything, try nothing.
    for kind in ["clean", "faulty", "unreadable"] {
        assert!(answers.get(kind).is_some_and(|&count| count > inputs / 50), "{kind}: {answers:?}");
    }
}

#[test]
fn every_truncation_is_survived() {
    for data in corpus().iter().step_by(3) {
        for len in 0..data.len() {
            // Section headers end the file: nothing shorter is whole.
            assert_eq!(answer(&data[..len], "a truncated file"), "unreadable", "{len} of {} bytes", data.len());
        }
    }
}

#[test]
fn what_is_no_program_is_refused() {
    for data in [&b""[..], b"\x7fELF", &[0x7f; 4096], b"#!/bin/sh\n", &[0; 1 << 16]] {
        assert!(check_data("no program", data, &[]).is_err());
    }
}

/// As many headers as fit, each naming the whole file: what they claim grows with the square of the file's length.
#[test]
fn claims_larger_than_the_file_are_refused_in_time() {
    let many = "sections of rseq: linkers make one of each name";
    for (name, expected) in [
        ("__rseq_cs", many),
        ("__rseq_cs_ptr_array", many),
        ("__rseq_exit_point_array", many),
        (".text", "sections with code overlap"),
        (".rela.dyn", "relocations overlap"),
    ] {
        let arch = ARCHES.iter().find(|arch| arch.name == "x86_64").expect("it is in the table");
        let mut data = Plan { relocated: true, ..Plan::right(arch) }.file();
        repeat_header(&mut data, name, 4_000);
        answer(&data, name);
        let error = check_data(name, &data, &[]).expect_err(expected);
        assert!(error.to_string().contains(expected), "{name}: {error}");
    }
}

/// Gives a little-endian 64-bit file more copies of the header of one section, each covering the whole file.
fn repeat_header(data: &mut Vec<u8>, name: &str, times: u16) {
    let quad = |data: &[u8], at: usize| u64::from_le_bytes(data[at..at + 8].try_into().expect("8 bytes"));
    let half = |data: &[u8], at: usize| u16::from_le_bytes(data[at..at + 2].try_into().expect("2 bytes"));
    let (table, count) = (quad(data, 0x28) as usize, half(data, 0x3c) as usize);
    let headers: Vec<Vec<u8>> =
        (0..count).map(|number| data[table + 64 * number..table + 64 * (number + 1)].to_vec()).collect();
    let names = quad(&headers[count - 1], 24) as usize;
    let is_named = |header: &&Vec<u8>| {
        let at = names + u32::from_le_bytes(header[..4].try_into().expect("4 bytes")) as usize;
        data[at..].starts_with(name.as_bytes()) && data[at + name.len()] == 0
    };
    let mut copy = headers.iter().find(is_named).expect("the section is there").clone();
    let whole = (table + 64 * (count + usize::from(times))) as u64;
    copy[16..24].copy_from_slice(&0x1_0000u64.to_le_bytes());
    copy[24..32].copy_from_slice(&0u64.to_le_bytes());
    // A whole number of entries of every kind.
    copy[32..40].copy_from_slice(&(whole / 96 * 96).to_le_bytes());
    data.truncate(table + 64 * count);
    for _ in 0..times {
        data.extend(&copy);
    }
    data[0x3c..0x3e].copy_from_slice(&(count as u16 + times).to_le_bytes());
    // The segment holds the whole file now.
    data[64 + 32..64 + 40].copy_from_slice(&whole.to_le_bytes());
    data[64 + 40..64 + 48].copy_from_slice(&whole.to_le_bytes());
}

/// A section in code that no segment has: there is not one byte to take apart.
#[test]
fn code_that_is_not_in_the_file_is_survived() {
    const AWAY: u32 = 0x10_0000;
    for arch in ARCHES {
        let plan = Plan { start: AWAY.into(), length: AWAY.into(), exit: None, ..Plan::right(arch) };
        let mut data = plan.file();
        let word = |bytes: [u8; 4]| if arch.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        // Where the table of section headers is, its entries' size, and where one has its address: of the low word.
        let (table, size, address) = if arch.wide { (0x28, 64, 16) } else { (0x20, 40, 12) };
        let low = if arch.wide && arch.big { 4 } else { 0 };
        let read = |data: &[u8], at: usize| word(data[at + low..at + low + 4].try_into().expect("4 bytes"));
        let text = read(&data, table) as usize + size + address;
        let moved = read(&data, text) + AWAY;
        let bytes = if arch.big { moved.to_be_bytes() } else { moved.to_le_bytes() };
        data[text + low..text + low + 4].copy_from_slice(&bytes);
        let findings = check_data(arch.name, &data, &[]).expect("it can be read").findings;
        assert!(
            findings.iter().any(|finding| finding.message.contains("holds no instruction")),
            "{}: {findings:?}",
            arch.name
        );
    }
}
