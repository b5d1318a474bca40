use super::*;
use crate::model::{Collector, Mode};

fn planned(region: &str, collector: Collector) -> PlannedTask {
    let task = TaskId { account: "111111111111".parse().unwrap(), region: region.parse().unwrap(), collector };
    PlannedTask {
        account: task.account.clone(),
        region: task.region.clone(),
        collector,
        task,
        mode: Mode::FanOut,
        region_named: true,
        out_of_scope: None,
    }
}

fn attempt(body: Option<&[u8]>) -> Attempt {
    Attempt {
        time: "2026-11-23T00:00:00Z".parse().unwrap(),
        request_id: Some("r".into()),
        principal: "arn:aws:iam::111111111111:role/x".into(),
        service: "config",
        operation: "DescribeConfigRules".into(),
        endpoint_region: "us-east-1".into(),
        request: Some("{}".into()),
        page: 0,
        attempt: 1,
        status: Some(200),
        error: None,
        body: body.map(<[u8]>::to_vec),
    }
}

#[test]
fn an_attempt_that_the_disk_cut_short_is_left_out_and_hides_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::create(&dir.path().join("run")).unwrap();
    let plan = [planned("eu-west-1", Collector::ConfigRules), planned("us-east-1", Collector::Regions)];
    for planned in &plan {
        let task = spool.task(&planned.task);
        (0..2).for_each(|_| task.record(attempt(Some(b"{}"))).unwrap());
        task.finish().unwrap();
    }
    for file in ["calls.ndjson", "bodies.ndjson"] {
        let path = spool.dir(&plan[0].task).join(file);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 2]).unwrap();
        let mut seen = 0;
        spool
            .assemble::<io::Error>(&plan, |_, _| {
                seen += 1;
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, 3, "{file}: one whole attempt of the first task, two of the second");
        fs::write(&path, whole).unwrap();
    }
}

#[test]
fn pages_come_back_exactly_and_in_plan_order_whatever_order_they_went_in() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::create(&dir.path().join("run")).unwrap();
    let plan = [planned("eu-west-1", Collector::ConfigRules), planned("us-east-1", Collector::Regions)];
    let (first, second) = (spool.task(&plan[0].task), spool.task(&plan[1].task));
    second.record(attempt(Some(b"{\"n\":9007199254740993}"))).unwrap();
    first.record(attempt(Some(b"two\nlines"))).unwrap();
    second.record(attempt(None)).unwrap();
    first.record(attempt(Some(b"\xff\xfe"))).unwrap();
    assert_eq!((first.finish().unwrap(), second.finish().unwrap()), (2, 2));

    let mut seen = Vec::new();
    spool
        .assemble::<io::Error>(&plan, |call, line| {
            let encoded = call.body.as_ref().is_some_and(|b| b.encoding.is_some());
            let bytes = line.map(|l| {
                if encoded { Base64::decode_vec(std::str::from_utf8(l).unwrap()).unwrap() } else { l.to_vec() }
            });
            if let (Some(body), Some(bytes)) = (&call.body, &bytes) {
                assert_eq!(body.sha256, Sha256Digest::of(bytes), "the hash is over AWS's bytes, not ours");
            }
            seen.push((call.task.region.to_string(), call.seq, bytes));
            Ok(())
        })
        .unwrap();
    let expected: Vec<(String, u64, Option<Vec<u8>>)> = vec![
        ("eu-west-1".into(), 0, Some(b"two\nlines".to_vec())),
        ("eu-west-1".into(), 1, Some(b"\xff\xfe".to_vec())),
        ("us-east-1".into(), 0, Some(b"{\"n\":9007199254740993}".to_vec())),
        ("us-east-1".into(), 1, None),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn after_a_refusal_no_body_lies_beside_another_call() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::create(&dir.path().join("run")).unwrap();
    let plan = [planned("eu-west-1", Collector::ConfigRules)];
    let sink = spool.task(&plan[0].task);
    sink.record(attempt(Some(b"{}"))).unwrap();
    let refused = Attempt { request: Some("no JSON".into()), ..attempt(Some(b"[1]")) };
    sink.record(refused).unwrap_err();
    // A later attempt is either refused as well, or kept with its own bytes.
    let _ = sink.record(attempt(Some(b"[2]")));
    sink.finish().unwrap();
    assert!(spool.broken().is_some());
    let mut seen = 0;
    let checked = spool.assemble::<io::Error>(&plan, |call, line| {
        seen += 1;
        assert_eq!(call.body.unwrap().sha256, Sha256Digest::of(line.unwrap()));
        Ok(())
    });
    assert_eq!((checked.is_ok(), seen), (true, 1));
}

#[test]
fn what_a_crashed_run_left_is_found_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    assert!(leftovers(&dir.path().join("absent")).is_empty());
    Spool::create(&dir.path().join("orgproof-b/spool")).unwrap();
    Spool::create(&dir.path().join("orgproof-a/spool")).unwrap();
    fs::write(dir.path().join("orgproof-file"), "").unwrap();
    private_dir(&dir.path().join("other")).unwrap();
    assert_eq!(leftovers(dir.path()), ["orgproof-a", "orgproof-b"].map(|name| dir.path().join(name)));
}
