//! The example as containers: what its files say, against what the program reads and does.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use belvedere::{
    Setup,
    outbox::Outbox,
    xray::{
        DaemonAddress, Sampler,
        sampler::{DaemonProxy, Request, SamplingRule},
    },
};
use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::PropertySyntax;
use tokio::{runtime::Handle, task::yield_now, time::advance};

use super::{Backend, Console, PATIENCE, Span, command, console, support::sink::Sink};

/// What is used of a compose file here.
#[derive(Debug, Deserialize)]
struct Compose {
    /// The variables that the course's app reads, and this one does not.
    #[serde(rename = "x-course")]
    course: BTreeSet<String>,
    services: BTreeMap<String, Service>,
}

#[derive(Debug, Deserialize)]
struct Service {
    build: Option<Build>,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    volumes: Vec<String>,
    #[serde(default)]
    depends_on: Vec<String>,
    environment: BTreeMap<String, String>,
    #[serde(default)]
    ports: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Build {
    context: PathBuf,
    dockerfile: PathBuf,
}

/// The instructions of a Dockerfile: each with what comes after it.
struct Dockerfile(Vec<(String, String)>);

// ===== the compose file =====

#[test]
fn each_variable_is_read_by_the_program_or_is_the_course_s_own() {
    let Compose { course, services } = Compose::read(&[]);
    let read: BTreeSet<_> = names_in_code().into_iter().chain(names_looked_up()).collect();
    let mut said = BTreeSet::new();
    for (name, service) in services.iter().filter(|(_, service)| service.build.is_some()) {
        for variable in service.environment.keys() {
            assert!(read.contains(variable) != course.contains(variable), "{variable} of {name}");
            said.insert(variable.clone());
        }
    }
    assert!(course.is_subset(&said), "what the course reads is said: {course:?}");
    for variable in [
        "FRONTEND_URL",
        "BACKEND_URL",
        "OTEL_SERVICE_NAME",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "AWS_XRAY_URL",
        "AWS_XRAY_DAEMON_ADDRESS",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "ROLLBAR_ACCESS_TOKEN",
        "CLOUDWATCH_LOG_GROUP",
    ] {
        assert!(said.contains(variable), "the course says {variable}");
    }
}

#[test]
fn each_service_has_a_name_of_its_own_whatever_the_host_is_called() {
    let elsewhere = [
        ("BACKEND_URL", "https://api.example"),
        ("FRONTEND_URL", "https://example"),
        ("GITPOD_WORKSPACE_ID", "id"),
        ("GITPOD_WORKSPACE_CLUSTER_HOST", "host"),
    ];
    for vars in [&[][..], &elsewhere] {
        let compose = Compose::read(vars);
        for name in ["backend-flask", "timeline"] {
            let environment = &compose.services[name].environment;
            assert_eq!(environment["AWS_XRAY_TRACING_NAME"], name);
            assert_eq!(environment["OTEL_SERVICE_NAME"], name);
        }
    }
}

#[test]
fn the_ports_are_those_that_are_listened_on() {
    let Compose { services, .. } = Compose::read(&[]);
    let (backend, timeline, daemon) =
        (&services["backend-flask"], &services["timeline"], &services["xray-daemon"]);
    let port = |service: &Service| service.environment["PORT"].clone();
    assert_eq!((port(backend), port(timeline)), ("4567".to_owned(), "4568".to_owned()));
    assert_eq!(backend.environment["TIMELINE_URL"], "http://timeline:4568");
    assert_eq!(backend.ports, ["127.0.0.1:4567:4567"]);
    assert_eq!(timeline.ports, [""; 0], "nobody calls it but the backend");
    assert_eq!(backend.environment["BACKEND_URL"], "http://localhost:4567");
    let exposed = [format!("{} {}", port(backend), port(timeline))];
    assert_eq!(Dockerfile::read("Dockerfile.dev").all("EXPOSE"), exposed);

    for service in [backend, timeline] {
        assert_eq!(service.environment["HOST"], "0.0.0.0", "other containers reach it");
        let address: DaemonAddress = service.environment["AWS_XRAY_DAEMON_ADDRESS"].parse().unwrap();
        assert_eq!((&*address.udp(), &*address.tcp()), ("xray-daemon:2000", "xray-daemon:2000"));
        assert!(service.depends_on.iter().all(|other| services.contains_key(other)), "{service:?}");
    }
    assert_eq!(daemon.ports, ["127.0.0.1:2000:2000/udp", "127.0.0.1:2000:2000/tcp"]);
}

#[test]
fn what_is_built_for_development_is_where_the_image_expects_it() {
    let Compose { services, .. } = Compose::read(&[]);
    let dockerfile = Dockerfile::read("Dockerfile.dev");
    let built: Vec<_> =
        services.values().filter_map(|service| Some((service, service.build.as_ref()?))).collect();
    assert_eq!(built.len(), 2);
    for (service, Build { context, dockerfile: file }) in built {
        let root = example().join(context).canonicalize().unwrap();
        assert_eq!(root, manifest().canonicalize().unwrap());
        assert_eq!(root.join(file), example().canonicalize().unwrap().join("Dockerfile.dev"));
        let mounted: Vec<_> =
            service.volumes.iter().map(|volume| volume.split(':').nth(1).unwrap()).collect();
        let [workdir] = &*dockerfile.all("WORKDIR") else { panic!("one place to work in") };
        let [target] = &*dockerfile.all("ENV") else { panic!("one variable") };
        assert_eq!(mounted[0], workdir);
        assert!(service.volumes[0].ends_with(":ro"), "nothing is written beside the source");
        assert_eq!(format!("CARGO_TARGET_DIR={}", mounted[2]), *target);
        assert_eq!(mounted[1], "/usr/local/cargo/registry", "$CARGO_HOME of the image");
    }
    let args = dockerfile.exec("ENTRYPOINT");
    let (cargo, rest) = args.split_at(2);
    assert_eq!(cargo, ["cargo", "run"]);
    assert_eq!(rest.last().map(String::as_str), Some("--"), "what follows is the program's");
    assert!(builds_the_example(&rest.join(" ")), "{rest:?}");
    assert_ne!(dockerfile.all("USER"), [""; 0], "not root");
}

/// But for the addresses of the other containers, which are not here, and for ports that may be taken.
#[tokio::test]
async fn both_services_run_with_the_variables_of_the_compose_file() {
    let place = console();
    let Compose { services, .. } = Compose::read(&[("HONEYCOMB_API_KEY", "key")]);
    let run = async |name: &str, words: &str, timeline: &str| {
        let service = &services[name];
        let vars: Vec<(&str, String)> = service
            .environment
            .iter()
            .map(|(name, value)| match &**name {
                "PORT" => (&**name, "0".to_owned()),
                "TIMELINE_URL" => (&**name, timeline.to_owned()),
                "AWS_XRAY_DAEMON_ADDRESS" => (&**name, place.xray_daemon().unwrap().to_owned()),
                "OTEL_EXPORTER_OTLP_ENDPOINT" => (&**name, place.otlp_endpoint()),
                "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => (&**name, "made-up".to_owned()),
                _ => (&**name, value.clone()),
            })
            .chain([("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", place.cloudwatch_endpoint())])
            .collect();
        let vars: Vec<_> = vars.iter().map(|(name, value)| (*name, &**value)).collect();
        let args: Vec<_> = service.command.iter().map(String::as_str).collect();
        Backend::of_service(words, command(&vars, &args)).await
    };
    let timeline = run("timeline", "Listening on ", "").await;
    let backend = run("backend-flask", "Open ", &timeline.url).await;

    let origin = [("origin", "http://localhost:3000")];
    let answer = backend.send("GET", "/api/activities/home", &origin, "").await;
    assert_eq!(answer.header("access-control-allow-origin"), "http://localhost:3000");
    let (trace, console) = (answer.trace_id(), Console(place.url()));
    let here = console.segment(&trace, "backend-flask").await;
    let there = console.segment(&trace, "timeline").await;
    assert_eq!(there["parent_id"], here["subsegments"][0]["subsegments"][0]["id"]);
    let spans = console.spans(&trace, 5).await;
    assert_eq!(Span::find(&spans, "GET /api/activities/home").service, "backend-flask");
    assert_eq!(Span::find(&spans, "rank").service, "timeline");
    console.lines(&trace, "GET http /api/activities/home? 200 OK").await;
    console.lines(&trace, "POST http /timelines/home? 200 OK").await;
    assert_eq!(backend.console_url().await, "", "the environment says where everything goes");
}

// ===== the images =====

#[test]
fn both_images_have_the_rust_that_the_manifest_names() {
    let manifest = fs::read_to_string(manifest().join("Cargo.toml")).unwrap();
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    let wanted = format!("rust:{}-slim-", version.trim_matches('"'));
    for name in ["Dockerfile.dev", "Dockerfile.prod"] {
        let from = &Dockerfile::read(name).all("FROM")[0];
        assert!(from.starts_with(&wanted), "{name}: {from}");
    }
}

#[test]
fn the_image_for_production_has_the_program_and_nothing_to_build_it_with() {
    let [build, run] = &*Dockerfile::read("Dockerfile.prod").stages() else { panic!("two stages") };
    let [built] = &*build.all("RUN") else { panic!("one command") };
    let (cargo, copied) = built.split_once(" && cp ").unwrap();
    let (_, args) = cargo.split_once(" cargo build ").unwrap();
    assert!(builds_the_example(args) && args.contains("--release"), "{args}");
    assert_eq!(copied, "target/release/examples/cruddur /cruddur");

    assert_eq!(run.all("RUN"), [""; 0]);
    assert_eq!(run.all("COPY"), ["--from=build /cruddur /cruddur"]);
    assert_eq!(run.exec("ENTRYPOINT"), ["/cruddur"]);
    assert_eq!(run.all("USER"), ["nonroot"]);
    assert!(run.all("FROM")[0].ends_with(":nonroot"), "the user is there");
    assert_eq!(run.all("ENV"), ["HOST=0.0.0.0 PORT=4567"]);
    assert_eq!(run.all("EXPOSE"), ["4567"]);
}

#[tokio::test]
async fn the_image_for_production_asks_the_program_itself_whether_it_is_healthy() {
    let [_, run] = &*Dockerfile::read("Dockerfile.prod").stages() else { panic!("two stages") };
    let [check] = &*run.all("HEALTHCHECK") else { panic!("one check") };
    let (_, asked) = check.split_once("CMD ").unwrap();
    let asked: Vec<String> = serde_json::from_str(asked).unwrap();
    assert_eq!(asked[0], "/cruddur");
    let args: Vec<_> = asked[1..].iter().map(String::as_str).collect();

    let backend = Backend::with(&[("HOST", "0.0.0.0")], &[]).await;
    let port = backend.url.trim_end_matches('/').rsplit(':').next().unwrap();
    let mut check = command(&[("HOST", "0.0.0.0"), ("PORT", port)], &args);
    assert!(check.status().await.unwrap().success());
}

/// Without any of the files that cargo wants to see, it would not even read the manifest.
#[test]
fn what_docker_is_sent_is_enough_for_cargo() {
    let ignored = fs::read_to_string(example().join("Dockerfile.prod.dockerignore")).unwrap();
    let lines = ignored.lines().filter(|line| !line.starts_with('#'));
    let (all, sent): (Vec<_>, Vec<_>) = lines.partition(|line| !line.starts_with('!'));
    assert_eq!(all, ["*"]);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("context-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for name in sent {
        let name = name.trim_start_matches('!');
        copy(&manifest().join(name), &folder.join(name));
    }
    let is_there = ["src/lib.rs", "examples/cruddur/main.rs"].iter().all(|name| folder.join(name).exists());
    // An example that is not there is refused after all targets were looked for, and before anything is built.
    let mut cargo = std::process::Command::new(env!("CARGO"));
    let output =
        cargo.current_dir(&folder).args(["check", "--locked", "--offline", "--example=missing"]).output();
    fs::remove_dir_all(&folder).unwrap();
    assert!(is_there);
    // Where there is no cargo, the tests were built elsewhere.
    let Ok(output) = output else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("`missing`"), "{said}");
}

// ===== the sampling rule =====

#[test]
fn the_sampling_rule_is_what_create_sampling_rule_takes() {
    let input = sampling_rule_input();
    let [(name, rule)] = &*input.as_object().unwrap().iter().collect::<Vec<_>>() else { panic!("{input}") };
    assert_eq!(*name, "SamplingRule");
    // https://docs.aws.amazon.com/xray/latest/api/API_SamplingRule.html: those that are required, and the name.
    let wanted = json!({
        "RuleName": "Cruddur", "ResourceARN": "*", "Priority": 9000, "FixedRate": 0.1, "ReservoirSize": 5,
        "ServiceName": "backend-flask", "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*",
        "Version": 1,
    });
    assert_eq!(**rule, wanted);
    let rule: SamplingRule = serde_json::from_value((*rule).clone()).unwrap();
    let backend = &Compose::read(&[]).services["backend-flask"];
    assert_eq!(rule.service_name.as_deref(), Some(&*backend.environment["AWS_XRAY_TRACING_NAME"]));
}

#[tokio::test(start_paused = true)]
async fn the_sampling_rule_decides_as_it_says() {
    let mut rest = sampling_rule_input()["SamplingRule"].clone();
    for (key, value) in
        [("RuleName", json!("Default")), ("Priority", json!(10_000)), ("ServiceName", json!("*"))]
    {
        rest[key] = value;
    }
    (rest["FixedRate"], rest["ReservoirSize"]) = (json!(0), json!(0));
    let proxy = Sink::start();
    let records = json!([sampling_rule_input(), {"SamplingRule": rest}]);
    proxy.answer(200, &[], json!({"SamplingRuleRecords": records}).to_string());
    let target =
        json!({"RuleName": "Cruddur", "FixedRate": 0.1, "ReservoirQuota": 5, "ReservoirQuotaTTL": 4e9});
    proxy.answer(200, &[], json!({"SamplingTargetDocuments": [target]}).to_string());

    fastrand::seed(1);
    let outbox = Outbox::builder().runtime(Handle::current()).start().unwrap();
    let address = proxy.base().trim_start_matches("http://").parse().unwrap();
    let sampler = Sampler::central(DaemonProxy::new(&address).unwrap(), Sampler::none(), &outbox);
    let ask = |service| {
        let sampling = sampler.sample(&Request::default().service(service).method("GET").path("/"));
        (sampling.sampled, sampling.rule.map(|rule| rule.to_string()))
    };
    let of = |many| (0..many).filter(|_| ask("backend-flask").0).count();

    assert_eq!(ask("timeline"), (false, None), "there are no rules yet");
    until(|| ask("timeline").1.is_some()).await;
    assert_eq!(ask("timeline"), (false, Some("Default".to_owned())), "the rule is for the backend alone");
    for _ in 0..8 {
        assert_eq!(ask("backend-flask"), (true, Some("Cruddur".to_owned())), "one in a second is borrowed");
        advance(Duration::from_secs(1)).await;
    }
    let sampled = of(10_000);
    assert!((900..1100).contains(&sampled), "then it is a tenth: {sampled}");

    advance(Duration::from_secs(3)).await;
    until(|| proxy.received().len() == 2).await;
    until(|| of(5) == 5).await;
    for _ in 0..3 {
        advance(Duration::from_secs(1)).await;
        assert_eq!(of(5), 5, "the reservoir is five in a second");
        let sampled = of(10_000);
        assert!((900..1100).contains(&sampled), "then it is a tenth: {sampled}");
    }
}

// ===== impl Compose =====

impl Compose {
    /// As compose reads it where these variables are set.
    fn read(vars: &[(&str, &str)]) -> Self {
        let text = fs::read_to_string(example().join("compose.yaml")).unwrap();
        let vars: HashMap<_, _> =
            vars.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let options = serde_saphyr::options! { property_syntax: PropertySyntax::DockerCompose };
        serde_saphyr::from_str_with_options(&text, options.with_properties(vars)).unwrap()
    }
}

// ===== impl Dockerfile =====

impl Dockerfile {
    fn read(name: &str) -> Self {
        let text = fs::read_to_string(example().join(name)).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
        let whole = lines.replace("\\\n", " ");
        let instruction = |line: &str| {
            let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
            let (name, rest) = words.split_once(' ')?;
            Some((name.to_owned(), rest.to_owned()))
        };
        Self(whole.lines().filter_map(instruction).collect())
    }

    fn stages(&self) -> Vec<Self> {
        let mut stages: Vec<Self> = Vec::new();
        for instruction in &self.0 {
            if instruction.0 == "FROM" {
                stages.push(Self(Vec::new()));
            }
            stages.last_mut().expect("FROM comes first").0.push(instruction.clone());
        }
        stages
    }

    fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|instruction| instruction.0 == name).map(|(_, rest)| rest.clone()).collect()
    }

    /// The words of an instruction that is given without a shell, which would keep signals to itself.
    fn exec(&self, name: &str) -> Vec<String> {
        let [words] = &*self.all(name) else { panic!("one {name}") };
        serde_json::from_str(words).unwrap()
    }
}

fn builds_the_example(args: &str) -> bool {
    ["--locked", "--example cruddur", "--features full,console"].iter().all(|wanted| args.contains(wanted))
}

fn sampling_rule_input() -> Value {
    serde_json::from_slice(&fs::read(example().join("aws/json/xray.json")).unwrap()).unwrap()
}

/// All texts in the code of the crate and of the example that may be the name of a variable; not those in tests.
fn names_in_code() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in sources(&manifest().join("src")).into_iter().chain(sources(&example())) {
        let text = fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        names.extend(code.split('"').filter(|text| is_name(text)).map(str::to_owned));
    }
    names
}

/// What the layers look up: names that are put together are in no text.
fn names_looked_up() -> BTreeSet<String> {
    let names = Arc::new(Mutex::new(BTreeSet::new()));
    let looked_up = names.clone();
    let setup = Setup::lookup(move |name| {
        looked_up.lock().unwrap().insert(name.to_owned());
        (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| "http://127.0.0.1:9".to_owned())
    });
    drop(setup.global(false).xray(true).start().unwrap());
    Arc::into_inner(names).unwrap().into_inner().unwrap()
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

/// What comes over a socket comes by the real clock.
async fn until(is_so: impl Fn() -> bool) {
    #[allow(clippy::disallowed_types, reason = "tokio's stands still")]
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "it should have come");
        yield_now().await;
    }
}

fn example() -> PathBuf {
    manifest().join("examples/cruddur")
}

fn manifest() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
