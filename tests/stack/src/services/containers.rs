//! The second source: both servers as containers, by testcontainers.
//!
//! testcontainers removes its containers when they are dropped, which a killed process or a static never does. So
//! the containers are left to the watchdog, which removes them by name with the `docker` command.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use testcontainers::bollard::models::PortBinding;
use testcontainers::core::client::docker_client_instance;
use testcontainers::core::error::ClientError;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt, TestcontainersError};
use tokio::time::timeout;

use super::answers::{self, Urls, block_on};
use super::watchdog::Watchdog;
use super::{LOG_TAIL_LINES, Services, ServicesError, last_lines, ports, postgres, rabbitmq, say};

const RABBITMQ_IMAGE: (&str, &str) = ("RABBITMQ_IMAGE", "rabbitmq:4.3-management");
const POSTGRES_IMAGE: (&str, &str) = ("POSTGRES_IMAGE", "postgres:18");

const ENGINE_DEADLINE: Duration = Duration::from_secs(5);
const PULL_DEADLINE: Duration = Duration::from_secs(600);
const ANSWER_DEADLINE: Duration = Duration::from_secs(90);

const AMQP_PORT: u16 = 5672;
const MANAGEMENT_PORT: u16 = 15672;
const POSTGRES_PORT: u16 = 5432;

type Request = ContainerRequest<GenericImage>;
type Container = ContainerAsync<GenericImage>;

pub(super) fn start() -> Result<Services, ServicesError> {
    block_on(async {
        same_engine_as_command().await?;
        // Dropped on the way out when anything fails from here on, and takes along what was already made.
        let watchdog = Watchdog::start().map_err(ServicesError::io("starting the watchdog shell"))?;
        let password = ports::password();
        let (rabbitmq, postgres) = tokio::try_join!(
            run(rabbitmq_request(&password), "rabbitmq", &watchdog),
            run(postgres_request(&password), "postgres", &watchdog),
        )?;
        let urls = urls(&rabbitmq, &postgres, &password).await.map_err(failed)?;
        let versions = wait(&urls, &rabbitmq, &postgres).await?;
        // They end with the watchdog, not here.
        std::mem::forget((rabbitmq, postgres));
        let mut services = Services::answering("containers with", urls, &versions);
        services.watchdog = Some(watchdog);
        Ok(services)
    })
}

/// The `docker` command is what clears up after us, so it must be there and speak to the same engine.
async fn same_engine_as_command() -> Result<(), ServicesError> {
    let ask = async {
        let engine = docker_client_instance().await.map_err(|error| error.to_string())?;
        engine.info().await.map_err(|error| error.to_string())
    };
    let answer = timeout(ENGINE_DEADLINE, ask)
        .await
        .unwrap_or_else(|_| Err("it accepts a connection and stays silent".to_owned()));
    let engine = answer.map_err(|reason| ServicesError::NoEngine { reason })?.id.unwrap_or_default();
    let output = Command::new("docker").args(["info", "--format", "{{.ID}}"]).output();
    let reason = match output {
        Ok(output) if String::from_utf8_lossy(&output.stdout).trim() == engine => return Ok(()),
        Ok(_) => "the `docker` command speaks to another one; set DOCKER_HOST to the one to use",
        Err(_) => "the `docker` command, which removes the containers afterwards, is not on the PATH",
    };
    Err(ServicesError::Containers { reason: reason.to_owned() })
}

fn rabbitmq_request(password: &str) -> Request {
    image(RABBITMQ_IMAGE)
        .with_env_var("RABBITMQ_DEFAULT_USER", rabbitmq::USER)
        .with_env_var("RABBITMQ_DEFAULT_PASS", password)
        // The node's name, and with it its data, hangs on the host's name.
        .with_hostname("rabbitmq")
        // Erlang walks through every file that it could have open, and some engines allow a billion.
        .with_ulimit("nofile", 16_384, Some(16_384))
        .with_copy_to("/etc/rabbitmq/conf.d/90-millrace.conf", rabbitmq::SETTINGS.as_bytes().to_vec())
        .with_copy_to("/etc/rabbitmq/advanced.config", rabbitmq::ADVANCED_SETTINGS.as_bytes().to_vec())
        .with_host_config_modifier(|host| publish(host, &[AMQP_PORT, MANAGEMENT_PORT]))
}

fn postgres_request(password: &str) -> Request {
    let settings = postgres::SETTINGS.iter().flat_map(|setting| ["-c", setting]);
    image(POSTGRES_IMAGE)
        .with_env_var("POSTGRES_USER", postgres::USER)
        .with_env_var("POSTGRES_PASSWORD", password)
        .with_env_var("POSTGRES_DB", postgres::DATABASE)
        .with_cmd(std::iter::once("postgres").chain(settings))
        .with_host_config_modifier(|host| publish(host, &[POSTGRES_PORT]))
}

/// On any free port; of loopback only, where the engine is on this machine and not reached from inside a container.
fn publish(host: &mut testcontainers::bollard::models::HostConfig, container_ports: &[u16]) {
    let far = std::env::var("DOCKER_HOST").is_ok_and(|host| !host.starts_with("unix:"))
        || Path::new("/.dockerenv").exists();
    let on_any_port = || PortBinding { host_ip: (!far).then(|| "127.0.0.1".to_owned()), host_port: None };
    host.publish_all_ports = Some(false);
    host.port_bindings =
        Some(container_ports.iter().map(|port| (format!("{port}/tcp"), Some(vec![on_any_port()]))).collect());
}

fn image((variable, default): (&str, &str)) -> GenericImage {
    let wanted = std::env::var(variable).ok().filter(|image| !image.is_empty());
    let (name, tag) = name_and_tag(wanted.as_deref().unwrap_or(default));
    GenericImage::new(name, tag)
}

/// `registry:5000/name:tag`: a colon before the last slash belongs to the registry's port.
pub(super) fn name_and_tag(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

async fn run(request: Request, name: &str, watchdog: &Watchdog) -> Result<Container, ServicesError> {
    let image = request.descriptor();
    let engine = docker_client_instance().await.map_err(|error| failed(error.into()))?;
    let request =
        if engine.inspect_image(&image).await.is_ok() { request } else { pull(request, &image).await? };
    let name = format!("millrace-{}-{name}", watchdog.mark().1);
    // On the list before it is made, so that there is no moment at which it could be forgotten.
    watchdog.remove_container(&name).map_err(ServicesError::io("writing to the watchdog"))?;
    request.with_container_name(name).start().await.map_err(failed)
}

async fn pull(request: Request, image: &str) -> Result<Request, ServicesError> {
    say(&format!("pulling {image}"));
    let no_image = |reason: String| ServicesError::NoImage { image: image.to_owned(), reason };
    match timeout(PULL_DEADLINE, request.pull_image()).await {
        Ok(Ok(request)) => Ok(request),
        Ok(Err(TestcontainersError::Client(ClientError::PullImage { err, .. }))) => {
            Err(no_image(err.to_string()))
        }
        Ok(Err(error)) => Err(no_image(error.to_string())),
        Err(_) => Err(no_image(format!("not done after {} s", PULL_DEADLINE.as_secs()))),
    }
}

async fn urls(
    rabbitmq: &Container,
    postgres: &Container,
    password: &str,
) -> Result<Urls, TestcontainersError> {
    let host = rabbitmq.get_host().await?;
    let (amqp, management) =
        (rabbitmq.get_host_port_ipv4(AMQP_PORT).await?, rabbitmq.get_host_port_ipv4(MANAGEMENT_PORT).await?);
    let database = postgres.get_host_port_ipv4(POSTGRES_PORT).await?;
    Ok(Urls {
        amqp: format!("amqp://{}:{password}@{host}:{amqp}/%2f", rabbitmq::USER),
        management: format!("http://{}:{password}@{host}:{management}", rabbitmq::USER),
        database: format!(
            "postgres://{}:{password}@{host}:{database}/{}?sslmode=disable",
            postgres::USER,
            postgres::DATABASE
        ),
    })
}

async fn wait(
    urls: &Urls,
    rabbitmq: &Container,
    postgres: &Container,
) -> Result<answers::Versions, ServicesError> {
    match answers::answer(urls, ANSWER_DEADLINE, || Ok(())).await {
        Err(ServicesError::Silent { server, reason, .. }) => {
            let container = if server == "PostgreSQL" { postgres } else { rabbitmq };
            let log = tail(container).await;
            Err(ServicesError::Containers {
                reason: format!("{server} in its container does not answer ({reason}); its log:\n{log}"),
            })
        }
        outcome => outcome,
    }
}

async fn tail(container: &Container) -> String {
    let read = |bytes: Result<Vec<u8>, TestcontainersError>| {
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    };
    let text = read(container.stdout_to_vec().await) + &read(container.stderr_to_vec().await);
    last_lines(&text, LOG_TAIL_LINES)
}

fn failed(error: TestcontainersError) -> ServicesError {
    ServicesError::Containers { reason: format!("containers cannot be run: {error}") }
}
