//! A scripted AWS on loopback for tests: says what the script says, and remembers what it was asked.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::{Aws, Settings, SetupError, connection};
use crate::spool::{Attempt, Sink};

pub(crate) const SECRET: &str = "central-secret-key";
pub(crate) const ROLE_SECRET: &str = "role-secret-key";
pub(crate) const ROLE_TOKEN: &str = "role-session-token";

/// What the script is asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) operation: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// What it says.
pub(crate) enum Say {
    Ok(String),
    Error(u16, &'static str, &'static str),
    /// Closes the connection in the middle of the body.
    Cut,
    /// Never answers.
    Silence,
    /// A body of so many bytes.
    Long(usize),
}

type Script = dyn Fn(&Asked) -> Say + Send + Sync;

#[derive(Clone)]
pub(crate) struct Loopback {
    script: Arc<Script>,
    asked: Arc<Mutex<Vec<Asked>>>,
    url: String,
}

impl fmt::Debug for Loopback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Loopback")
    }
}

impl Loopback {
    /// Serves until the test's runtime ends. Calls to STS that the script does not know (`Say::Ok("")`) are answered as AWS would.
    pub(crate) async fn start(script: impl Fn(&Asked) -> Say + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let this = Self { script: Arc::new(script), asked: Arc::default(), url };
        let server = this.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                tokio::spawn(async move { server.serve(stream).await });
            }
        });
        this
    }

    pub(crate) async fn sdk(&self) -> SdkConfig {
        let keys = Credentials::new("AKIDCENTRAL", SECRET, None, None, "test");
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .region(aws_config::Region::new("us-east-1"))
            .credentials_provider(keys)
            .http_client(connection::http_client(false))
            .endpoint_url(&self.url)
            .load()
            .await;
        connection::bounded(&sdk)
    }

    pub(crate) async fn connect(&self) -> Result<Aws, SetupError> {
        let mut settings = Settings::new("us-east-1".parse().unwrap(), "Audit", "orgproof-run-1");
        settings.external_id = Some("ext-1".to_owned());
        settings.backoff = Duration::from_millis(1);
        let services = ["organizations", "config", "securityhub", "account", "sts"];
        settings.rates = services.map(|s| (s.to_owned(), 1e6)).into();
        Aws::over(self.sdk().await, settings, Vec::new()).await
    }

    /// How often an operation was asked.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.asked().iter().filter(|a| a.operation == operation).count()
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    async fn serve(&self, mut stream: TcpStream) {
        loop {
            let Some(asked) = read(&mut stream).await else { return };
            self.asked.lock().unwrap().push(asked.clone());
            let (status, head, body) = match (self.script)(&asked) {
                Say::Ok(body) if body.is_empty() => (200, "", sts(&asked).unwrap_or_else(|| "{}".to_owned())),
                Say::Ok(body) => (200, "", body),
                Say::Error(status, code, message) => (status, code, error(&asked, code, message)),
                Say::Cut => {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":").await;
                    return;
                }
                Say::Silence => std::future::pending().await,
                Say::Long(bytes) => (200, "", " ".repeat(bytes)),
            };
            let length = body.len();
            let head = if head.is_empty() { String::new() } else { format!("x-amzn-errortype: {head}\r\n") };
            let head = format!(
                "HTTP/1.1 {status} X\r\nx-amzn-requestid: id-{status}\r\n{head}content-length: {length}\r\n\r\n"
            );
            if stream.write_all(head.as_bytes()).await.is_err() || stream.write_all(body.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).await.ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.ok()?;
    let body = String::from_utf8(body).ok()?;
    let target = headers.get("x-amz-target").and_then(|t| t.split('.').nth(1)).map(str::to_owned);
    let action = || Some(body.strip_prefix("Action=")?.split('&').next()?.to_owned());
    let operation = target.or_else(action).unwrap_or_else(|| path.split('?').next().unwrap_or_default().to_owned());
    Some(Asked { operation, headers, body })
}

fn error(asked: &Asked, code: &str, message: &str) -> String {
    if asked.body.starts_with("Action=") {
        return format!(
            "<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        );
    }
    format!("{{\"__type\":\"{code}\",\"message\":\"{message}\"}}")
}

fn sts(asked: &Asked) -> Option<String> {
    match asked.operation.as_str() {
        "GetCallerIdentity" => Some(
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::999999999999:assumed-role/Central/x</Arn>\
             <UserId>U</UserId><Account>999999999999</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
                .to_owned(),
        ),
        "AssumeRole" => Some(format!(
            "<AssumeRoleResponse><AssumeRoleResult><AssumedRoleUser><AssumedRoleId>I:x</AssumedRoleId>\
             <Arn>arn:aws:sts::111111111111:assumed-role/Audit/orgproof-run-1</Arn></AssumedRoleUser><Credentials>\
             <AccessKeyId>AKIDROLE</AccessKeyId><SecretAccessKey>{ROLE_SECRET}</SecretAccessKey>\
             <SessionToken>{ROLE_TOKEN}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
             </AssumeRoleResult></AssumeRoleResponse>"
        )),
        _ => None,
    }
}

/// Keeps attempts, or refuses them.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) attempts: Mutex<Vec<Attempt>>,
    pub(crate) full: bool,
}

impl Kept {
    /// Operation, page, attempt, status and error of each attempt.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |a: &Attempt| {
            let status = a.status.map_or_else(|| "-".to_owned(), |s| s.to_string());
            format!("{} p{} a{} {status} {}", a.operation, a.page, a.attempt, a.error.as_deref().unwrap_or("ok"))
        };
        self.attempts.lock().unwrap().iter().map(line).collect()
    }
}

impl Sink for Kept {
    fn record(&self, attempt: Attempt) -> std::io::Result<()> {
        if self.full {
            return Err(std::io::Error::other("no space left"));
        }
        self.attempts.lock().unwrap().push(attempt);
        Ok(())
    }
}
