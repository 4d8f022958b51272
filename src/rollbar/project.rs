use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use super::{
    Frame, Place, Stack,
    lines::Lines,
    name,
    path::{foreign, is_absolute, slashed},
    symbol::{OWN, Symbol},
};

/// Which code is the service's own, and where it is.
///
/// Rollbar shows what is below the root of the server as the project's own code, folds everything else, and looks lines up in
/// the repository by what follows the root. So a file of the project is sent as the root and the file's path within the
/// workspace, wherever it was built.
///
/// A file is the project's own unless it came with the compiler, from a registry, from a checkout by cargo or from Nix's
/// store, or is vendored. A function without a file is, if its crate is one of the project's.
#[derive(Clone, Debug)]
pub struct Project {
    root: Box<str>,
    packages: Vec<Box<str>>,
    lines: Option<Lines>,
    learned: Arc<Learned>,
}

/// What the first stack that shows it says about the build.
#[derive(Debug, Default)]
struct Learned {
    /// The folder that the workspace was built in.
    built: OnceLock<Box<str>>,
    /// The crate that built the layer.
    package: OnceLock<Box<str>>,
}

// ===== impl Project =====

impl Project {
    /// Code whose workspace is to be found below this folder, or at this URL: what Rollbar calls `server.root`.
    #[must_use]
    pub fn new(root: impl AsRef<str>) -> Self {
        let root = slashed(root.as_ref().trim_end_matches(['/', '\\'])).into();
        Self { root, ..Self::default() }
    }

    /// A crate of the project, as code names it. May be called again, for one more. Default: the one that makes the layer.
    ///
    /// It is asked only where a build tells names without files.
    #[must_use]
    pub fn package(mut self, name: impl AsRef<str>) -> Self {
        self.packages.push(name.as_ref().replace('-', "_").into());
        self
    }

    /// The folder that the workspace was built in. Default: it is found out, by the first stack that has both a path in full
    /// and one within the workspace.
    #[must_use]
    pub fn built_in(mut self, folder: impl AsRef<str>) -> Self {
        let built = OnceLock::from(Box::from(slashed(folder.as_ref().trim_end_matches(['/', '\\']))));
        self.learned = Arc::new(Learned { built, ..Learned::default() });
        self
    }

    /// Whether the lines around a frame are sent, where its file is there to be read. Default: they are.
    #[must_use]
    pub fn code(mut self, sent: bool) -> Self {
        self.lines = sent.then(Lines::default);
        self
    }

    /// The root of the server: what was given, else the folder that the workspace was built in, as far as it is known.
    pub fn root(&self) -> &str {
        if self.root.is_empty() { self.learned.built.get().map_or("", |built| built) } else { &self.root }
    }

    /// The frames to send, the oldest first and at most 100: the route, what was running, and the place where it happened,
    /// unless that is among what was running.
    ///
    /// It may take long: names are looked up, and files read.
    pub fn frames(&self, stack: Option<&Stack>, place: Option<&Place>, route: Option<&str>) -> Vec<Frame> {
        let symbols = stack.map(Stack::symbols).unwrap_or_default();
        self.frames_of(&symbols, place, route)
    }

    /// Finds out where the workspace was built, and by which crate, from a stack that was captured at a place in it. It may
    /// take long; later stacks take less.
    pub(super) fn learn(&self, stack: &Stack, place: &Place) {
        self.learn_of(&stack.symbols(), place);
    }

    fn learn_of(&self, symbols: &[Symbol], place: &Place) {
        self.learn_folder(symbols, place);
        if let Some(package) = symbols.first().and_then(|symbol| name::package(&symbol.name)) {
            let _ = self.learned.package.set(package.into());
        }
    }

    fn frames_of(&self, symbols: &[Symbol], place: Option<&Place>, route: Option<&str>) -> Vec<Frame> {
        if let Some(place) = place {
            self.learn_folder(symbols, place);
        }
        let mut frames: Vec<_> = symbols.iter().map(|symbol| self.of_symbol(symbol)).collect();
        if let Some(place) = place.map(|place| self.of_place(place))
            && !frames.iter().any(|frame| (&frame.filename, frame.lineno) == (&place.filename, place.lineno))
        {
            frames.insert(0, place);
        }
        shorten(&mut frames, MOST - usize::from(route.is_some()));
        frames.extend(route.map(of_route));
        frames.reverse();
        frames
    }

    fn learn_folder(&self, symbols: &[Symbol], place: &Place) {
        let file = slashed(place.file());
        if self.learned.built.get().is_some() || is_absolute(&file) || foreign(&file).is_some() {
            return;
        }
        let built = symbols.iter().filter(|symbol| symbol.line == Some(place.line())).find_map(|symbol| {
            let path = symbol.file.as_deref().filter(|path| is_absolute(path) && foreign(path).is_none())?;
            path.strip_suffix(&*file)?.strip_suffix('/')
        });
        if let Some(built) = built {
            let _ = self.learned.built.set(built.into());
        }
    }

    fn of_symbol(&self, symbol: &Symbol) -> Frame {
        let mut frame = match &symbol.file {
            Some(file) => self.of_file(file, symbol.line),
            None => Frame::new(self.of_name(&symbol.name)),
        };
        frame.colno = symbol.column;
        frame.method = Some(symbol.name.clone());
        frame
    }

    fn of_place(&self, place: &Place) -> Frame {
        let mut frame = self.of_file(&slashed(place.file()), Some(place.line()));
        frame.colno = Some(place.column());
        frame
    }

    fn of_file(&self, file: &str, line: Option<u32>) -> Frame {
        let file = file.trim_start_matches("./");
        let line = line.filter(|line| *line > 0);
        if let Some(foreign) = foreign(file) {
            return Frame { lineno: line, ..Frame::new(foreign.file) };
        }
        let built = self.learned.built.get().map(|built| &**built);
        let within = built.and_then(|built| below(built, file)).or_else(|| below(&self.root, file));
        let within = within.or_else(|| (!is_absolute(file)).then_some(file));
        let filename = within.map_or_else(|| file.to_owned(), |within| self.below_root(within));
        let mut frame = Frame { lineno: line, ..Frame::new(filename) };
        if let Some(lines) = &self.lines {
            let sources =
                [Some(frame.filename.clone()), within.zip(built).map(|(file, built)| join(built, file))];
            lines.onto(&mut frame, sources.into_iter().flatten().map(PathBuf::from));
        }
        frame
    }

    /// What stands for the file of a function of which only the name is known.
    fn of_name(&self, name: &str) -> String {
        let package = name::package(name).unwrap_or("unknown");
        let file = format!("<{package}>");
        if self.is_own(package) { self.below_root(&file) } else { file }
    }

    fn is_own(&self, package: &str) -> bool {
        let learned = self.learned.package.get();
        self.packages.iter().chain(learned).any(|own| **own == *package) && package != OWN
    }

    fn below_root(&self, file: &str) -> String {
        let root = self.root();
        if root.is_empty() { file.to_owned() } else { join(root, file) }
    }
}

impl Default for Project {
    /// Code whose workspace is where it was built, which is found out.
    fn default() -> Self {
        let (root, learned) = (Box::default(), Arc::default());
        Self { root, packages: Vec::new(), lines: Some(Lines::default()), learned }
    }
}

/// The route, in the place of the function that was asked for. It keeps apart in Rollbar what happens in the same line of
/// different routes, or in no known line.
fn of_route(route: &str) -> Frame {
    let path = route.split_once(' ').map_or(route, |(_, path)| path);
    Frame { method: Some(route.to_owned()), ..Frame::new(path) }
}

/// Keeps so many, half of them from either end.
fn shorten(frames: &mut Vec<Frame>, most: usize) {
    if frames.len() > most {
        frames.drain(most / 2..most / 2 + frames.len() - most);
    }
}

fn below<'a>(folder: &str, file: &'a str) -> Option<&'a str> {
    file.strip_prefix(folder).filter(|_| !folder.is_empty())?.strip_prefix('/')
}

fn join(folder: &str, file: &str) -> String {
    format!("{folder}/{file}")
}

const MOST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(name: &str, file: &str, line: u32) -> Symbol {
        let file = (!file.is_empty()).then(|| file.to_owned());
        Symbol { name: name.to_owned(), line: file.as_ref().map(|_| line), file, column: None }
    }

    fn place() -> Place {
        Place::here()
    }

    fn files(frames: &[Frame]) -> Vec<(&str, Option<u32>)> {
        frames.iter().map(|frame| (frame.filename.as_str(), frame.lineno)).collect()
    }

    const BUILT: &str = "/build/shop";

    #[test]
    fn built_paths_and_paths_within_the_workspace_come_out_alike() {
        let (place, line) = (place(), line!());
        assert_ne!(place.line(), line);
        let built = format!("{BUILT}/{}", place.file());
        let symbols = [symbol("shop::load", &built, place.line()), symbol("shop::main", &built, 99)];
        let frames = Project::new("/app/").frames_of(&symbols, Some(&place), Some("GET /carts/{id}"));
        let file = format!("/app/{}", place.file());
        let expected = [("/carts/{id}", None), (&*file, Some(99)), (&*file, Some(place.line()))];
        assert_eq!(files(&frames), expected);
        assert_eq!(frames[0].method.as_deref(), Some("GET /carts/{id}"));
        assert_eq!(frames[2].method.as_deref(), Some("shop::load"));
    }

    #[test]
    fn a_place_that_no_function_is_at_comes_last_and_the_route_first() {
        let place = place();
        let frames = Project::new("/app").built_in(BUILT).frames_of(
            &[symbol("shop::load", "/build/shop/src/carts.rs", 7), symbol("sqlx::query", "", 0)],
            Some(&place),
            Some("/carts"),
        );
        let file = format!("/app/{}", place.file());
        let expected = [
            ("/carts", None),
            ("<sqlx>", None),
            ("/app/src/carts.rs", Some(7)),
            (&*file, Some(place.line())),
        ];
        assert_eq!(files(&frames), expected);
    }

    #[test]
    fn without_a_stack_there_are_a_route_and_a_place() {
        let frames = Project::default().frames(None, Some(&place()), Some("GET /"));
        assert_eq!(files(&frames).len(), 2);
        assert_eq!(frames[1].filename, place().file());
        assert!(Project::default().frames(None, None, None).is_empty());
    }

    #[test]
    fn functions_without_a_file_are_the_projects_by_their_crate() {
        let symbols =
            [symbol("shop_api::load", "", 0), symbol("other::load", "", 0), symbol("hidden", "", 0)];
        let frames = Project::new("/app").package("shop-api").frames_of(&symbols, None, None);
        assert_eq!(files(&frames), [("<unknown>", None), ("<other>", None), ("/app/<shop_api>", None)]);
    }

    #[test]
    fn a_long_stack_keeps_both_ends() {
        let symbols: Vec<_> = (1..=300).map(|line| symbol("shop::again", "src/a.rs", line)).collect();
        let frames = Project::new("/app").frames_of(&symbols, Some(&place()), Some("GET /"));
        assert_eq!(frames.len(), MOST);
        assert_eq!((frames[0].filename.as_str(), frames[1].lineno), ("/", Some(300)));
        assert_eq!(frames[99].lineno, Some(place().line()));
        assert_eq!(frames[98].lineno, Some(1));
    }

    #[test]
    fn lines_of_the_projects_own_code_are_shown_where_they_are_there() {
        let root = env!("CARGO_MANIFEST_DIR");
        let symbols = [
            symbol(
                "serde::de",
                "/r/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/serde-1.0.0/src/de.rs",
                1,
            ),
            symbol("shop::load", "src/lib.rs", 1),
        ];
        let frames = Project::new(root).frames_of(&symbols, None, None);
        assert!(frames[0].code.as_deref().is_some_and(|code| code.starts_with("//! ")), "{frames:?}");
        assert_eq!(frames[0].context.as_ref().map(|context| context.post.len()), Some(4));
        assert_eq!(frames[1].code, None);
        assert_eq!(Project::new(root).code(false).frames_of(&symbols, None, None)[0].code, None);
        let elsewhere = Project::new("/app").built_in(root).frames_of(&symbols, None, None);
        assert!(elsewhere[0].code.is_some(), "from where it was built");
    }

    #[test]
    fn the_stack_of_whoever_makes_the_layer_says_what_is_the_projects() {
        let (project, place) = (Project::new("/app"), place());
        project.learn_of(&[symbol("shop::main", &format!("{BUILT}/{}", place.file()), place.line())], &place);
        let symbols = [symbol("shop::load", "", 0), symbol("shop::load", "/build/shop/src/carts.rs", 3)];
        let frames = project.frames_of(&symbols, None, None);
        assert_eq!(files(&frames), [("/app/src/carts.rs", Some(3)), ("/app/<shop>", None)]);
    }

    #[test]
    fn a_dependency_does_not_say_where_the_workspace_was_built() {
        let project = Project::new("/app");
        let place = place();
        let vendored = format!("/build/vendor/x/{}", place.file());
        project.learn_folder(&[symbol("x", &vendored, place.line())], &place);
        project.learn_folder(&[symbol("x", "/build/xsrc/rollbar/project.rs", place.line())], &place);
        assert_eq!(project.learned.built.get(), None);
    }
}
