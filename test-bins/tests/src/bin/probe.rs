//! What this kernel's rseq can do, for people and, with `--json`, for programs.
#![no_std]
#![no_main]

use core::fmt;

use harness::abort_count::AbortCount;
use harness::args::Args;
use harness::generation::Generation;
use harness::ktap::Unmet;
use harness::program;
use harness::sys::{cpu, process};
use harness::text::Text;
use rseq_core::sys::{SliceError, SliceState, membarrier_query, slice_extension};
use rseq_core::{Owner, Registration, Status, ThreadArea, abi, arch};
use rseq_rt::process::ExitCode;
use rseq_rt::{print, println};

rseq_rt::entry!(main);

const USAGE: &str = "probe: what this kernel's rseq can do\n\
usage: probe [--json]\n\
exit codes: 0 always, 64 usage";

fn main() -> ExitCode {
    program::run(body)
}

/// One fact's value.
enum Value {
    Number(u64),
    Word(Text<160>),
    Yes(bool),
    /// Not known, with the reason.
    Unknown(Text<160>),
}

fn word(arguments: fmt::Arguments<'_>) -> Value {
    Value::Word(Text::of(arguments))
}

fn unknown(arguments: fmt::Arguments<'_>) -> Value {
    Value::Unknown(Text::of(arguments))
}

fn body() -> u8 {
    let mut json = false;
    let mut args = Args::new(rseq_rt::env::args().skip(1), USAGE);
    while let Some(option) = args.next_option() {
        match option {
            "--json" => json = true,
            "--short" => {}
            other => args.unknown(other),
        }
    }
    let mut report = Report { json, first: true };
    report.begin();
    kernel(&mut report);
    registration(&mut report);
    fields(&mut report);
    extensions(&mut report);
    report.end();
    0
}

fn kernel(report: &mut Report) {
    if let Some(name) = process::kernel_name() {
        report.fact("kernel", "kernel release", word(format_args!("{}", name.release())));
        report.fact("machine", "machine", word(format_args!("{}", name.machine())));
    }
    let auxv = |key, name, label, report: &mut Report| match rseq_rt::env::auxv(key) {
        Some(value) => report.fact(name, label, Value::Number(value as u64)),
        None => report.fact(name, label, unknown(format_args!("the kernel does not say (before Linux 6.3)"))),
    };
    let kernel = rseq_rt::kernel();
    auxv(rseq_core::KernelRseq::AT_FEATURE_SIZE, "feature_size", "feature size", report);
    auxv(rseq_core::KernelRseq::AT_ALIGN, "align", "alignment", report);
    report.fact("active_size", "active bytes", Value::Number(kernel.active_size().into()));
    match rseq_core::percpu::PossibleCpus::read() {
        Ok(cpus) => report.fact("cpu_slots", "CPU slots", Value::Number(cpus.slots_by_cpu() as u64)),
        Err(errno) => report.fact("cpu_slots", "CPU slots", unknown(format_args!("{errno}"))),
    }
    if let Ok(allowed) = cpu::affinity(0) {
        report.fact("cpus_allowed", "CPUs allowed", Value::Number(allowed.count().into()));
    }
    report.fact("signature", "signature", word(format_args!("{:#010x}", arch::SIGNATURE)));
}

fn registration(report: &mut Report) {
    let label = "registration";
    match rseq_rt::registration() {
        Ok(rseq_core::Mode::Extended) => report.fact("registration", label, word(format_args!("extended"))),
        Ok(rseq_core::Mode::Legacy) => report.fact("registration", label, word(format_args!("legacy"))),
        Ok(other) => report.fact("registration", label, unknown(format_args!("{other:?}"))),
        Err(error) => report.fact("registration", label, unknown(format_args!("{error}"))),
    }
    let owner = Registration::<ThreadArea>::adopt().map(|adopted| adopted.owner());
    match owner {
        Ok(Owner::Runtime) => report.fact("owner", "owner", word(format_args!("runtime"))),
        Ok(Owner::Libc) => report.fact("owner", "owner", word(format_args!("libc"))),
        Ok(Owner::Own) => report.fact("owner", "owner", word(format_args!("own"))),
        Ok(other) => report.fact("owner", "owner", unknown(format_args!("{other:?}"))),
        Err(error) => report.fact("owner", "owner", unknown(format_args!("{error}"))),
    }
    match rseq_core::status() {
        Status::On(owner) => report.fact("status", "per-CPU data", word(format_args!("on: {owner} registers threads"))),
        Status::Off(cause) => report.fact("status", "per-CPU data", unknown(format_args!("off: {cause}"))),
        other => report.fact("status", "per-CPU data", unknown(format_args!("{other}"))),
    }
    let length = harness::registration::Registered::by_runtime().map(|registered| registered.length);
    if let Ok(length) = length {
        report.fact("length", "registered bytes", Value::Number(length.into()));
    }
    match Generation::probe() {
        Ok(generation) => report.fact("generation", "behaviour", word(format_args!("{}", generation.name()))),
        Err(Unmet::Fail(why) | Unmet::Skip(why)) => {
            report.fact("generation", "behaviour", unknown(format_args!("{why}")))
        }
        Err(_) => {}
    }
}

fn fields(report: &mut Report) {
    let Some(token) = rseq_rt::current() else { return };
    let since = || unknown(format_args!("not maintained (before Linux 6.3)"));
    let number = |value: Option<u32>| value.map_or_else(since, |value| Value::Number(value.into()));
    report.fact("cpu_id", "cpu_id", Value::Number(token.cpu_id().into()));
    report.fact("node_id", "node_id", number(token.node_id()));
    report.fact("mm_cid", "mm_cid", number(token.mm_cid()));
    report.fact("flags", "flags", word(format_args!("{:#x}", token.flags())));
}

fn extensions(report: &mut Report) {
    let available = rseq_rt::current().is_some_and(|token| token.flags() & abi::AREA_FLAG_SLICE_EXT_AVAILABLE != 0);
    let slices = match slice_extension() {
        Ok(SliceState::Enabled) => word(format_args!("enabled")),
        Ok(SliceState::Disabled) if available => word(format_args!("available")),
        Ok(SliceState::Disabled) => word(format_args!("off")),
        Err(SliceError::NoExtension) => word(format_args!("none (before Linux 7.0)")),
        Err(SliceError::NotSupported) => word(format_args!("not built in, or switched off")),
        Err(error) => unknown(format_args!("{}", error.errno())),
    };
    report.fact("slice_extension", "time slice extension", slices);
    match membarrier_query() {
        Ok(commands) => {
            report.fact("membarrier", "membarrier commands", word(format_args!("{:#x}", commands.0)));
            report.fact("membarrier_rseq", "membarrier rseq fence", Value::Yes(commands.has_rseq()));
        }
        Err(error) => report.fact("membarrier", "membarrier commands", unknown(format_args!("{}", error.errno()))),
    }
    match AbortCount::start().aborts() {
        Ok(_) => report.fact("tracepoint", "abort tracepoint", Value::Yes(true)),
        Err(absence) => report.fact("tracepoint", "abort tracepoint", unknown(format_args!("{absence}"))),
    }
}

struct Report {
    json: bool,
    first: bool,
}

impl Report {
    fn begin(&self) {
        if self.json {
            println!("{{");
        }
    }

    fn fact(&mut self, name: &str, label: &str, value: Value) {
        if !self.json {
            let mut line = Text::<200>::of(format_args!("{label:<23}"));
            match value {
                Value::Number(number) => line.push(format_args!("{number}")),
                Value::Word(text) => line.push(format_args!("{text}")),
                Value::Yes(yes) => line.push(format_args!("{}", if yes { "yes" } else { "no" })),
                Value::Unknown(why) => line.push(format_args!("- {why}")),
            }
            println!("{line}");
            return;
        }
        if !core::mem::take(&mut self.first) {
            println!(",");
        }
        match value {
            Value::Number(number) => print!("  \"{name}\": {number}"),
            Value::Word(text) => print!("  \"{name}\": \"{}\"", Escaped(text.as_str())),
            Value::Yes(yes) => print!("  \"{name}\": {yes}"),
            Value::Unknown(why) => print!("  \"{name}\": null,\n  \"{name}_reason\": \"{}\"", Escaped(why.as_str())),
        }
    }

    fn end(&self) {
        if self.json {
            println!("\n}}");
        }
    }
}

/// A text inside a JSON string.
struct Escaped<'t>(&'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '"' | '\\' => write!(f, "\\{letter}")?,
                letter if (letter as u32) < 32 => write!(f, "\\u{:04x}", letter as u32)?,
                letter => write!(f, "{letter}")?,
            }
        }
        Ok(())
    }
}
