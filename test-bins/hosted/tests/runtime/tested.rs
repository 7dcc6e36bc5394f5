//! A user's package with unit tests and an example: `test-bins/hosted/tested`.

use crate::package::{Builds, repository};

#[test]
fn a_package_on_rseq_rt_has_unit_tests_and_examples() {
    let package = repository().join("test-bins/hosted/tested");
    let builds = Builds::begin();
    let steps: [(&[&str], i32, &str); 7] = [
        (&["test"], 0, "test tests::visitors_are_counted_and_the_last_one_is_known ... ok"),
        // Of a module on the runtime's own threads and locks, which are std's here.
        (&["test"], 0, "test crowd::tests::threads_have_names_values_and_results ... ok"),
        (&["check", "--all-targets"], 0, ""),
        (&["check", "--all-targets", "--all-features"], 0, ""),
        (&["run", "--", "a", "b"], 0, "3 visits, the last by "),
        (&["run", "--features", "static", "--example", "panics", "--", "an-argument"], 0, "an example\n"),
        (&["run", "--features", "static", "--example", "panics"], 101, "an example\n"),
    ];
    for (arguments, code, says) in steps {
        let output = builds.cargo(&package, arguments);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.code() == Some(code) && text.contains(says), "{arguments:?}: {output:#?}");
    }
}
