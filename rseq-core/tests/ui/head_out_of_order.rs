// error: no rules expected `abort`
use rseq_core::*;

critical_section! {
    pub unsafe fn section(cpu: usize, v: *mut usize) -> Result<Committed, Aborted> {
        abort(Aborted) exits(Aborted); //~
        check_index(cpu) else Aborted;
        commit add([v], 1);
    }
}

fn main() {}
