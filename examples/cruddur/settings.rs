use axum::http::{HeaderValue, Uri, uri::Authority};

use crate::{backend, bind::Bind};

/// What the environment says about the backend itself.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) bind: Bind,
    pub(crate) origins: Vec<HeaderValue>,
    /// Where the second service is, if it is not for us to start.
    pub(crate) timeline: Option<Authority>,
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
            bind: Bind::read(&lookup, backend::PORT)?,
            origins: ["FRONTEND_URL", "BACKEND_URL"]
                .into_iter()
                .filter_map(|name| origin(name, &text(name)?))
                .collect(),
            timeline: text("TIMELINE_URL").map(timeline).transpose()?,
            both: text("CONSOLE").map_or(Ok(false), both)?,
            sends: text("OTEL_TRACES_EXPORTER").is_none_or(|exporters| sends(&exporters))
                && !text("OTEL_SDK_DISABLED").is_some_and(|flag| flag.eq_ignore_ascii_case("true")),
        })
    }
}

/// The service has its paths from the root on, and no TLS: it is called within a private network.
fn timeline(text: String) -> Result<Authority, String> {
    let authority = text.parse().ok().and_then(|uri: Uri| {
        let is_base = uri.scheme_str() == Some("http") && uri.path() == "/" && uri.query().is_none();
        uri.authority().filter(|_| is_base).cloned()
    });
    authority.ok_or_else(|| {
        format!("TIMELINE_URL is {text:?}: give http://, a host and a port, such as http://timeline:4568")
    })
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
        let empty = [("PORT", " "), ("CONSOLE", ""), ("TIMELINE_URL", " ")];
        let Settings { bind: Bind { host, port }, origins, timeline, both, sends } = read(&empty).unwrap();
        assert_eq!((&*host, port, origins.len(), both, sends), ("127.0.0.1", 4567, 0, false, true));
        assert!(timeline.is_none());
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
    fn the_timeline_is_at_a_host_and_has_nothing_before_its_paths() {
        for (url, found) in [
            ("http://timeline:4568", Some("timeline:4568")),
            ("http://[::1]:4568/", Some("[::1]:4568")),
            ("http://timeline", Some("timeline")),
            ("https://timeline:4568", None),
            ("http://timeline:4568/api", None),
            ("http://timeline:4568/?a=b", None),
            ("timeline:4568", None),
            ("/timeline", None),
        ] {
            let timeline = read(&[("TIMELINE_URL", url)]).map(|settings| settings.timeline.unwrap());
            assert_eq!(timeline.as_ref().ok().map(Authority::as_str), found, "{url}");
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
        assert!(read(&[("TIMELINE_URL", "no")]).unwrap_err().starts_with("TIMELINE_URL"));
    }
}
