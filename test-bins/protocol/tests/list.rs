//! Lists that are written and read, or refused by both sides.

use protocol::list::{CAPACITY, Kind, List, Listed, MAX_WORDS, Unlistable, Unreadable, pointers, write};

fn listed<'w>(kind: Kind, once: bool, words: &'w [&'w str]) -> Listed<'w, &'w str> {
    Listed { kind, once, seconds: 60, words }
}

fn written(twice: bool, programs: &[Listed<'_, &str>]) -> Result<Vec<u8>, Unlistable> {
    let mut bytes = Vec::new();
    write(twice, programs.iter().copied(), |part| bytes.extend_from_slice(part)).map(|()| bytes)
}

#[test]
fn the_bytes_are_these() {
    let bytes = written(true, &[listed(Kind::Test, false, &["/bin/a", "--short", ""])]).unwrap();
    assert_eq!(bytes, b"1\0test\x0060\x003\0/bin/a\0--short\0\0");
    assert_eq!(written(false, &[]).unwrap(), b"0\0");
}

#[test]
fn what_is_written_is_read() {
    let most = vec!["w"; MAX_WORDS - 1];
    let programs = [
        listed(Kind::Test, false, &["/bin/a", "--short", ""]),
        listed(Kind::Test, true, &["/bin/b"]),
        listed(Kind::Report, false, &["/bin/c", "1"]),
        listed(Kind::Report, true, &["/bin/d"]),
        listed(Kind::Program, false, &most),
    ];
    let bytes = written(true, &programs).unwrap();
    let list = List::parse(&bytes).unwrap();
    assert!(list.twice);
    assert_eq!(list.runs().count(), programs.len());
    for (run, listed) in list.runs().zip(&programs) {
        let words: Vec<_> = run.words().map(|word| word.to_str().unwrap()).collect();
        assert_eq!((run.kind, run.once, run.seconds), (listed.kind, listed.once, listed.seconds));
        assert_eq!(words, listed.words);
        assert_eq!(run.path().to_str(), Ok(listed.words[0]));
        let (pointers, count) = pointers(run.words());
        assert_eq!(count, words.len() + 1);
        assert!(pointers[..count - 1].iter().all(|pointer| !pointer.is_null()) && pointers[count - 1].is_null());
    }
}

#[test]
fn what_would_not_be_read_is_not_written() {
    let many = vec!["w"; MAX_WORDS];
    let long = "x".repeat(CAPACITY);
    let refused = |words: &[&str]| written(false, &[listed(Kind::Program, false, words)]).unwrap_err();
    assert_eq!(refused(&many), Unlistable::Words(MAX_WORDS));
    assert_eq!(refused(&[]), Unlistable::Words(0));
    assert_eq!(refused(&["/bin/a", "b\0c"]), Unlistable::Nul);
    assert_eq!(refused(&["/bin/a", &long]), Unlistable::Long);
    assert!(refused(&many).to_string().contains("64 words"));
}

#[test]
fn a_list_that_was_cut_anywhere_is_damaged() {
    let programs = [listed(Kind::Test, false, &["/bin/a", "b"]), listed(Kind::Report, false, &["/bin/c"])];
    let bytes = written(false, &programs).unwrap();
    assert_eq!(List::parse(&bytes[..2]).unwrap_err(), Unreadable::Empty);
    for length in 3..bytes.len() {
        match List::parse(&bytes[..length]) {
            Ok(list) => assert_eq!((list.runs().count(), bytes[length - 1]), (1, 0), "{length}"),
            Err(error) => assert_eq!(error, Unreadable::Damaged, "{length}"),
        }
    }
    assert_eq!(List::parse(&[0; CAPACITY]).unwrap_err(), Unreadable::Long);
    assert_eq!(List::parse(b"0\0tset\x0060\x001\0/bin/a\0").unwrap_err(), Unreadable::Damaged);
    assert_eq!(List::parse(b"0\0test\x0060\x0064\0/bin/a\0").unwrap_err(), Unreadable::Damaged);
}

#[test]
fn variables_stand_before_the_path() {
    let bytes = written(false, &[listed(Kind::Report, false, &["A=1", "B=/2", "/bin/c=3", "d=/e"])]).unwrap();
    let run = List::parse(&bytes).unwrap().runs().next().unwrap();
    assert_eq!(run.assignments().collect::<Vec<_>>(), [c"A=1", c"B=/2"]);
    assert_eq!(run.command().collect::<Vec<_>>(), [c"/bin/c=3", c"d=/e"]);
    assert_eq!(run.path(), c"/bin/c=3");
}
