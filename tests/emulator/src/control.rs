//! The control endpoints below `/_emulator/`: unsigned, for the test that runs the emulator.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    fault::{ArmedFault, Fault},
    state::State,
    wire::{Reply, Request},
};

/// Answers a control request; `None` where the path is no control path.
pub(crate) fn answer(state: &State, request: &Request) -> Option<Reply> {
    let name = request.path.strip_prefix("/_emulator/")?;
    let result = match (request.method.as_str(), name) {
        ("GET", "clock") => Ok(json!({"now": state.now().0})),
        ("POST", "clock") => clock(state, &request.body),
        ("POST", "faults") => faults(state, &request.body),
        ("DELETE", "faults") => {
            state.moving().faults.clear();
            Ok(json!({}))
        }
        ("GET", "unserved") => Ok(json!({"unserved": state.moving().unserved})),
        ("GET", "requests") => {
            let moving = state.moving();
            Ok(json!({"requests": moving.requests, "counts": moving.counts}))
        }
        ("DELETE", "requests") => {
            let mut moving = state.moving();
            moving.requests.clear();
            moving.counts.clear();
            moving.unserved.clear();
            Ok(json!({}))
        }
        _ => Err(format!("there is no control {} {name}", request.method)),
    };
    let (status, body) = match result {
        Ok(body) => (200, body),
        Err(message) => (400, json!({"error": message})),
    };
    Some(Reply {
        status,
        content_type: "application/json",
        error_type: None,
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
    })
}

/// `{"at": "2026-11-24T00:00:00Z"}` or `{"advance_seconds": 3600}`.
fn clock(state: &State, body: &[u8]) -> Result<Value, String> {
    let body: Value = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let at = match (body["at"].as_str(), body["advance_seconds"].as_i64()) {
        (Some(at), _) => at.parse::<Timestamp>().map_err(|e| e.to_string())?,
        (None, Some(seconds)) => {
            Timestamp::from_second(state.now().0.as_second() + seconds).map_err(|e| e.to_string())?
        }
        _ => return Err("give \"at\" or \"advance_seconds\"".to_owned()),
    };
    state.set_clock(at);
    Ok(json!({"now": at}))
}

/// One fault, or `{"faults": [...]}`; added before those that stand.
fn faults(state: &State, body: &[u8]) -> Result<Value, String> {
    let body: Value = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let list = body.get("faults").cloned().unwrap_or_else(|| json!([body]));
    let faults: Vec<Fault> = serde_json::from_value(list).map_err(|e| e.to_string())?;
    let mut moving = state.moving();
    moving.faults.splice(0..0, faults.into_iter().map(ArmedFault::new));
    Ok(json!({"standing": moving.faults.len()}))
}
