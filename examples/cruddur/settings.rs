use axum::http::{HeaderValue, Uri};

/// What the environment says about the backend itself.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) origins: Vec<HeaderValue>,
    /// Whether the local console gets the traces even if the environment names another place.
    pub(crate) both: bool,
    /// Whether any spans are sent. Where none are, a console would wait for ever.
    pub(crate) sends: bool,
}

// ===== impl Settings =====

impl Settings {
    pub(crate) fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let text =
            |name: &str| lookup(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        Ok(Self {
            host: text("HOST").unwrap_or_else(|| "127.0.0.1".to_owned()),
            port: text("PORT").map_or(Ok(4567), port)?,
            origins: ["FRONTEND_URL", "BACKEND_URL"]
                .into_iter()
                .filter_map(|name| origin(name, &text(name)?))
                .collect(),
            both: text("CONSOLE").map_or(Ok(false), both)?,
            sends: text("OTEL_TRACES_EXPORTER").is_none_or(|exporters| sends(&exporters))
                && !text("OTEL_SDK_DISABLED").is_some_and(|flag| flag.eq_ignore_ascii_case("true")),
        })
    }
}

fn port(text: String) -> Result<u16, String> {
    text.parse().map_err(|_| format!("PORT is {text:?}: give a number from 0 to 65535, such as 4567"))
}

fn both(text: String) -> Result<bool, String> {
    if text != "both" {
        return Err(format!("CONSOLE is {text:?}: set it to \"both\", or not at all"));
    }
    Ok(true)
}

/// Of a list of exporters; the others print, or do nothing.
fn sends(exporters: &str) -> bool {
    exporters.split(',').any(|exporter| exporter.trim().eq_ignore_ascii_case("otlp"))
}

/// An origin as browsers write it: scheme, host and port, nothing after.
fn origin(name: &str, text: &str) -> Option<HeaderValue> {
    let uri = text.parse::<Uri>().ok();
    let parts = uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?)));
    let origin =
        parts.and_then(|(scheme, authority)| HeaderValue::try_from(format!("{scheme}://{authority}")).ok());
    if origin.is_none() {
        tracing::warn!(
            "{name} is {text:?}, which is no origin such as http://localhost:3000: nobody is let in by it"
        );
    }
    origin
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Settings, String> {
        Settings::read(|name| vars.iter().find(|var| var.0 == name).map(|var| var.1.to_owned()))
    }

    #[test]
    fn nothing_set_is_this_machine_and_no_other_origin() {
        let Settings { host, port, origins, both, sends } = read(&[("PORT", " "), ("CONSOLE", "")]).unwrap();
        assert_eq!((&*host, port, origins.len(), both, sends), ("127.0.0.1", 4567, 0, false, true));
    }

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for (url, origins) in [
            ("http://localhost:3000", &["http://localhost:3000"][..]),
            ("https://cruddur.example/app/", &["https://cruddur.example"]),
            ("*", &[]),
            ("localhost:3000", &[]),
            ("None", &[]),
        ] {
            assert_eq!(read(&[("FRONTEND_URL", url)]).unwrap().origins, origins, "{url}");
        }
    }

    #[test]
    fn a_console_is_wanted_only_where_something_is_sent() {
        for (name, value, sends) in [
            ("OTEL_TRACES_EXPORTER", "none", false),
            ("OTEL_TRACES_EXPORTER", "console", false),
            ("OTEL_TRACES_EXPORTER", "console, OTLP", true),
            ("OTEL_SDK_DISABLED", "True", false),
            ("OTEL_SDK_DISABLED", "false", true),
        ] {
            assert_eq!(read(&[(name, value)]).unwrap().sends, sends, "{name}={value}");
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error_that_names_the_variable() {
        assert!(read(&[("PORT", "99999")]).unwrap_err().starts_with("PORT"));
        assert!(read(&[("CONSOLE", "off")]).unwrap_err().starts_with("CONSOLE"));
    }
}
