//! Where a failure happened: stacks, places, and the hook that sees panics.
#![cfg(feature = "rollbar")]

use std::{
    backtrace::Backtrace,
    env,
    panic::{self, AssertUnwindSafe, catch_unwind},
    process::{Command, Output},
    sync::{
        Mutex, Once,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use belvedere::rollbar::{Frame, Panic, PanicHook, Place, Project, Stack};

static SEEN: Mutex<Vec<Panic>> = Mutex::new(Vec::new());

static BEFORE: AtomicUsize = AtomicUsize::new(0);

fn sink(panic: Panic) {
    if env::var_os(CHILD).is_some() {
        eprintln!("seen: {} (fatal: {})", panic.message, panic.is_fatal);
        return;
    }
    SEEN.lock().unwrap().push(panic);
}

/// Installs the hook, after one that counts.
fn hooked() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|_| {
            BEFORE.fetch_add(1, Ordering::Relaxed);
        }));
        assert!(PanicHook::install(sink));
    });
}

/// The panics that said this.
fn seen(message: &str) -> Vec<Panic> {
    let mut all = SEEN.lock().unwrap();
    all.extract_if(.., |panic| panic.message == message).collect()
}

fn project() -> Project {
    Project::new("/app")
}

fn methods(frames: &[Frame]) -> Vec<&str> {
    frames.iter().filter_map(|frame| frame.method.as_deref()).collect()
}

#[track_caller]
#[inline(never)]
fn here() -> (Stack, Place) {
    (Stack::capture(), Place::here())
}

#[inline(never)]
fn outer<T>(inner: impl FnOnce() -> T) -> T {
    let given = inner();
    std::hint::black_box(());
    given
}

#[test]
fn frames_lead_from_the_route_to_the_place_without_machinery() {
    let (stack, place) = outer(|| Some(()).map(|()| here())).unwrap();
    let frames = project().frames(Some(&stack), Some(&place), Some("GET /carts/{id}"));
    let methods = methods(&frames);
    assert_eq!(methods[0], "GET /carts/{id}");
    let machinery = |method: &&str| method.starts_with("core::") || method.contains("Stack::capture");
    assert!(!methods.iter().any(machinery), "{methods:#?}");
    assert!(methods.iter().any(|method| method.ends_with("outer")), "{methods:#?}");
    let at: Vec<_> = frames.iter().filter(|frame| frame.lineno == Some(place.line())).collect();
    assert!(!at.is_empty() && at.iter().all(|frame| frame.filename == "/app/tests/rollbar_frames.rs"));
    assert!(frames.iter().all(|frame| frame.method.is_some()), "the place is told once: {frames:#?}");
}

#[test]
fn the_lines_around_it_are_there_where_the_sources_are() {
    let (stack, place) = here();
    let frames = project().frames(Some(&stack), Some(&place), None);
    let frame = frames.iter().find(|frame| frame.lineno == Some(place.line())).unwrap();
    assert_eq!(frame.code.as_deref(), Some("    let (stack, place) = here();"));
    assert_eq!(frame.context.as_ref().unwrap().pre.len(), 4);
}

#[test]
fn names_stay_the_same_from_build_to_build() {
    let (stack, _) = outer(here);
    for frame in project().frames(Some(&stack), None, None) {
        let method = frame.method.unwrap();
        assert!(!method.contains("::h0") && !method.contains('#') && !method.contains("::<"), "{method}");
        assert!(
            !frame.filename.contains("/rustc/") && !frame.filename.contains("/registry/"),
            "{}",
            frame.filename
        );
    }
}

#[test]
fn a_backtrace_of_the_standard_library_gives_the_same_functions() {
    let (ours, theirs) = outer(|| (Stack::capture(), Backtrace::force_capture()));
    let text = Stack::shown(&theirs);
    let last = |stack: &Stack| {
        let frames = project().frames(Some(stack), None, None);
        frames.iter().rev().take(2).map(|frame| (frame.method.clone(), frame.lineno)).collect::<Vec<_>>()
    };
    assert_eq!(last(&text), last(&ours));
    assert_eq!(last(&Stack::from(theirs)), last(&ours));
}

#[test]
fn capturing_allocates_once() {
    drop(Stack::capture());
    let cost = allocation_counter::measure(|| drop(Stack::capture()));
    assert!(cost.count_total <= 1, "{cost:?}");
    assert!(cost.bytes_max <= 1024, "{cost:?}");
}

#[test]
fn a_panic_is_seen_where_it_happens_even_if_it_is_caught_and_the_old_hook_runs() {
    hooked();
    let before = BEFORE.load(Ordering::Relaxed);
    let line = line!() + 1;
    let caught = outer(|| catch_unwind(|| panic!("gone: {}", 17)));
    assert!(caught.is_err());
    let [panic] = <[_; 1]>::try_from(seen("gone: 17")).unwrap();
    assert!(BEFORE.load(Ordering::Relaxed) > before);
    assert_eq!(panic.place.as_ref().unwrap().line(), line);
    assert!(panic.thread.is_some_and(|name| name.contains("a_panic_is_seen")));
    assert!(!panic.is_fatal);
    let frames = project().frames(Some(&panic.stack), panic.place.as_ref(), None);
    let last = frames.last().unwrap();
    assert_eq!((last.filename.as_str(), last.lineno), ("/app/tests/rollbar_frames.rs", Some(line)));
    assert!(methods(&frames).iter().any(|method| method.ends_with("outer")), "{frames:#?}");
}

#[test]
fn a_panic_inside_the_standard_library_is_told_by_its_caller() {
    hooked();
    let line = line!() + 1;
    assert!(catch_unwind(|| std::hint::black_box(None::<u8>).expect("a cart")).is_err());
    let [panic] = <[_; 1]>::try_from(seen("a cart")).unwrap();
    let frames = project().frames(Some(&panic.stack), panic.place.as_ref(), None);
    assert_eq!(frames.last().unwrap().lineno, Some(line));
    assert!(!methods(&frames).iter().any(|method| method.starts_with("core::")), "{frames:#?}");
}

#[test]
fn payloads_that_are_no_text_and_long_ones_are_told() {
    hooked();
    assert!(catch_unwind(|| panic::panic_any(17)).is_err());
    assert_eq!(seen("").len(), 1);
    assert!(catch_unwind(|| panic!("{}", "é".repeat(5_000))).is_err());
    assert_eq!(seen(&"é".repeat(2_048)).len(), 1);
}

#[test]
fn a_panic_while_another_unwinds_is_told_with_the_code_of_both() {
    struct Guard;

    impl Drop for Guard {
        fn drop(&mut self) {
            let _ = catch_unwind(|| panic!("the second"));
        }
    }

    #[inline(never)]
    fn first() {
        let _guard = Guard;
        panic!("the first");
    }

    hooked();
    assert!(catch_unwind(first).is_err());
    assert_eq!(seen("the first").len(), 1);
    let [second] = <[_; 1]>::try_from(seen("the second")).unwrap();
    let frames = project().frames(Some(&second.stack), second.place.as_ref(), None);
    let methods = methods(&frames);
    assert!(methods.iter().any(|method| method.ends_with("first")), "{methods:#?}");
    assert!(methods.iter().any(|method| method.contains("Guard as")), "{methods:#?}");
}

#[test]
fn panics_of_many_threads_at_once_are_all_seen_while_stacks_are_named() {
    hooked();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert!(catch_unwind(|| panic!("one of many")).is_err());
                }
            });
        }
        for _ in 0..20 {
            project().frames(Some(&Stack::capture()), None, None);
        }
    });
    let seen = seen("one of many");
    assert_eq!(seen.len(), 200);
    for panic in seen.iter().step_by(20) {
        let frames = project().frames(Some(&panic.stack), panic.place.as_ref(), None);
        assert!(frames.iter().any(|frame| frame.lineno == panic.place.as_ref().map(Place::line)));
    }
}

#[test]
fn the_hook_is_installed_once_and_not_while_unwinding() {
    struct Late<'a>(&'a mut Option<bool>);

    impl Drop for Late<'_> {
        fn drop(&mut self) {
            *self.0 = Some(PanicHook::install(sink));
        }
    }

    hooked();
    assert!(!PanicHook::install(sink));
    let mut installed = None;
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _late = Late(&mut installed);
        panic!("unwinds");
    }));
    assert!(unwound.is_err());
    assert_eq!(installed, Some(false));
}

/// What a test of this program says that runs by itself, and may end as it likes.
fn alone(test: &str) -> Output {
    let program = env::current_exe().unwrap();
    let words = ["--exact", test, "--nocapture", "--test-threads=1"];
    Command::new(program).args(words).env(CHILD, "1").env("RUST_LIB_BACKTRACE", "1").output().unwrap()
}

#[test]
fn a_panic_that_aborts_is_told_as_fatal_and_the_hook_survives() {
    let output = alone("child_panics_while_unwinding");
    let said = String::from_utf8(output.stderr).unwrap();
    for message in ["the first (fatal: false)", "the second (fatal: false)", "cleanup (fatal: true)"] {
        assert!(said.contains(message), "{said}");
    }
    assert!(!said.contains("while processing panic"), "{said}");
    assert!(!output.status.success());
}

/// Does nothing unless another test runs it, as a process of its own.
#[test]
fn child_panics_while_unwinding() {
    struct Guard;

    impl Drop for Guard {
        fn drop(&mut self) {
            panic!("the second");
        }
    }

    if env::var_os(CHILD).is_none() {
        return;
    }
    assert!(PanicHook::install(sink));
    let _guard = Guard;
    panic!("the first");
}

#[test]
fn the_backtrace_that_an_error_of_anyhow_carries_is_read() {
    let output = alone("child_has_an_error_with_a_backtrace");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("read: "),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("fails"), "{said}");
}

/// Does nothing unless another test runs it, as a process of its own.
#[test]
fn child_has_an_error_with_a_backtrace() {
    #[inline(never)]
    fn fails() -> anyhow::Result<()> {
        anyhow::bail!("no cart")
    }

    if env::var_os(CHILD).is_none() {
        return;
    }
    let error = outer(fails).unwrap_err();
    let shown = project().frames(Some(&Stack::shown(error.backtrace())), None, None);
    let debugged = project().frames(Some(&Stack::shown(format_args!("{error:?}"))), None, None);
    assert_eq!(shown, debugged);
    println!("read: {:?}", methods(&shown).last());
}

const CHILD: &str = "BELVEDERE_TEST_CHILD";
