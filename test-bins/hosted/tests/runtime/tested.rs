//! Users' packages with unit tests and examples: `test-bins/hosted/tested`, whose library leaves the runtime to its
//! program, and `library`, whose library uses it.

use crate::package::{Builds, repository};

#[test]
#[ignore = "builds all crates in six ways"]
fn a_package_on_rseq_rt_has_unit_tests_and_examples() {
    let steps: [(&[&str], i32, &str); 6] = [
        (&["test"], 0, "test tests::visitors_are_counted_and_the_last_one_is_known ... ok"),
        (&["check", "--all-targets"], 0, ""),
        (&["check", "--all-targets", "--all-features"], 0, ""),
        (&["run", "--", "a", "b"], 0, "3 visits, the last by "),
        (&["run", "--features", "static", "--example", "panics", "--", "an-argument"], 0, "an example\n"),
        (&["run", "--features", "static", "--example", "panics"], 101, "an example\n"),
    ];
    expect("tested", &steps);
}

#[test]
#[ignore = "builds all crates in five ways"]
fn a_library_that_uses_rseq_rt_has_unit_tests_and_examples() {
    let steps: [(&[&str], i32, &str); 5] = [
        (&["test"], 0, "test tests::threads_have_names_values_and_results ... ok"),
        (&["check", "--all-targets"], 0, ""),
        (&["run", "--", "a", "b"], 0, "3 visits, the last by "),
        (&["run", "--example", "crowd", "--", "a", "b"], 0, "3 visits, the last by "),
        (&["run", "--example", "crowd"], 101, "1 visits, the last by 1\n"),
    ];
    expect("library", &steps);
}

/// Runs cargo in a package, with the arguments, for an exit code and a text.
fn expect(package: &str, steps: &[(&[&str], i32, &str)]) {
    let package = repository().join("test-bins/hosted").join(package);
    let builds = Builds::begin();
    for &(arguments, code, says) in steps {
        let output = builds.cargo(&package, arguments);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.code() == Some(code) && text.contains(says), "{arguments:?}: {output:#?}");
    }
}
