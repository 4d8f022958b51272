//! Stacks that are known as text alone: those of the standard library, which anyhow and eyre carry.

use super::{name::plain, path::slashed, stack::DEEPEST, symbol::Symbol};

/// The functions of a [`std::backtrace::Backtrace`], as it shows itself by `{}`, `{:#}`, or at the end of anyhow's `{:?}`.
///
/// Lines before the first that is numbered are passed over, and of what is in no such form nothing is made.
pub(super) fn symbols(text: &str) -> Vec<Symbol> {
    let mut symbols: Vec<Symbol> = Vec::new();
    let mut counted = 0;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(place) = line.strip_prefix("at ") {
            if let Some(symbol) = symbols.last_mut().filter(|symbol| symbol.file.is_none()) {
                locate(symbol, place);
            }
            continue;
        }
        let name = match numbered(line) {
            Some(name) => {
                counted += 1;
                name
            }
            // Functions that were inlined into the one that has the number.
            None if counted > 0 => line,
            None => continue,
        };
        if counted > DEEPEST || symbols.len() >= MOST {
            break;
        }
        symbols.push(Symbol { name: plain(name), ..Symbol::default() });
    }
    symbols.retain(|symbol| symbol.name != UNKNOWN);
    symbols
}

/// The name in `12: name` or `12: 0x55d0c9a3b0b4 - name`.
fn numbered(line: &str) -> Option<&str> {
    let (number, name) = line.split_once(':')?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) || name.starts_with(':') {
        return None;
    }
    let name = name.trim_start();
    let Some((address, after)) = name.split_once(" - ") else { return Some(name) };
    Some(if address.starts_with("0x") { after } else { name })
}

/// Reads `file`, `file:line` or `file:line:column`.
fn locate(symbol: &mut Symbol, place: &str) {
    let mut numbers = Vec::new();
    let mut file = place;
    while let Some((before, number)) = file.rsplit_once(':').filter(|_| numbers.len() < 2) {
        let Ok(number) = number.parse() else { break };
        numbers.push(number);
        file = before;
    }
    symbol.file = Some(slashed(file).trim_start_matches("./").to_owned());
    symbol.line = numbers.last().copied();
    symbol.column = (numbers.len() == 2).then(|| numbers[0]);
}

/// Functions, those that were inlined among them.
const MOST: usize = 1024;

const UNKNOWN: &str = "<unknown>";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_short_form_is_read() {
        let text = "   0: shop::load\n             at ./src/carts.rs:17:5\n   1: shop::main\n      shop::inlined\n             at C:\\shop\\src\\main.rs:3\n   2: <unknown>\n   3: _start\n";
        let symbols = symbols(text);
        let named = |name: &str, file: Option<&str>, line, column| Symbol {
            name: name.to_owned(),
            file: file.map(str::to_owned),
            line,
            column,
        };
        let expected = [
            named("shop::load", Some("src/carts.rs"), Some(17), Some(5)),
            named("shop::main", None, None, None),
            named("shop::inlined", Some("C:/shop/src/main.rs"), Some(3), None),
            named("_start", None, None, None),
        ];
        assert_eq!(symbols, expected);
    }

    #[test]
    fn the_long_form_is_read() {
        let text = "   0:     0x55d0c9a3b0b4 - std[e28293b1aa0f68bd]::rt::lang_start\n                               at /rustc/59/library/std/src/rt.rs:5:18\n";
        let symbols = symbols(text);
        assert_eq!(symbols[0].name, "std::rt::lang_start");
        assert_eq!(symbols[0].file.as_deref(), Some("/rustc/59/library/std/src/rt.rs"));
        assert_eq!((symbols[0].line, symbols[0].column), (Some(5), Some(18)));
    }

    #[test]
    fn what_an_error_says_before_its_stack_is_passed_over() {
        let text = "the disk is gone\n\nCaused by:\n    a spoon\n\nStack backtrace:\n   0: shop::load\n";
        assert_eq!(
            symbols(text).iter().map(|symbol| symbol.name.as_str()).collect::<Vec<_>>(),
            ["shop::load"]
        );
        assert!(symbols("disabled backtrace").is_empty());
    }

    #[test]
    fn a_stack_without_end_is_cut() {
        let text: String = (0..5_000).map(|at| format!("{at}: shop::again\n")).collect();
        assert_eq!(symbols(&text).len(), DEEPEST);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "([0-9:]{0,4}( at |0x1 - |\\PC{0,12})[0-9:\n]{0,4}){0,20}") {
            prop_assert!(symbols(&text).len() <= MOST);
        }
    }
}
