use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

/// An example of this package, running as a process of its own. Dropping it ends it.
pub struct Example {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Example {
    /// Starts the example that cargo built beside this test.
    pub fn start(name: &str, environment: &[(&str, &str)]) -> Self {
        let path = path(name);
        let mut child = Command::new(&path)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{}: {error}: `cargo test` builds examples, `--test` alone does not: \
                                            run `cargo build --all-features --examples`",
                    path.display()
                )
            });
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Runs an example to its end, and gives what it said.
    pub fn run(name: &str, words: &[&str], environment: &[(&str, &str)]) -> String {
        String::from_utf8(Self::output(name, words, environment).stdout).unwrap()
    }

    /// Runs an example to its end, and gives what it said on standard error.
    pub fn complaints(name: &str, words: &[&str], environment: &[(&str, &str)]) -> String {
        String::from_utf8(Self::output(name, words, environment).stderr).unwrap()
    }

    fn output(name: &str, words: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = Command::new(path(name));
        let output = command.args(words).envs(environment.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        output
    }

    /// The first line that has `text` in it.
    pub fn line_with(&mut self, text: &str) -> String {
        let mut lines = self.lines.by_ref().map(Result::unwrap);
        lines.find(|line| line.contains(text)).unwrap_or_else(|| panic!("no line with {text:?}"))
    }

    /// The address of an example that says where it listens.
    pub fn address(&mut self) -> SocketAddr {
        let line = self.line_with("listening on http://");
        line.rsplit_once('/').unwrap().1.parse().unwrap()
    }

    /// Asks it to end, as Ctrl-C does, and waits until it has; it must end well. Gives what it said meanwhile.
    pub fn interrupt(mut self) -> String {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let said: Vec<_> = self.lines.by_ref().map(Result::unwrap).collect();
        assert!(self.child.wait().unwrap().success(), "{said:?}");
        said.join("\n")
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}
