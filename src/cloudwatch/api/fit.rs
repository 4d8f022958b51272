//! Events that are larger than CloudWatch takes.

/// Cuts the middle out of a text that is larger than `most` bytes, and puts what was cut in its place. The end stays,
/// because a JSON record has its trace there.
pub(super) fn fit(text: &mut String, most: usize) {
    let size = text.len();
    if size <= most {
        return;
    }
    let marker = |cut: usize| format!("[... {cut} of {size} bytes cut ...]");
    let room = most.saturating_sub(marker(size).len());
    let tail = text.ceil_char_boundary(size - TAIL.min(room / 2));
    let head = text.floor_char_boundary(room - (size - tail));
    text.replace_range(head..tail, &marker(tail - head));
}

/// The least that an event may be cut to.
pub(super) const LEAST: usize = 1024;

const TAIL: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_left_alone() {
        for size in [0, 1, LEAST] {
            let mut text = "x".repeat(size);
            fit(&mut text, LEAST);
            assert_eq!(text, "x".repeat(size));
        }
    }

    #[test]
    fn both_ends_stay_and_the_marker_says_what_it_was() {
        let mut text = format!("{{\"head\":{},\"xray_trace_id\":\"1-5-7\"}}", "x".repeat(50_000));
        let size = text.len();
        fit(&mut text, 10_000);
        assert!(text.len() <= 10_000 && text.len() > 9_990, "{}", text.len());
        assert!(text.starts_with("{\"head\":xxx") && text.ends_with("xx,\"xray_trace_id\":\"1-5-7\"}"));
        let marker = text.split("[... ").nth(1).unwrap().split(" ...]").next().unwrap();
        let cut: usize = marker.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(marker, format!("{cut} of {size} bytes cut"));
        assert_eq!(text.len() - "[... ".len() - marker.len() - " ...]".len(), size - cut);
    }

    #[test]
    fn no_character_is_cut_in_two() {
        for letter in ["\u{fc}", "\u{20ac}", "\u{1f980}"] {
            for offset in 0..5 {
                let mut text = "x".repeat(offset) + &letter.repeat(2000);
                fit(&mut text, LEAST);
                assert!(text.len() <= LEAST && text.len() > LEAST - 16, "{letter} {offset}");
                assert!(text.contains(" bytes cut ...]"), "{text}");
            }
        }
    }
}
