//! Numbers and names of threads.

use harness::ktap::{OrFail, Verdict};
use harness::sys::file::File;
use harness::text::Text;
use harness::{ensure, skip};
use rseq_rt::thread::{self, Builder};

pub fn numbers() -> Verdict {
    let main = thread::current().id();
    let mut last = main;
    for _ in 0..20 {
        let thread = thread::spawn(|| thread::current().id()).or_fail("spawn")?;
        let outside = thread.id();
        let inside = thread.join();
        ensure!(inside == outside && inside > last, "{inside} after {last}, from outside {outside}");
        last = inside;
    }
    ensure!(thread::current().id() == main, "the main thread's number changes");
    Ok(())
}

/// What procfs says of the calling thread.
fn comm(tid: u32) -> Option<Text<32>> {
    let path = Text::<64>::of(format_args!("/proc/self/task/{tid}/comm\0"));
    let file = File::open(core::ffi::CStr::from_bytes_with_nul(path.as_bytes()).ok()?).ok()?;
    let mut bytes = [0; 32];
    Some(Text::of(format_args!("{}", core::str::from_utf8(file.read(&mut bytes).ok()?).ok()?.trim_end())))
}

pub fn names() -> Verdict {
    let before = thread::current().name();
    let thread = Builder::new().name("a worker").spawn(|| {
        let this = thread::current();
        let (name, listed) = (this.name(), comm(this.tid()));
        let _ = this.set_name("another");
        (name, listed, comm(this.tid()), this.name())
    });
    let (name, listed, later_listed, later) = thread.or_fail("spawn")?.join();
    ensure!(&*name == "a worker" && &*later == "another", "the names are {name:?} and {later:?}");
    ensure!(thread::current().name() == before, "the main thread's name has changed");
    let inherited = thread::spawn(|| thread::current().name()).or_fail("spawn")?.join();
    ensure!(inherited == before, "a thread without a name is called {inherited:?}, not {before:?}");
    let (Some(listed), Some(later_listed)) = (listed, later_listed) else {
        return Err(skip!("procfs does not say how threads are called"));
    };
    let listed = (listed.as_str(), later_listed.as_str());
    ensure!(listed == ("a worker", "another"), "procfs says {listed:?}");
    Ok(())
}

pub fn cut_names() -> Verdict {
    let cases = [
        ("fifteen bytes..", "fifteen bytes.."),
        ("sixteen bytes...", "sixteen bytes.."),
        ("a nul\0is the end", "a nul"),
        ("fourteen bytes\u{e9}", "fourteen bytes"),
        ("thirteen byte\u{e9}", "thirteen byte\u{e9}"),
        ("eleven byte\u{1f980}", "eleven byte\u{1f980}"),
        ("twelve bytes\u{1f980}", "twelve bytes"),
    ];
    for (given, wanted) in cases {
        let name = Builder::new().name(given).spawn(|| thread::current().name()).or_fail("spawn")?.join();
        ensure!(&*name == wanted, "{given:?} becomes {name:?}, not {wanted:?}");
    }
    Ok(())
}
