/// The environment, as it is looked up.
#[derive(Clone, Copy)]
pub(crate) struct Variables<'a>(pub(crate) &'a dyn Fn(&str) -> Option<String>);

// ===== impl Variables =====

impl Variables<'_> {
    /// A variable's text. Empty is not set.
    pub(crate) fn text(self, name: &str) -> Option<String> {
        let text = (self.0)(name)?.trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// Whether it is `true`, in any case.
    pub(crate) fn is_true(self, name: &str) -> bool {
        self.text(name).is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }
}
