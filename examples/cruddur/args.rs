use belvedere::xray::DaemonAddress;

use crate::telemetry::Also;

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Args {
    /// The backend, with so many requests of its own in a second.
    Backend {
        traffic: u32,
    },
    /// The second service, by itself.
    Timeline,
    /// The second service, for the backend that starts it.
    TimelineChild {
        also: Also,
    },
    /// Whether the service that has the same variables is there.
    Healthy,
    Help,
}

// ===== impl Args =====

impl Args {
    pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut args = args.into_iter();
        let mut parsed = Self::Backend { traffic: 0 };
        while let Some(arg) = args.next() {
            parsed = match (&*arg, parsed) {
                ("-h" | "--help", _) => return Ok(Self::Help),
                ("timeline", Self::Backend { traffic: 0 }) => Self::Timeline,
                ("healthy", Self::Backend { traffic: 0 }) => Self::Healthy,
                ("--traffic", Self::Backend { .. }) => Self::Backend { traffic: rate(args.next())? },
                ("--child", Self::Timeline) => Self::TimelineChild { also: Also::default() },
                ("--otlp", Self::TimelineChild { also }) => {
                    Self::TimelineChild { also: Also { otlp: args.next(), ..also } }
                }
                ("--xray-daemon", Self::TimelineChild { also }) => {
                    Self::TimelineChild { also: Also { xray_daemon: Some(daemon(args.next())?), ..also } }
                }
                ("--rollbar", Self::TimelineChild { also }) => {
                    Self::TimelineChild { also: Also { rollbar: args.next(), ..also } }
                }
                ("--cloudwatch", Self::TimelineChild { also }) => {
                    Self::TimelineChild { also: Also { cloudwatch: args.next(), ..also } }
                }
                _ => return Err(format!("{arg:?} means nothing here\n\n{HELP}")),
            };
        }
        Ok(parsed)
    }
}

fn daemon(text: Option<String>) -> Result<DaemonAddress, String> {
    text.unwrap_or_default().parse().map_err(|error: belvedere::Error| error.to_string())
}

fn rate(text: Option<String>) -> Result<u32, String> {
    let rate = text.as_deref().and_then(|text| text.parse().ok());
    rate.filter(|rate| *rate <= FASTEST)
        .ok_or_else(|| format!("--traffic wants a number of requests in a second, at most {FASTEST}"))
}

const FASTEST: u32 = 200;

pub(crate) const HELP: &str = "\
usage: cruddur [--traffic N]
       cruddur timeline
       cruddur healthy

  --traffic N   make N requests in a second (at most 200), slow and failing ones among them
  timeline      be the second service alone; TIMELINE_URL tells the backend where it is
  healthy       tell whether the service that has the same HOST and PORT takes connections

variables: HOST PORT FRONTEND_URL BACKEND_URL TIMELINE_URL CONSOLE=both HONEYCOMB_API_KEY OTEL_* AWS_* ROLLBAR_*
           CLOUDWATCH_*
";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_may_be_said() {
        assert_eq!(parse(""), Ok(Args::Backend { traffic: 0 }));
        assert_eq!(parse("--traffic 5"), Ok(Args::Backend { traffic: 5 }));
        assert_eq!(parse("timeline"), Ok(Args::Timeline));
        assert_eq!(parse("timeline --child"), Ok(Args::TimelineChild { also: Also::default() }));
        let daemon = "127.0.0.1:2001".parse().unwrap();
        let also = Also {
            otlp: Some("x".to_owned()),
            xray_daemon: Some(daemon),
            rollbar: Some("y".to_owned()),
            cloudwatch: Some("z".to_owned()),
        };
        let line = format!("timeline --child {}", also.args().join(" "));
        assert_eq!(line, "timeline --child --otlp x --xray-daemon 127.0.0.1:2001 --rollbar y --cloudwatch z");
        assert_eq!(parse(&line), Ok(Args::TimelineChild { also }));
        assert_eq!(parse("healthy"), Ok(Args::Healthy));
        assert_eq!(parse("--traffic 5 --help"), Ok(Args::Help));
    }

    #[test]
    fn what_may_not_be_said() {
        for line in [
            "--traffic",
            "--traffic many",
            "--traffic 201",
            "--child",
            "--otlp x",
            "timeline --otlp x",
            "timeline --child --xray-daemon",
            "timeline --child --xray-daemon x",
            "timeline --traffic 1",
            "--traffic 1 timeline",
            "timeline healthy",
            "x",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
