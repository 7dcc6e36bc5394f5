//! Writes the generated C headers: `rseq-c-headers DIR`, where `DIR` is the directory `rseq-core/c/include`.

mod arch;
mod att;
mod header;
mod names;
mod quote;
mod section;
mod text;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

include!(concat!(env!("OUT_DIR"), "/sections.rs"));

fn main() -> ExitCode {
    let Some(directory) = env::args_os().nth(1) else {
        eprintln!("usage: rseq-c-headers DIR");
        return ExitCode::from(2);
    };
    match write(Path::new(&directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}: {error}", Path::new(&directory).display());
            ExitCode::FAILURE
        }
    }
}

fn write(directory: &Path) -> io::Result<()> {
    for folder in ["rseq/arch", "kernel"] {
        fs::create_dir_all(directory.join(folder))?;
    }
    for (known, (name, signature, is_code, families)) in arch::ARCHES.iter().zip(ALL) {
        assert_eq!(known.name, *name, "both tables have one order");
        let text = header::arch(known, *signature, *is_code, *families);
        fs::write(directory.join(format!("rseq/arch/{name}.h")), text)?;
    }
    fs::write(directory.join("rseq/arch.h"), header::choice())?;
    let (_, _, _, [sections, this_cpu]) = ALL[0];
    fs::write(directory.join("rseq/operations.h"), names::operations(sections))?;
    fs::write(directory.join("rseq/this-cpu.h"), names::this_cpu(this_cpu))?;
    fs::write(directory.join("rseq/kernel-names.h"), names::kernel(sections))?;
    for name in ["x86", "arm", "arm64", "ppc", "mips", "s390", "riscv"] {
        fs::write(directory.join(format!("kernel/rseq-{name}.h")), names::shim())?;
    }
    Ok(())
}
