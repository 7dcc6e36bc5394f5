//! Small shell scripts in place of the static binaries, and the runner over them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Prints good KTAP and exits as it should.
pub const GOOD: &str = "echo KTAP version 1; echo 1..2; echo ok 1 a; echo ok 2 b";

/// A directory of fake binaries, made anew for one test.
pub struct Fakes(PathBuf);

impl Fakes {
    /// An empty directory; `name` keeps tests apart.
    pub fn new(name: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fakes-{name}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    /// Adds a binary with the given shell commands.
    pub fn with(self, name: &str, commands: &str) -> Self {
        let path = self.0.join(name);
        // By another process: a child that another test starts meanwhile would hold a descriptor of ours, and no file
        // runs that is open for writing.
        let mut writer = Command::new("dd")
            .arg(format!("of={}", path.display()))
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        writeln!(writer.stdin.take().unwrap(), "#!/bin/sh\n{commands}").unwrap();
        assert!(writer.wait().unwrap().success());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// Where they are.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The runner, set to run these, with more arguments.
    pub fn runner(&self, args: &[&str]) -> Command {
        let mut command = runner(args);
        command.arg("--bin-dir").arg(&self.0);
        command
    }

    /// Runs `basic_test` alone and waits.
    pub fn basic_test(&self, args: &[&str]) -> Run {
        Run::of(self.runner(args).arg("basic_test"))
    }
}

/// The runner with arguments. Whether it has colours is for its own look at where it prints. It leaves ignored signals
/// ignored, as the tests' parent may: nohup, or a script that has them in the background.
pub fn runner(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
    command.args(args).env_remove("CLICOLOR_FORCE");
    let reset = || {
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
            // SAFETY: it takes two numbers, and sets no handler of ours.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes system calls only.
    unsafe { command.pre_exec(reset) };
    command
}

/// A finished runner.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Runs the command to its end.
    pub fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Asserts a failure of the runner's first test for a reason that contains `reason`.
    #[track_caller]
    pub fn assert_failed(&self, reason: &str) {
        assert_eq!(self.code, Some(1), "{self:#?}");
        assert!(self.stdout.contains("\nnot ok 1 basic_test"), "{self:#?}");
        assert!(self.stdout.contains(reason), "{reason:?} is missing: {self:#?}");
    }
}
