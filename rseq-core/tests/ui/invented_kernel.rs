// error: `KernelRseq::from_auxv` is unsafe and requires unsafe block
use rseq_core::{KernelRseq, Mode, Options};

fn main() {
    let invented = KernelRseq::from_auxv(Some(33), Some(64));
    let _ = Options::new(Mode::Extended).kernel(invented);
}
