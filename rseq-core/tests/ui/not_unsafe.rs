// error: no rules expected keyword `fn`
use rseq_core::*;

critical_section! {
    pub fn section(cpu: usize, v: *mut usize) -> Result<Committed, Aborted> { //~
        exits(Aborted) abort(Aborted);
        check_index(cpu) else Aborted;
        commit add([v], 1);
    }
}

fn main() {}
