//! Calls against a scripted AWS: what is recorded, repeated, given up, and never shown.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::{
    loopback::{Asked, Kept, Loopback, ROLE_SECRET, ROLE_TOKEN, SECRET, Say},
    *,
};

fn member() -> AccountId {
    "111111111111".parse().unwrap()
}

fn region() -> Region {
    "us-east-1".parse().unwrap()
}

/// Counts calls to `operation` and lets `say` answer the nth, from 1; everything else is answered as AWS would.
fn nth(operation: &'static str, say: impl Fn(usize, &Asked) -> Say + Send + Sync + 'static) -> impl Fn(&Asked) -> Say {
    let count = AtomicUsize::new(0);
    move |asked| {
        if asked.operation == operation {
            say(count.fetch_add(1, Ordering::SeqCst) + 1, asked)
        } else {
            Say::Ok(String::new())
        }
    }
}

async fn rules(caller: &Caller) -> Result<usize, Failure> {
    let client = caller.config_client();
    let mut pages = 0;
    pages!(caller, Quota::CONFIG, "DescribeConfigRules", client.describe_config_rules(), |_| pages += 1)?;
    Ok(pages)
}

#[tokio::test]
async fn every_attempt_is_recorded_with_its_exact_bytes_throttled_ones_too() {
    let answer = "{ \"ConfigRules\" : [ ] }\n";
    let aws = Loopback::start(nth("DescribeConfigRules", move |n, _| match n {
        1 | 2 => Say::Error(400, "ThrottlingException", "Rate exceeded"),
        _ => Say::Ok(answer.to_owned()),
    }))
    .await;
    let sink = Arc::new(Kept::default());
    let central = aws.connect().await.unwrap().central(sink.clone());
    assert_eq!(rules(&central).await, Ok(1));
    let throttled = "400 ThrottlingException";
    assert_eq!(
        sink.lines(),
        [
            format!("DescribeConfigRules p0 a1 {throttled}"),
            format!("DescribeConfigRules p0 a2 {throttled}"),
            "DescribeConfigRules p0 a3 200 ok".to_owned()
        ]
    );
    let attempts = sink.attempts.lock().unwrap();
    assert_eq!(attempts[2].body.as_deref(), Some(answer.as_bytes()));
    assert_eq!(attempts[2].request.as_deref(), Some("{}"));
    assert_eq!(attempts[0].request_id.as_deref(), Some("id-400"));
    assert_eq!(attempts[0].principal, "arn:aws:sts::999999999999:assumed-role/Central/x");
    assert!(attempts[0].body.as_ref().unwrap().starts_with(b"{\"__type\":\"ThrottlingException\""));
}

#[tokio::test]
async fn throttling_without_end_ends_and_its_siblings_do_not_wait_as_long() {
    let always = |_: usize, _: &Asked| Say::Error(429, "LimitExceededException", "slow down");
    let aws = Loopback::start(nth("DescribeConfigRules", always)).await;
    let sink = Arc::new(Kept::default());
    let central = aws.connect().await.unwrap().central(sink.clone());
    assert_eq!(rules(&central).await.unwrap_err().signal, Signal::Throttled);
    assert_eq!(sink.lines().len(), 7);
    assert_eq!(rules(&central).await.unwrap_err().signal, Signal::Throttled);
    assert_eq!(sink.lines().len(), 8);
}

#[tokio::test]
async fn an_empty_page_with_a_token_is_not_the_end_and_a_stale_token_restarts_the_listing() {
    let aws = Loopback::start(nth("DescribeConfigRules", |n, asked| match n {
        1 => Say::Ok(r#"{"ConfigRules":[],"NextToken":"a"}"#.to_owned()),
        2 => Say::Error(400, "InvalidNextTokenException", "expired"),
        3 if asked.body == "{}" => Say::Ok(r#"{"NextToken":"b"}"#.to_owned()),
        4 if asked.body == r#"{"NextToken":"b"}"# => Say::Ok(r#"{"ConfigRules":[]}"#.to_owned()),
        _ => Say::Error(400, "Unexpected", "not this way"),
    }))
    .await;
    let sink = Arc::new(Kept::default());
    let central = aws.connect().await.unwrap().central(sink.clone());
    assert_eq!(rules(&central).await, Ok(3));
    let pages: Vec<_> = sink.attempts.lock().unwrap().iter().map(|a| a.page).collect();
    assert_eq!(pages, [0, 1, 0, 1]);
}

#[tokio::test]
async fn a_listing_that_does_not_advance_is_an_error_not_a_loop() {
    let aws =
        Loopback::start(nth("DescribeConfigRules", |_, _| Say::Ok(r#"{"ConfigRules":[],"NextToken":"a"}"#.to_owned())))
            .await;
    let central = aws.connect().await.unwrap().central(Arc::new(NoSink));
    assert_eq!(rules(&central).await.unwrap_err().code, "pagination");
    assert_eq!(aws.count("DescribeConfigRules"), 2);
}

#[tokio::test]
async fn a_session_carries_the_run_is_made_once_and_renewed_when_aws_calls_it_expired() {
    let aws = Loopback::start(nth("DescribeConfigRules", |n, asked| match n {
        1 => Say::Error(400, "ExpiredTokenException", "over"),
        _ if asked.headers.get("x-amz-security-token").is_some_and(|t| t == ROLE_TOKEN) => Say::Ok("{}".to_owned()),
        _ => Say::Error(403, "AccessDenied", "wrong credentials"),
    }))
    .await;
    let connection = aws.connect().await.unwrap();
    let sink = Arc::new(Kept::default());
    let inside = connection.caller(&member(), &region(), sink.clone());
    let all = futures::future::join_all((0..20).map(|_| inside.prepare())).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(aws.count("AssumeRole"), 1, "one caller fetches, the others wait");
    assert_eq!(rules(&inside).await, Ok(1));
    assert_eq!(aws.count("AssumeRole"), 2);
    let asked = aws.asked();
    let assume = &asked.iter().find(|a| a.operation == "AssumeRole").unwrap().body;
    for part in [
        "RoleArn=arn%3Aaws%3Aiam%3A%3A111111111111%3Arole%2FAudit",
        "RoleSessionName=orgproof-run-1",
        "SourceIdentity=orgproof-run-1",
        "ExternalId=ext-1",
        "DurationSeconds=3600",
    ] {
        assert!(assume.contains(part), "{assume}");
    }
    assert_eq!(
        sink.lines(),
        [
            "AssumeRole p0 a1 200 ok",
            "DescribeConfigRules p0 a1 400 ExpiredTokenException",
            "AssumeRole p0 a1 200 ok",
            "DescribeConfigRules p0 a2 200 ok"
        ]
    );
    let attempts = sink.attempts.lock().unwrap();
    assert!(attempts[0].body.is_none() && attempts[0].request.is_none());
    assert_eq!(attempts[3].principal, "arn:aws:sts::111111111111:assumed-role/Audit/orgproof-run-1");
}

#[tokio::test]
async fn a_refused_role_is_asked_for_once_and_the_audit_account_never() {
    let refuse = |_: usize, _: &Asked| Say::Error(403, "AccessDenied", "not authorized to perform: sts:AssumeRole");
    let aws = Loopback::start(nth("AssumeRole", refuse)).await;
    let connection = aws.connect().await.unwrap();
    for region in ["us-east-1", "eu-west-1", "eu-west-2"] {
        let caller = connection.caller(&member(), &region.parse().unwrap(), Arc::new(NoSink));
        assert_eq!(caller.prepare().await.unwrap_err().signal, Signal::Denied);
    }
    assert_eq!(aws.count("AssumeRole"), 1);
    let own = connection.account().clone();
    assert_eq!(connection.caller(&own, &region(), Arc::new(NoSink)).prepare().await, Ok(()));
    assert_eq!(aws.count("AssumeRole"), 1);
}

#[tokio::test]
async fn a_wrong_clock_ends_the_run_and_no_credential_shows_anywhere() {
    let echo = "The Canonical String should have been x-amz-security-token:role-session-token";
    let aws =
        Loopback::start(nth("DescribeConfigRules", move |_, _| Say::Error(403, "SignatureDoesNotMatch", echo))).await;
    let connection = aws.connect().await.unwrap();
    let sink = Arc::new(Kept::default());
    let inside = connection.caller(&member(), &region(), sink.clone());
    let failure = rules(&inside).await.unwrap_err();
    let abort = connection.until_aborted().await;
    assert!(matches!(abort, Abort::Clock { .. }));
    assert_eq!(rules(&inside).await.unwrap_err().signal, Signal::Aborted);
    assert_eq!(aws.count("DescribeConfigRules"), 1, "nothing more is sent");
    let attempts = sink.attempts.lock().unwrap();
    assert_eq!(attempts.len(), 2);
    let bodies: String =
        attempts.iter().filter_map(|a| a.body.clone()).map(|b| String::from_utf8(b).unwrap()).collect();
    let shown = format!("{connection:?} {inside:?} {failure} {failure:?} {abort} {attempts:?} {bodies}");
    for secret in [SECRET, ROLE_SECRET, ROLE_TOKEN, "AKIDROLE", "AKIDCENTRAL", "ext-1"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(aws.asked().iter().any(|a| format!("{a:?}").contains("AKIDROLE")), "the script saw the role's signature");
}

#[tokio::test]
async fn a_cut_answer_is_recorded_and_asked_again() {
    let cut_once = |n: usize, _: &Asked| if n == 1 { Say::Cut } else { Say::Ok("{}".to_owned()) };
    let aws = Loopback::start(nth("DescribeConfigRules", cut_once)).await;
    let sink = Arc::new(Kept::default());
    let central = aws.connect().await.unwrap().central(sink.clone());
    assert_eq!(rules(&central).await, Ok(1));
    let lines = sink.lines();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("DescribeConfigRules p0 a1 200 ") && !lines[0].ends_with("ok"), "{lines:?}");
}

#[tokio::test]
async fn silence_is_recorded_and_waited_for_twice_then_its_siblings_wait_once() {
    let aws = Loopback::start(nth("DescribeConfigRules", |_, _| Say::Silence)).await;
    let sdk = aws.sdk().await;
    let brief =
        aws_config::timeout::TimeoutConfig::builder().operation_attempt_timeout(Duration::from_millis(60)).build();
    let sdk = sdk.to_builder().timeout_config(brief).build();
    let mut settings = Settings::new(region(), "Audit", "orgproof-run-1");
    settings.backoff = Duration::from_millis(1);
    let connection = Aws::over(sdk, settings, Vec::new()).await.unwrap();
    let sink = Arc::new(Kept::default());
    let central = connection.central(sink.clone());
    for _ in 0..2 {
        assert_eq!(rules(&central).await.unwrap_err().signal, Signal::TimedOut);
    }
    let line = |attempt: u32| format!("DescribeConfigRules p0 a{attempt} - timeout");
    assert_eq!(sink.lines(), [line(1), line(2), line(1)]);
}

#[tokio::test]
async fn an_answer_beyond_all_bounds_is_not_read() {
    let aws = Loopback::start(nth("DescribeConfigRules", |_, _| Say::Long(capture::MAX_BODY + 1))).await;
    let central = aws.connect().await.unwrap().central(Arc::new(NoSink));
    assert_eq!(rules(&central).await.unwrap_err().signal, Signal::Oversized);
    assert_eq!(aws.count("DescribeConfigRules"), 1);
}

#[tokio::test]
async fn a_full_disk_ends_the_run() {
    let aws = Loopback::start(|_| Say::Ok(String::new())).await;
    let connection = aws.connect().await.unwrap();
    let central = connection.central(Arc::new(Kept { full: true, ..Kept::default() }));
    assert_eq!(rules(&central).await.unwrap_err().signal, Signal::Aborted);
    assert!(matches!(connection.aborted(), Some(Abort::Sink { said }) if said.contains("no space left")));
}

#[tokio::test]
async fn whoever_answers_instead_of_aws_is_named() {
    let aws = Loopback::start(|_| Say::Ok(String::new())).await;
    let connection = aws.connect().await.unwrap();
    assert!(connection.overrides().is_empty());
    rules(&connection.central(Arc::new(NoSink))).await.unwrap();
    let host = aws.asked()[0].headers["host"].clone();
    assert_eq!(connection.overrides(), [format!("answered by {host}")]);
}

#[tokio::test]
async fn bad_credentials_and_a_dead_endpoint_say_what_to_do() {
    let refuse = |_: usize, _: &Asked| Say::Error(403, "InvalidClientTokenId", "The security token is invalid");
    let aws = Loopback::start(nth("GetCallerIdentity", refuse)).await;
    let error = aws.connect().await.unwrap_err();
    assert!(
        matches!(error, SetupError::CredentialsRefused { .. }) && error.to_string().contains("get-caller-identity")
    );
    let dead = aws.sdk().await.to_builder().endpoint_url("http://127.0.0.1:1").build();
    let settings = Settings::new(region(), "Audit", "orgproof-run-1");
    let error = Aws::over(dead, settings, Vec::new()).await.unwrap_err();
    assert!(
        matches!(error, SetupError::Unreachable { .. }) && error.to_string().contains("AWS_ENDPOINT_URL"),
        "{error}"
    );
}

#[tokio::test]
async fn an_account_without_organization_is_told_so_before_a_run_opens() {
    let table =
        [("DescribeOrganization", "AWSOrganizationsNotInUseException"), ("ListAccounts", "AccessDeniedException")];
    for (operation, code) in table {
        let aws = Loopback::start(nth(operation, move |_, _| Say::Error(400, code, "no"))).await;
        let error = aws.connect().await.unwrap().preflight().await.unwrap_err();
        assert!(matches!(&error, SetupError::NoOrganization { said, .. } if said.contains(code)), "{error}");
        assert!(error.to_string().contains("delegated administrator"));
    }
    let aws = Loopback::start(|_| Say::Ok(String::new())).await;
    assert_eq!(aws.connect().await.unwrap().preflight().await, Ok(()));
}

#[tokio::test]
async fn an_unknown_aggregator_is_told_before_a_run_opens() {
    let missing = |_: usize, _: &Asked| Say::Error(400, "NoSuchConfigurationAggregatorException", "no such aggregator");
    let aws = Loopback::start(nth("DescribeConfigurationAggregators", missing)).await;
    let mut settings = Settings::new(region(), "Audit", "orgproof-run-1");
    assert_eq!(Aws::over(aws.sdk().await, settings.clone(), Vec::new()).await.unwrap().preflight().await, Ok(()));
    settings.aggregator = Some("orgg".to_owned());
    let error = Aws::over(aws.sdk().await, settings, Vec::new()).await.unwrap().preflight().await.unwrap_err();
    assert!(matches!(&error, SetupError::NoAggregator { name, .. } if name == "orgg"), "{error}");
}

#[test]
fn what_the_environment_overrides_is_named_without_user_and_password() {
    let said = |name, value| declared_override(name, value);
    assert_eq!(
        said("https_proxy", "http://user:pass@proxy:3128/x").as_deref(),
        Some("proxy HTTPS_PROXY=http://proxy:3128/x")
    );
    assert_eq!(said("ALL_PROXY", "u:p@proxy:3128").as_deref(), Some("proxy ALL_PROXY=proxy:3128"));
    assert_eq!(
        said("AWS_ENDPOINT_URL_CONFIG_SERVICE", "http://127.0.0.1:1").as_deref(),
        Some("endpoint AWS_ENDPOINT_URL_CONFIG_SERVICE=http://127.0.0.1:1")
    );
    assert_eq!(said("SSL_CERT_FILE", "/etc/own.pem").as_deref(), Some("trust roots SSL_CERT_FILE=/etc/own.pem"));
    assert_eq!(said("AWS_SECRET_ACCESS_KEY", "x"), None);
    assert_eq!(said("AWS_ENDPOINT_URL", ""), None);
}
